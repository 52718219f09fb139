"""Successive checkpoints share files: a save writes what changed, and no more."""

from __future__ import annotations

import os
import pathlib
import shutil
from typing import Any

import numpy as np
import pytest

from tfagents_core import replay
from tfagents_core.replay import checkpoint

from . import helpers, saving

# A row of a KiB: few of them fill files that are large enough to be shared.
STEPS = {"x": replay.Column((256,), np.uint32)}
MAX_SIZE = 6_000


def make(
    *, num_streams: int = 1, compression: str | None = None, **overrides: Any
) -> replay.Replay:
    """Items that are single rows."""
    table = helpers.make_table(
        **{
            "pattern": replay.Sequence(length=1, period=1),
            "outputs": replay.views.Row("x", 0),
            "sampler": replay.Prioritized(0.7),
            "max_size": MAX_SIZE,
            **overrides,
        }
    )
    steps = {"x": replay.Column((256,), np.uint32, compression=compression)}
    return replay.Replay(steps, [table], num_streams=num_streams)


def append(rb: replay.Replay, num_rows: int, seed: int) -> None:
    """Appends random rows, to all streams in turn."""
    rng = np.random.default_rng(seed)
    for stream in range(rb.num_streams):
        n = num_rows // rb.num_streams
        rows = rng.integers(0, 2**32, (n, 256), np.uint32) & np.uint32(0xFF)
        first = np.zeros(n, bool)
        first[0] = True
        rb.append_steps({"x": rows}, first=first, stream=stream)


def change(rb: replay.Replay, seed: int) -> None:
    """Appends, draws, gives new priorities and deletes, a little of each."""
    rng = np.random.default_rng(seed)
    append(rb, 60, seed)
    info = rb.tables["table"].sample(30).info
    rb.tables["table"].update_priorities(info.key, rng.random(30))
    rb.tables["table"].delete(info.key[:5])


def content(rb: replay.Replay) -> list[Any]:
    """Everything that a restored replay must share with the saved one."""
    table = rb.tables["table"]
    keys = table.keys()
    keys = keys[np.argsort(saving.without_epoch(keys))]
    info, rows = table.get(keys)
    return [
        saving.without_epoch(keys).tolist(),
        info.priority.tolist(),
        info.times_sampled.tolist(),
        np.asarray(rows).tobytes(),
        table.stats(),
    ]


def bytes_written(path: pathlib.Path) -> int:
    """Bytes of the files that no other checkpoint has."""
    return sum(
        file.stat().st_size for file in path.iterdir() if file.stat().st_nlink == 1
    )


def bytes_of(path: pathlib.Path) -> int:
    """Bytes of all files."""
    return sum(file.stat().st_size for file in path.iterdir())


def shared(path: pathlib.Path, prefix: str) -> int:
    """How many files with such a name another checkpoint has too."""
    return sum(file.stat().st_nlink > 1 for file in path.glob(f"{prefix}-*.bin"))


@pytest.mark.parametrize("num_streams", [1, 64])
def test_a_save_after_one_percent_changed_writes_a_tenth_at_most(
    tmp_path: pathlib.Path, num_streams: int
) -> None:
    num_items = 300_000
    table = helpers.make_table(sampler=replay.Prioritized(0.6), max_size=num_items)
    rb = replay.Replay(helpers.STEPS, [table], num_streams=num_streams)

    def append_some(num_rows: int) -> None:
        for stream in range(num_streams):
            n = num_rows // num_streams
            rows = {
                name: np.zeros((n, *column.shape), column.dtype)
                for name, column in helpers.STEPS.items()
            }
            rows["action"] = np.arange(n, dtype=np.int32)
            rb.append_steps(rows, first=np.arange(n) == 0, stream=stream)

    append_some(num_items + 70_000)
    rb.save(tmp_path / "replay-0")
    whole = bytes_written(tmp_path / "replay-0")
    for number in range(1, 5):
        append_some(num_items // 100)
        rb.save(tmp_path / f"replay-{number}")
        assert bytes_written(tmp_path / f"replay-{number}") < whole / 10
    rng = np.random.default_rng(0)
    for number in range(5, 8):
        keys = rb.tables["table"].sample(num_items // 100).info.key
        rb.tables["table"].update_priorities(keys, rng.random(len(keys)))
        rb.save(tmp_path / f"replay-{number}")
        assert bytes_written(tmp_path / f"replay-{number}") < whole / 10


@pytest.mark.parametrize("sampler", saving.SELECTORS, ids=str)
def test_every_checkpoint_of_a_row_is_complete_and_exact(
    tmp_path: pathlib.Path, sampler: Any
) -> None:
    rb = make(sampler=sampler, remover=sampler, num_streams=3)
    append(rb, 5_400, 0)
    rb.save(tmp_path / "replay-0")
    for number in range(1, 8):
        change(rb, number)
        path = tmp_path / f"replay-{number}"
        rb.save(path)
        assert shared(path, "rows") > 0
        assert shared(path, "state") > 0
        shutil.rmtree(tmp_path / f"replay-{number - 1}")
        checkpoint.verify(path)
        restored = make(sampler=sampler, remover=sampler, num_streams=3)
        restored.restore(path)
        restored.check_valid()
        assert content(restored) == content(rb)
        change(restored, 1000 + number)
        change(rb, 1000 + number)
        assert content(restored) == content(rb)
        if number % 2:
            rb = restored


def test_replays_that_part_after_a_restore_never_share_what_differs(
    tmp_path: pathlib.Path,
) -> None:
    first = make()
    append(first, 5_000, 0)
    first.save(tmp_path / "replay-0")
    replays = [first, make(), make()]
    for rb in replays[1:]:
        rb.restore(tmp_path / "replay-0")
    for number in range(1, 19):
        rb = replays[number % 3]
        for seed in range(5):
            change(rb, 100 * number + seed)
        path = tmp_path / f"replay-{number}"
        rb.save(path)
        assert shared(path, "rows") > 0
        copy = make()
        copy.restore(path)
        assert content(copy) == content(rb)


def test_what_left_the_replay_leaves_its_checkpoints_too(
    tmp_path: pathlib.Path,
) -> None:
    rb = make()
    for number in range(12):
        append(rb, MAX_SIZE // 3, number)
        rb.save(tmp_path / f"replay-{number}")
    assert bytes_of(tmp_path / "replay-11") < 1.5 * bytes_of(tmp_path / "replay-2")
    rb.reset()
    rb.save(tmp_path / "replay-12")
    assert bytes_of(tmp_path / "replay-12") < 10_000
    copy = make()
    copy.restore(tmp_path / "replay-12")
    assert copy.tables["table"].size == 0


def test_rows_that_other_saves_wrote_are_packed_once_they_are_together(
    tmp_path: pathlib.Path,
) -> None:
    rb = make(compression="lz4") if helpers.can_compress() else make()
    for number in range(6):
        append(rb, 900, number)
        rb.save(tmp_path / f"replay-{number}")
    assert shared(tmp_path / "replay-5", "rows") > 0
    copy = make(compression="lz4") if helpers.can_compress() else make()
    copy.restore(tmp_path / "replay-5")
    rb.wait_until_compressed()
    assert copy.bytes_in_use == rb.bytes_in_use
    assert content(copy) == content(rb)


def test_a_file_that_is_gone_or_cut_short_is_written_anew(
    tmp_path: pathlib.Path,
) -> None:
    rb = make()
    append(rb, MAX_SIZE, 0)
    rb.save(tmp_path / "replay-1")
    rows = sorted((tmp_path / "replay-1").glob("rows-*.bin"))
    rows[0].unlink()
    os.truncate(rows[1], 1000)
    (state, *_) = (tmp_path / "replay-1").glob("state-*.bin")
    flipped = bytearray(state.read_bytes())
    flipped[100] ^= 1
    state.write_bytes(flipped)
    rb.save(tmp_path / "replay-2")
    checkpoint.verify(tmp_path / "replay-2")
    names = {path.name for path in (tmp_path / "replay-2").iterdir()}
    assert not names & {rows[0].name, rows[1].name, state.name}
    assert rows[2].name in names
    copy = make()
    copy.restore(tmp_path / "replay-2")
    assert content(copy) == content(rb)


def test_a_bit_flipped_in_a_shared_file_is_noticed_in_each_that_has_it(
    tmp_path: pathlib.Path,
) -> None:
    rb = make()
    append(rb, MAX_SIZE, 0)
    rb.save(tmp_path / "whole-1", base="")
    rb.save(tmp_path / "replay-2", base="")
    rb.save(tmp_path / "replay-3")
    assert shared(tmp_path / "whole-1", "rows") == 0
    for prefix in ("rows", "state"):
        files = (tmp_path / "replay-3").glob(f"{prefix}-*.bin")
        path = next(file for file in files if file.stat().st_nlink > 1)
        intact = path.read_bytes()
        flipped = bytearray(intact)
        flipped[len(flipped) // 2] ^= 1
        path.write_bytes(flipped)
        for name in ("replay-2", "replay-3"):
            with pytest.raises(replay.DamagedCheckpointError, match=path.name):
                checkpoint.verify(tmp_path / name)
            with pytest.raises(replay.DamagedCheckpointError, match=path.name):
                make().restore(tmp_path / name)
        assert replay.latest_intact(tmp_path) == tmp_path / "whole-1"
        path.write_bytes(intact)


def test_the_base_may_be_anywhere_on_the_disk(tmp_path: pathlib.Path) -> None:
    rb = make()
    append(rb, MAX_SIZE, 0)
    rb.save(tmp_path / "a" / "replay-1")
    rb.save(tmp_path / "b" / "replay-1")
    assert shared(tmp_path / "b" / "replay-1", "rows") == 0
    (tmp_path / "b").rename(tmp_path / "moved")
    rb.save(tmp_path / "c" / "replay-1", base=tmp_path / "moved" / "replay-1")
    assert shared(tmp_path / "c" / "replay-1", "rows") > 0
    rb.save(tmp_path / "d" / "replay-1", base=tmp_path / "nowhere")
    checkpoint.verify(tmp_path / "d" / "replay-1")


def test_where_files_cannot_be_linked_all_is_written(tmp_path: pathlib.Path) -> None:
    memory = pathlib.Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no other file system")
    rb = make()
    append(rb, MAX_SIZE, 0)
    elsewhere = memory / f"{tmp_path.parent.name}-{os.getpid()}"
    try:
        rb.save(elsewhere / "replay-1")
        rb.save(tmp_path / "replay-2", base=elsewhere / "replay-1")
    finally:
        shutil.rmtree(elsewhere)
    assert bytes_written(tmp_path / "replay-2") == bytes_of(tmp_path / "replay-2")
    copy = make()
    copy.restore(tmp_path / "replay-2")
    assert content(copy) == content(rb)


def test_a_save_that_failed_does_not_spoil_the_next(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rb = make()
    append(rb, MAX_SIZE, 0)
    rb.save(tmp_path / "replay-1")
    change(rb, 1)
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "_write", lambda *_: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            rb.save(tmp_path / "replay-2")
    rb.save(tmp_path / "replay-3")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["replay-1", "replay-3"]
    assert shared(tmp_path / "replay-3", "rows") > 0
    copy = make()
    copy.restore(tmp_path / "replay-3")
    assert content(copy) == content(rb)


def test_a_restore_during_a_save_does_not_mix_up_the_two(
    tmp_path: pathlib.Path,
) -> None:
    rb, other = make(), make()
    append(rb, MAX_SIZE, 0)
    append(other, MAX_SIZE, 1)
    other.save(tmp_path / "other")
    rb.save(tmp_path / "replay-1", when_copied=lambda: rb.restore(tmp_path / "other"))
    rb.save(tmp_path / "replay-2")
    copy = make()
    copy.restore(tmp_path / "replay-2")
    assert content(copy) == content(rb) == content(other)
