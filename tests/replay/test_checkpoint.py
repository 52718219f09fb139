"""Saving and restoring: the same replay afterwards, or an error that says why not."""

from __future__ import annotations

import json
import os
import pathlib
import threading
from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from tfagents_core import replay
from tfagents_core.replay import checkpoint

from . import helpers, saving

GOLDEN = pathlib.Path(__file__).parent / "golden" / "replay-1"


@hypothesis.given(
    seed=st.integers(0, 2**32),
    num_calls=st.integers(0, 400),
    sampler=st.sampled_from(saving.SELECTORS),
    remover=st.sampled_from(saving.SELECTORS),
)
@hypothesis.settings(max_examples=25, deadline=None)
def test_a_restored_replay_goes_on_exactly_as_the_saved_one(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    num_calls: int,
    sampler: Any,
    remover: Any,
) -> None:
    path = tmp_path_factory.mktemp("checkpoints") / "replay-1"
    saving.check_that_it_goes_on(
        lambda: saving.make(sampler=sampler, remover=remover), path, seed, num_calls
    )


@hypothesis.given(
    seed=st.integers(0, 2**32),
    num_calls=st.integers(100, 800),
    sampler=st.sampled_from(saving.SELECTORS),
    max_bytes=st.integers(4_000, 8_000),
)
@hypothesis.settings(max_examples=25, deadline=None)
def test_a_restored_budget_and_copies_go_on_exactly_as_the_saved_ones(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    num_calls: int,
    sampler: Any,
    max_bytes: int,
) -> None:
    path = tmp_path_factory.mktemp("checkpoints") / "replay-1"
    restored = saving.check_that_it_goes_on(
        lambda: saving.make_bounded(max_bytes, sampler=sampler), path, seed, num_calls
    )
    assert restored.bytes_allocated <= max_bytes
    assert restored.tables["transitions"].stats().num_deleted > 0


def test_a_checkpoint_of_more_bytes_than_the_budget_is_refused(
    tmp_path: pathlib.Path,
) -> None:
    saved = saving.make_bounded(20_000)
    helpers.append_items(saved, 800)
    saved.save(tmp_path / "replay")
    held = saved.bytes_in_use
    saving.make_bounded(held).restore(tmp_path / "replay")
    rb = saving.make_bounded(held - 1)
    message = f"has {held} bytes of steps, this replay max_bytes = {held - 1}; give"
    with pytest.raises(ValueError, match=message):
        rb.restore(tmp_path / "replay")
    assert rb.tables["transitions"].size == 0
    rb.check_valid()


def test_a_budget_must_do_for_the_blocks_of_the_checkpoint(
    tmp_path: pathlib.Path,
) -> None:
    table = helpers.make_table()
    large = replay.Replay(helpers.STEPS, [table], segment_rows=4096)
    large.save(tmp_path / "replay")
    rb = replay.Replay(helpers.STEPS, [table], max_bytes=150_000)
    with pytest.raises(ValueError, match="max_bytes is 150000, .* blocks of 4096 rows"):
        rb.restore(tmp_path / "replay")


def test_options_given_in_code_win_over_stored_ones(tmp_path: pathlib.Path) -> None:
    saved, _ = saving.filled()
    saved.save(tmp_path / "replay-1")
    was = saved.tables["transitions"].stats()
    assert was.size == 40

    rb = saving.make(max_size=7, rate_limiter=replay.MinSize(6), remover=replay.Fifo())
    rb.restore(tmp_path / "replay-1")
    table = rb.tables["transitions"]
    assert table.size == 7
    assert table.stats().num_inserted == was.num_inserted
    assert table.stats().num_deleted == was.num_inserted - 7
    assert (table.sample(100).info.age < 40).all()
    keys = np.unique(table.sample(1000).info.key)
    table.delete(keys[:2])
    assert table.why_not_sample(1) == "5 items < min_size 6"

    rb = saving.make(max_size=100, sampler=replay.Uniform())
    rb.restore(tmp_path / "replay-1")
    saving.Driver(rb, 5).run(300)
    assert 40 < rb.tables["transitions"].size <= 100
    rb.check_valid()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"steps": {**helpers.STEPS, "action": replay.Column((2,), np.int32)}},
            r"columns are action int32\(\), .*; this replay's are action int32\(2,\)",
        ),
        (
            {"steps": {**helpers.STEPS, "reward": replay.Column((), np.float64)}},
            r"reward float32\(\); .* reward float64\(\)$",
        ),
        ({"name": "other"}, "tables are 'table'; this replay's are 'other'"),
        ({"num_streams": 1}, "has 2 streams, this replay 1"),
        ({"segment_rows": 16}, "segment_rows = 8, this replay 16"),
        (
            {"pattern": replay.NStep(n=5)},
            "need the newest 6 rows of a stream's episode, .* kept 4",
        ),
    ],
)
def test_what_does_not_fit_is_named(
    tmp_path: pathlib.Path, change: dict[str, Any], message: str
) -> None:
    def make(
        steps: Any = helpers.STEPS,
        num_streams: int = 2,
        segment_rows: int = 8,
        **table: Any,
    ) -> replay.Replay:
        table = {"pattern": replay.NStep(n=3), **table}
        return replay.Replay(
            steps,
            [helpers.make_table(**table)],
            num_streams=num_streams,
            segment_rows=segment_rows,
        )

    saved = make()
    helpers.append_items(saved, 30)
    saved.save(tmp_path / "replay")
    other = make(**change)
    with pytest.raises(ValueError, match=message):
        other.restore(tmp_path / "replay")
    assert all(table.size == 0 for table in other.tables.values())
    other.check_valid()


def test_a_checkpoint_never_replaces_another(tmp_path: pathlib.Path) -> None:
    rb, _ = saving.filled()
    rb.save(tmp_path / "runs" / "replay-1")
    with pytest.raises(FileExistsError, match=r"replay-1' already exists; give"):
        rb.save(tmp_path / "runs" / "replay-1")
    assert [p.name for p in (tmp_path / "runs").iterdir()] == ["replay-1"]
    assert not list(tmp_path.rglob("*.pkl"))


def test_what_a_dead_process_left_half_written_is_cleared(
    tmp_path: pathlib.Path,
) -> None:
    left = tmp_path / "replay-1.partial"
    left.mkdir()
    (left / "state.bin").write_bytes(b"half")
    rb, _ = saving.filled()
    assert replay.latest_intact(tmp_path) is None
    rb.save(tmp_path / "replay-1")
    assert [p.name for p in tmp_path.iterdir()] == ["replay-1"]


def test_the_latest_intact_one_is_found_by_its_number(tmp_path: pathlib.Path) -> None:
    assert replay.latest_intact(tmp_path / "nothing") is None
    rb, _ = saving.filled(num_calls=50)
    for number in (9, 10, 100):
        rb.save(tmp_path / f"replay-{number}")
    (tmp_path / "replay-200").mkdir()
    (tmp_path / "notes-300.txt").write_text("not a checkpoint")
    assert replay.latest_intact(tmp_path) == tmp_path / "replay-100"
    (rows,) = (tmp_path / "replay-100").glob("rows-*.bin")
    os.truncate(rows, 10)
    assert replay.latest_intact(tmp_path) == tmp_path / "replay-10"
    (tmp_path / "replay-10" / "state.bin").unlink()
    assert replay.latest_intact(tmp_path) == tmp_path / "replay-9"


def test_what_is_not_a_checkpoint_is_said_to_be_none(tmp_path: pathlib.Path) -> None:
    rb = saving.make()
    with pytest.raises(FileNotFoundError, match="there is no checkpoint at"):
        rb.restore(tmp_path / "missing")
    with pytest.raises(replay.DamagedCheckpointError, match=r"has no manifest\.json"):
        rb.restore(tmp_path)
    rb.close()
    with pytest.raises(replay.ClosedError):
        rb.save(tmp_path / "replay")
    assert list(tmp_path.iterdir()) == []


def test_every_truncation_is_noticed(tmp_path: pathlib.Path) -> None:
    rb, _ = saving.filled(num_calls=60)
    rb.save(tmp_path / "replay")
    damaged = saving.make()
    for path in sorted((tmp_path / "replay").iterdir()):
        whole = path.read_bytes()
        cuts = np.linspace(0, len(whole) - 2, 12).astype(int)
        for size in {*cuts.tolist(), len(whole) - 2}:
            path.write_bytes(whole[:size])
            with pytest.raises(replay.DamagedCheckpointError, match=path.name):
                damaged.restore(tmp_path / "replay")
            with pytest.raises(replay.DamagedCheckpointError, match=path.name):
                checkpoint.verify(tmp_path / "replay")
        path.write_bytes(whole)
    assert saving.content(saving.copy_of(tmp_path / "replay")) == saving.content(rb)


def test_no_flipped_bit_ever_gives_a_wrong_value(tmp_path: pathlib.Path) -> None:
    rb, _ = saving.filled(num_calls=60)
    rb.save(tmp_path / "replay")
    expected = saving.content(rb)
    rng = np.random.default_rng(0)
    files = sorted((tmp_path / "replay").iterdir())
    found = harmless = 0
    for i in range(1000):
        path = files[i % len(files)]
        whole = path.read_bytes()
        flipped = bytearray(whole)
        flipped[rng.integers(len(whole))] ^= 1 << rng.integers(8)
        path.write_bytes(flipped)
        copy = saving.make()
        try:
            copy.restore(tmp_path / "replay")
        except replay.DamagedCheckpointError:
            found += 1
        else:  # white space between the words of the manifest
            harmless += 1
            assert path.name == "manifest.json"
            assert json.loads(flipped) == json.loads(whole)
            assert saving.content(copy) == expected
        path.write_bytes(whole)
    assert found > 950
    assert found + harmless == 1000


def test_a_save_is_of_one_moment_while_others_append_and_sample(
    tmp_path: pathlib.Path,
) -> None:
    rb, _ = saving.filled(num_calls=100)
    stop = threading.Event()

    def play() -> None:
        driver = saving.Driver(rb, 7)
        while not stop.is_set():
            driver.run(20)

    thread = threading.Thread(target=play)
    thread.start()
    try:
        for number in range(10):
            rb.save(tmp_path / f"replay-{number}")
            copy = saving.copy_of(tmp_path / f"replay-{number}")
            copy.check_valid()
    finally:
        stop.set()
        thread.join()
    rb.check_valid()


def test_restoring_wakes_and_serves_one_that_waits(tmp_path: pathlib.Path) -> None:
    saved, _ = saving.filled()
    saved.save(tmp_path / "replay")
    rb = saving.make()
    drawn: list[replay.Sample] = []
    table = rb.tables["transitions"]
    thread = threading.Thread(target=lambda: drawn.append(table.sample(8, timeout=60)))
    thread.start()
    rb.restore(tmp_path / "replay")
    thread.join()
    again = saving.copy_of(tmp_path / "replay").tables["transitions"].sample(8)
    assert drawn[0].info.key.tolist() == again.info.key.tolist()


def test_arrays_drawn_before_a_restore_stay_as_they_are(tmp_path: pathlib.Path) -> None:
    rb, _ = saving.filled()
    rb.save(tmp_path / "replay")
    observation = rb.tables["transitions"].sample(32).data[0]
    kept = observation.copy()
    rb.restore(tmp_path / "replay")
    saving.Driver(rb, 3).run(300)
    np.testing.assert_array_equal(observation, kept)


def test_the_golden_checkpoint_of_version_1_still_loads() -> None:
    rb = saving.copy_of(GOLDEN)
    rb.check_valid()
    expected = json.loads((GOLDEN.parent / "replay-1.json").read_text())
    stats = rb.tables["transitions"].stats()
    assert [stats.num_inserted, stats.num_sampled, stats.size] == expected["counts"]
    info, data = rb.tables["transitions"].sample(8)
    assert info.key.tolist() == expected["keys"]
    np.testing.assert_allclose(info.probability, expected["probabilities"], rtol=1e-12)
    np.testing.assert_array_equal(data[1], expected["actions"])
    sequences = rb.tables["sequences"].sample(2)
    assert sequences.info.key.tolist() == expected["sequence_keys"]
    assert float(sequences.data.sum()) == pytest.approx(expected["sequence_sum"])


def test_what_changes_when_all_is_copied_is_not_in_the_checkpoint(
    tmp_path: pathlib.Path,
) -> None:
    rb, driver = saving.filled()
    rb.save(tmp_path / "before")
    rb.save(tmp_path / "during", when_copied=lambda: driver.run(200))
    rb.check_valid()
    rb.save(tmp_path / "after")
    before, during, after = (
        saving.content(saving.copy_of(tmp_path / name))
        for name in ("before", "during", "after")
    )
    assert before == during != after


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_what_fails_when_all_is_copied_does_not_fail_the_save(
    tmp_path: pathlib.Path,
) -> None:
    rb, _ = saving.filled()
    rb.save(tmp_path / "replay-1", when_copied=lambda: 1 // 0)
    rb.check_valid()
    assert replay.latest_intact(tmp_path) == tmp_path / "replay-1"


@pytest.mark.parametrize("version", [3, 4])
def test_a_golden_checkpoint_goes_on_as_it_did(version: int) -> None:
    golden = GOLDEN.with_name(f"replay-{version}")
    rb = saving.copy_of(golden)
    rb.check_valid()
    expected = json.loads(golden.with_suffix(".json").read_text())
    # Keys with their epochs: it was saved in the second.
    assert [int(rb.create_item(name, 1)) for name in rb.tables] == expected["keys"]
    for seen, wanted in zip(
        saving.Driver(rb, 7).run(15), expected["calls"], strict=True
    ):
        if isinstance(seen, list):
            for array, values in zip(seen, wanted, strict=True):
                np.testing.assert_allclose(array, values, rtol=1e-6)
        else:
            assert seen == wanted
