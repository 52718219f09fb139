"""Stored values that are overwritten by key."""

from __future__ import annotations

import pathlib
import threading
from typing import Any

import numpy as np
import pytest

from tfagents_core import replay

from . import helpers

STEPS = {
    "x": replay.Column((), np.int64),
    "core": {
        "h": replay.Column((3,), np.float32),
        "c": replay.Column((2,), np.float32),
    },
}
OUTPUTS = {
    "x": replay.views.Rows("x", 0, 3),
    "core": replay.views.Row("core", 0),
}


def make_sequences(**options: Any) -> tuple[replay.Replay, replay.TableHandle, Any]:
    """Sequences of rows 0..2, 1..3, ... of an episode of 10; and their keys."""
    table = helpers.make_table(
        pattern=replay.Sequence(length=3, period=1), outputs=OUTPUTS
    )
    rb = replay.Replay(STEPS, [table], segment_rows=4, **options)
    rows = {
        "x": np.arange(10),
        "core": {
            "h": np.zeros((10, 3), np.float32),
            "c": np.zeros((10, 2), np.float32),
        },
    }
    keys = rb.append_steps(rows, first=True, return_keys=True)["table"]
    return rb, rb.tables["table"], keys


def test_a_nest_of_states_is_overwritten_in_first_rows() -> None:
    _, handle, keys = make_sequences()
    h = np.arange(6, dtype=np.float32).reshape(2, 3)
    c = np.ones((2, 2), np.float32)
    assert handle.overwrite(keys[[4, 1]], {"core": {"h": h, "c": c}}) == 2
    core = handle.get(keys[[1, 4, 0]]).data["core"]
    np.testing.assert_array_equal(core["h"], [h[1], h[0], [0, 0, 0]])
    np.testing.assert_array_equal(core["c"], [[1, 1], [1, 1], [0, 0]])
    assert handle.overwrite(keys[:1], {("core", "h"): h[1:]}) == 1
    core = handle.get(keys[:1]).data["core"]
    np.testing.assert_array_equal(core["h"], h[1:])
    np.testing.assert_array_equal(core["c"], [[0, 0]])


def test_a_sample_shows_what_was_written_to_all_rows_of_items() -> None:
    _, handle, keys = make_sequences()
    values = [[10, 11, 12], [13, 14, 15], [16, 17, 18]]
    assert handle.overwrite(keys[[0, 3, 6]], {"x": values}, rows=(0, 3)) == 3
    for info, data in (handle.sample(32), handle.get(keys)):
        for key, x in zip(info.key, data["x"]):
            start = keys.tolist().index(key)
            expected = [row + 10 if row < 9 else row for row in range(start, start + 3)]
            assert x.tolist() == expected
    assert handle.overwrite(keys[:1], {"x": [99]}, rows=-1) == 1
    assert handle.get(keys[2:3]).data["x"].tolist() == [[99, 13, 14]]


def test_the_core_state_of_ready_made_sequences_is_refreshed() -> None:
    buffer = replay.sequences(
        replay.Column((3,), np.float32),
        replay.Column((), np.int64),
        length=8,
        period=4,
        max_size=100,
        extras={"core": replay.Column((2,), np.float32)},
        core_state="core",
    )
    for t in range(20):
        before, after = np.full(3, t, np.float32), np.full(3, t + 1, np.float32)
        core = np.full(2, t, np.float32)
        buffer.add(before, 1, 0.5, after, terminated=t == 19, extras={"core": core})
    keys = buffer.table.keys()
    core = buffer.table.get(keys).data.core_state + 100
    buffer.table.overwrite(keys, {("extras", "core"): core}, rows=1)
    np.testing.assert_array_equal(buffer.table.get(keys).data.core_state, core)


def test_items_that_have_left_are_skipped_and_counted() -> None:
    _, handle, keys = make_sequences()
    handle.delete(keys[:2])
    assert handle.overwrite(keys[:3], {"x": [7, 8, 9]}) == 1
    assert handle.stats().num_stale_updates == 2
    assert handle.get(keys[2:3]).data["x"].tolist() == [[9, 3, 4]]


@pytest.mark.parametrize(
    ("values", "rows", "error"),
    [
        ({"y": [1]}, 0, "there is no column 'y'"),
        ({"x": [1.5]}, 0, "'x'"),
        ({"x": np.ones(1, np.int32)}, 0, r"column 'x' must be int64\(1,\), got int32"),
        ({"x": np.ones((1, 3), np.int64)}, 0, r"column 'x' must be int64\(1,\)"),
        ({"x": np.ones(1, np.int64)}, (0, 2), r"column 'x' must be int64\(1, 2\)"),
        ({"x": np.ones((2, 2), np.int64)}, (0, 2), r"column 'x' must be int64\(1, 2\)"),
        ({"core": {"h": np.ones((1, 3), np.float32)}}, 0, "structure"),
        ({"x": np.ones((1, 0), np.int64)}, (2, 2), r"no rows \[2, 2\)"),
        ({"x": np.ones((1, 1), np.int64)}, (-2, 0), r"no rows \[-2, 0\)"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_written(
    values: Any, rows: Any, error: str
) -> None:
    _, handle, keys = make_sequences()
    with pytest.raises(ValueError, match=error):
        handle.overwrite(keys[:1], values, rows=rows)
    good = {"x": np.array([5]), **values}
    with pytest.raises(ValueError, match=error):
        handle.overwrite(keys[:1], good, rows=rows)
    with pytest.raises(ValueError, match="key -1"):
        handle.overwrite([keys[0], -1], {"x": [5, 5]})
    assert handle.get(keys[:1]).data["x"].tolist() == [[0, 1, 2]]


@pytest.mark.parametrize("row", [2**62, -(2**62), 2**63 - 1])
def test_rows_that_no_item_has_are_left_out(row: int) -> None:
    _, handle, keys = make_sequences()
    assert handle.overwrite(keys[:1], {"x": [5]}, rows=row) == 1
    assert handle.get(keys[:1]).data["x"].tolist() == [[0, 1, 2]]


def test_a_closed_replay_is_not_overwritten() -> None:
    rb, handle, keys = make_sequences()
    rb.close()
    with pytest.raises(replay.ClosedError):
        handle.overwrite(keys[:1], {"x": [5]})


def test_columns_beside_compressed_ones_are_overwritten() -> None:
    steps = {
        "x": replay.Column((), np.int64),
        "frame": replay.Column((64, 64), np.uint8, compression="lz4"),
    }
    table = helpers.make_table(
        pattern=replay.Sequence(length=1, period=1),
        outputs={"x": replay.views.Row("x", 0), "frame": replay.views.Row("frame", 0)},
    )
    try:
        rb = replay.Replay(steps, [table], segment_rows=4)
    except RuntimeError:
        pytest.skip("built without LZ4")
    frames = np.broadcast_to(np.arange(16, dtype=np.uint8)[:, None, None], (16, 64, 64))
    rows = {"x": np.arange(16), "frame": frames}
    keys = rb.append_steps(rows, first=True, return_keys=True)["table"]
    handle = rb.tables["table"]
    rb.wait_until_compressed()
    handle.overwrite(keys, {"x": np.arange(16) + 100})
    data = handle.get(keys).data
    assert data["x"].tolist() == list(range(100, 116))
    np.testing.assert_array_equal(data["frame"], frames)
    with pytest.raises(ValueError, match="column 'frame' is compressed"):
        handle.overwrite(keys, {"frame": frames.copy()})
    assert handle.overwrite(keys[:0], {"x": np.zeros(0, np.int64)}) == 0


def test_a_checkpoint_has_what_was_there_when_it_was_saved(
    tmp_path: pathlib.Path,
) -> None:
    rb, handle, keys = make_sequences()
    for i in range(3):
        rb.save(tmp_path / str(i))
        handle.overwrite(keys[:1], {"x": [100 + i]})
    for i, expected in enumerate([0, 100, 101]):
        restored, other, _ = make_sequences()
        restored.restore(tmp_path / str(i))
        assert other.get(keys[:1]).data["x"].tolist() == [[expected, 1, 2]]


def test_states_are_refreshed_while_others_sample_and_look_up() -> None:
    _, handle, keys = make_sequences()
    stop, torn = threading.Event(), []

    def look() -> None:
        while not stop.is_set():
            for data in (handle.sample(512).data, handle.get(keys).data):
                h = data["core"]["h"]
                if not (h == h[:, :1]).all():
                    torn.append(h)

    threads = [threading.Thread(target=look) for _ in range(2)]
    for thread in threads:
        thread.start()
    for i in range(300):
        h = np.full((len(keys), 3), i, np.float32)
        assert handle.overwrite(keys, {("core", "h"): h}) == len(keys)
    stop.set()
    for thread in threads:
        thread.join()
    assert not torn
    np.testing.assert_array_equal(handle.get(keys).data["core"]["h"], h)
