"""What a durable replay acknowledged is there after its process died."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pytest

from tfagents_core import replay
from tfagents_core.replay import chunk_log

from . import test_chunks
from .test_chunks import rows, values_of


def reopen(directory: pathlib.Path, **options: Any) -> replay.DurableReplay:
    """As another process would after this one died: nothing is closed."""
    return replay.DurableReplay(test_chunks.make(**options), directory)


def test_chunks_since_the_checkpoint_come_from_the_log(tmp_path: pathlib.Path) -> None:
    durable = reopen(tmp_path)
    durable.append_chunk("a", 0, rows(1, 2), first=True)
    durable.save()
    durable.append_chunk("a", 1, rows(3), last=True, priorities={"t": [9.0]})
    durable.append_chunk("b", 0, rows(11, 12, 13), first=[True, False, True])
    durable.close_writer("a", 2)
    again = reopen(tmp_path)
    assert again.buffer.writers == {"a": 2, "b": 0}
    assert values_of(again.buffer) == values_of(durable.buffer) == [2, 3, 12]
    table = again.buffer.tables["t"]
    assert table.get(table.keys()).info.priority.tolist() == [1.0, 9.0, 9.0]
    assert not again.append_chunk("b", 0, rows(11, 12, 13), first=True)
    assert again.append_chunk("b", 1, rows(14))
    again.buffer.check_valid()
    assert values_of(reopen(tmp_path).buffer) == [2, 3, 12, 14]


def test_a_log_without_a_checkpoint_is_enough(tmp_path: pathlib.Path) -> None:
    durable = reopen(tmp_path / "new" / "replay")
    for number in range(5):
        durable.append_chunk("a", number, rows(number, number), first=number == 0)
    again = reopen(tmp_path / "new" / "replay")
    assert again.last_number("a") == 4
    assert values_of(again.buffer) == values_of(durable.buffer)


def test_a_save_removes_what_it_makes_needless(tmp_path: pathlib.Path) -> None:
    durable = reopen(tmp_path)
    for number in range(6):
        durable.append_chunk("a", number, rows(number), first=number == 0)
        durable.save()
    durable = reopen(tmp_path)
    durable.append_chunk("a", 6, rows(6))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "checkpoint-000008",
        "chunks-000008.log",
        "chunks-000009.log",
    ]


def test_each_life_gives_keys_of_its_own(tmp_path: pathlib.Path) -> None:
    keys: list[set[int]] = []
    durable = reopen(tmp_path)
    for life in range(4):
        durable.append_chunk("a", life, rows(1, 2, 3), first=True)
        # What was restored from the checkpoint keeps its keys: here, nothing is.
        keys.append(set(durable.buffer.tables["t"].keys().tolist()))
        durable = reopen(tmp_path)
    assert len(set.union(*keys)) == sum(map(len, keys))


def test_a_record_that_was_cut_short_was_never_acknowledged(
    tmp_path: pathlib.Path,
) -> None:
    durable = reopen(tmp_path)
    durable.append_chunk("a", 0, rows(1, 2), first=True)
    (log,) = tmp_path.glob("chunks-*.log")
    whole = log.read_bytes()
    durable.append_chunk("a", 1, rows(3, 4))
    record = log.read_bytes()[len(whole) :]
    for size in (1, 15, 16, 17, len(record) // 2, len(record) - 1):
        log.write_bytes(whole + record[:size])
        again = reopen(tmp_path)
        assert again.last_number("a") == 0
        for other in tmp_path.glob("chunks-*.log"):
            if other != log:
                other.unlink()
    log.write_bytes(whole + record)
    assert reopen(tmp_path).last_number("a") == 1


def test_every_flipped_bit_of_a_log_is_noticed(tmp_path: pathlib.Path) -> None:
    durable = reopen(tmp_path)
    for number in range(3):
        durable.append_chunk("a", number, rows(number, 5), first=number == 0)
    (log,) = tmp_path.glob("chunks-*.log")
    whole = log.read_bytes()
    rng = np.random.default_rng(0)
    for bit in rng.choice(8 * len(whole), 200, replace=False).tolist():
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        log.write_bytes(flipped)
        with pytest.raises(replay.DamagedCheckpointError, match="damaged at byte"):
            reopen(tmp_path)


def test_a_replay_of_other_columns_is_refused(tmp_path: pathlib.Path) -> None:
    reopen(tmp_path)
    table = replay.Table(
        "t",
        pattern=replay.NStep(1),
        outputs={"value": replay.views.Row("value", -1)},
        max_size=1000,
        rate_limiter=replay.MinSize(1),
    )
    other = replay.Replay({"value": replay.Column((), np.int64)}, [table])
    with pytest.raises(ValueError, match="columns are"):
        replay.DurableReplay(other, tmp_path)


def test_a_full_disk_acknowledges_nothing_and_loses_nothing(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    durable = reopen(tmp_path)
    durable.append_chunk("a", 0, rows(1, 2), first=True)
    (log,) = tmp_path.glob("chunks-*.log")
    size = log.stat().st_size
    write, written = os.write, []

    def write_a_little(descriptor: int, data: Any) -> int:
        if written:
            raise OSError(28, "No space left on device")
        written.append(write(descriptor, bytes(data)[:20]))
        return 20

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", write_a_little)
        with pytest.raises(OSError, match="No space left .*chunks-"):
            durable.append_chunk("a", 1, rows(3))
    assert log.stat().st_size == size
    with pytest.raises(ValueError, match="chunk 1 of writer 'a' was not acknowledged"):
        durable.append_chunk("a", 2, rows(4))
    durable.append_chunk("b", 0, rows(11, 12), first=True)
    assert not durable.append_chunk("a", 1, rows(3))  # it was in memory already
    durable.append_chunk("a", 2, rows(4))
    again = reopen(tmp_path)
    assert again.buffer.writers == {"a": 2, "b": 0}
    assert sorted(values_of(again.buffer)) == [2, 3, 4, 12]


def test_a_chunk_sent_twice_is_acknowledged_once_it_is_logged(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    durable = reopen(tmp_path)
    appended, go_on = threading.Event(), threading.Event()
    append_to_replay = durable.buffer.append_chunk
    first_thread = threading.current_thread()

    def append_and_pause(*args: Any, **kwargs: Any) -> bool:
        is_new = append_to_replay(*args, **kwargs)
        if threading.current_thread() is not first_thread:
            appended.set()
            assert go_on.wait(20)
        return is_new

    monkeypatch.setattr(
        replay.Replay,
        "append_chunk",
        lambda _, *args, **kwargs: append_and_pause(*args, **kwargs),
    )
    thread = threading.Thread(
        target=durable.append_chunk, args=("a", 0, rows(1, 2), True)
    )
    thread.start()
    assert appended.wait(20)
    # The connection breaks, and the chunk is sent again, before the first is logged.
    assert not durable.append_chunk("a", 0, rows(1, 2), first=True)
    monkeypatch.undo()
    assert reopen(tmp_path).last_number("a") == 0
    go_on.set()
    thread.join()
    logged = [
        chunk.number
        for log in tmp_path.glob("chunks-*.log")
        for chunk in chunk_log.read(log, durable.buffer.steps)
    ]
    assert logged == [0]


def test_a_limiter_that_let_chunks_in_does_not_stop_their_recovery(
    tmp_path: pathlib.Path,
) -> None:
    limits = {"rate_limiter": replay.SampleToInsertRatio(1.0, 1, 2.0)}
    durable = reopen(tmp_path, **limits)
    for number in range(20):
        durable.append_chunk("a", number, rows(number), first=number == 0)
        if number:
            durable.buffer.tables["t"].sample(1)
    again = reopen(tmp_path, **limits)
    assert values_of(again.buffer) == values_of(durable.buffer)
    with pytest.raises(TimeoutError, match="waiting to insert"):
        again.append_chunk("a", 20, rows(20), timeout=0)
    for _ in range(20):
        again.buffer.tables["t"].sample(1)
    assert again.append_chunk("a", 20, rows(20), timeout=0)


KILL_WRITERS = pathlib.Path(__file__).parents[1] / "stress" / "kill_writers.py"


def test_what_was_acknowledged_is_there_exactly_once_however_often_it_dies() -> None:
    printed = subprocess.check_output(
        [sys.executable, str(KILL_WRITERS), "--kills", "6"], text=True, timeout=300
    )
    assert "every acknowledged step is there exactly once" in printed
