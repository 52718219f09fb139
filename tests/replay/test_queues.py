"""Queues lose neither items nor room for them."""

from __future__ import annotations

import pathlib
from concurrent import futures
from typing import Any

import numpy as np
import pytest

from tfagents_core import replay

STEPS = {"value": replay.Column((1000,), np.uint8)}


def make_queue(max_size: int, pattern: Any = None) -> replay.Table:
    return replay.Table.queue(
        "queue",
        pattern=pattern,
        outputs=replay.views.Row("value", 0),
        max_size=max_size,
    )


def make(max_size: int, **options: Any) -> tuple[replay.Replay, replay.TableHandle]:
    pattern = replay.Sequence(length=1, period=1)
    buffer = replay.Replay(STEPS, [make_queue(max_size, pattern)], **options)
    return buffer, buffer.tables["queue"]


def append(buffer: replay.Replay, value: int, **options: Any) -> None:
    row = {"value": np.full(1000, value % 256, np.uint8)}
    buffer.append_one(row, first=value == 0, **options)


def test_items_that_are_deleted_leave_their_room_in_a_queue() -> None:
    buffer = replay.Replay(STEPS, [make_queue(4)])
    queue = buffer.tables["queue"]
    append(buffer, 0)
    for _ in range(5):
        queue.delete([buffer.create_item("queue", 1, timeout=0) for _ in range(4)])
    queue.check_batch_size(4)
    for _ in range(4):
        buffer.create_item("queue", 1, timeout=0)
    with pytest.raises(TimeoutError, match="4 draws left .* = 5 > max_diff 4"):
        buffer.create_item("queue", 1, timeout=0)
    assert queue.sample(4, timeout=0).data.shape == (4, 1000)
    buffer.check_valid()


def test_a_queue_restored_into_a_smaller_one_has_all_its_room(
    tmp_path: pathlib.Path,
) -> None:
    buffer, _ = make(8)
    for i in range(8):
        append(buffer, i)
    buffer.save(tmp_path / "saved")
    small, queue = make(4)
    small.restore(tmp_path / "saved")
    for _ in range(3):
        assert queue.sample(4, timeout=0).data[:, 0].tolist()
        for i in range(4):
            append(small, 1 + i, timeout=0)
        with pytest.raises(TimeoutError):
            append(small, 9, timeout=0)


def test_a_budget_makes_the_writer_of_a_queue_wait_and_drops_nothing() -> None:
    buffer, queue = make(64, segment_rows=4, max_bytes=40_000)
    queue.check_batch_size(8)
    num_appended = num_read = 0
    for _ in range(20):
        with pytest.raises(TimeoutError, match="until some of the .* are sampled"):
            for _ in range(100):
                append(buffer, num_appended, timeout=0)
                num_appended += 1
        while queue.can_sample(8):
            values = queue.sample(8, timeout=0).data[:, 0]
            expected = np.arange(num_read, num_read + 8) % 256
            np.testing.assert_array_equal(values, expected)
            num_read += 8
        buffer.check_valid()
    stats = queue.stats()
    assert stats.num_deleted == stats.num_sampled == num_read > 200


def test_a_sample_wakes_a_writer_that_waits_for_a_budget() -> None:
    buffer, queue = make(64, segment_rows=4, max_bytes=40_000)
    with futures.ThreadPoolExecutor(1) as executor:
        written = executor.submit(
            lambda: [append(buffer, i, timeout=60) for i in range(200)]
        )
        for start in range(0, 200, 4):
            values = queue.sample(4, timeout=60).data[:, 0]
            np.testing.assert_array_equal(values, np.arange(start, start + 4))
        written.result()


def test_a_batch_that_a_budget_cannot_hold_is_refused() -> None:
    buffer, queue = make(64, segment_rows=4, max_bytes=40_000)
    with pytest.raises(ValueError, match="batch of 60 .* max_bytes is 40000"):
        queue.check_batch_size(60)
    # Where only the sampler knows, the writer need not wait for ever.
    with pytest.raises(TimeoutError):
        queue.sample(60, timeout=0)
    with pytest.raises(MemoryError, match="too few for a batch of 60; raise max_bytes"):
        for i in range(64):
            append(buffer, i)
    assert queue.stats().num_deleted == 0
    buffer.check_valid()


def test_a_table_beside_a_queue_gives_way_only_as_far_as_it_is_older() -> None:
    pattern = replay.Sequence(length=1, period=1)
    queue = make_queue(64, pattern)
    table = replay.Table(
        "table",
        pattern=pattern,
        outputs=replay.views.Row("value", 0),
        max_size=1000,
        rate_limiter=replay.MinSize(1),
    )
    buffer = replay.Replay(STEPS, [queue, table], segment_rows=4, max_bytes=60_000)
    with pytest.raises(TimeoutError, match="are sampled"):
        for i in range(100):
            append(buffer, i, timeout=0)
    num_queued = buffer.tables["queue"].size
    assert buffer.tables["table"].size >= num_queued - 4
    buffer.tables["queue"].sample(8, timeout=0)
    append(buffer, num_queued, timeout=0)
    assert buffer.tables["queue"].stats().num_deleted == 8
    buffer.check_valid()
