"""Who works while a call runs: the caller, others that want Python's lock, helpers."""

import sys
import threading

import numpy as np
import pytest

from tfagents_core import replay

from .helpers import append_items, compressed, make_replay

SIDE = 64


def test_short_calls_keep_pythons_lock() -> None:
    buffer, table = make_replay(sampler=replay.Prioritized(0.6))
    append_items(buffer, 100)
    interval = sys.getswitchinterval()
    turns, stop = [0], threading.Event()

    def take_turns() -> None:
        while not stop.is_set():
            turns[0] += 1

    other = threading.Thread(target=take_turns)
    other.start()
    try:
        # Who has the lock has to give it up after so long: what follows is shorter. So
        # the other thread gets it only from a call that gives it up.
        sys.setswitchinterval(5.0)
        before = turns[0]
        for _ in range(100):
            keys = table.sample(32).info.key
            table.update_priorities(keys, np.ones(32))
            append_items(buffer, 1)
            if turns[0] != before:
                break
        after = turns[0]
    finally:
        sys.setswitchinterval(interval)
        stop.set()
        other.join()
    assert after == before


def make_frames(compression: str | None, *, time_major: bool) -> replay.TableHandle:
    """200 items of 3 rows; row i, and its frame, say i."""
    steps = {
        "frame": replay.Column((SIDE, SIDE), np.uint8, compression=compression),
        "number": replay.Column((), np.int64),
        "reward": replay.Column((), np.float64),
        "discount": replay.Column((), np.float64),
    }
    row, rows = replay.views.Row, replay.views.Rows
    table = replay.Table(
        "table",
        pattern=replay.Sequence(length=3, period=1),
        outputs={
            "last": row("frame", -1),
            "all": rows("frame", 0, 3),
            "stack": row("frame", 0, stack=2),
            "number": row("number", 0),
            "return": replay.views.NStepReturn("reward", "discount", 0.5),
            "mask": replay.views.Mask(0, 4),
        },
        max_size=1_000,
        rate_limiter=replay.MinSize(1),
        time_major=time_major,
    )
    buffer = replay.Replay(steps, [table])
    for i in range(202):
        buffer.append_one(
            {
                "frame": np.full((SIDE, SIDE), i, np.uint8),
                "number": np.int64(i),
                "reward": float(i),
                "discount": 1.0,
            },
            first=i == 0,
        )
    buffer.wait_until_compressed()
    return buffer.tables["table"]


@pytest.mark.parametrize("compression", [None, pytest.param("lz4", marks=compressed)])
@pytest.mark.parametrize("time_major", [False, True])
def test_a_batch_that_threads_share_is_as_any_other(
    time_major: bool, compression: str | None
) -> None:
    data = make_frames(compression, time_major=time_major).sample(1_000).data
    assert sum(array.nbytes for array in data.values()) > 4 << 20
    number = data["number"]
    assert len(np.unique(number)) > 100
    step_axis = 0 if time_major else 1
    np.testing.assert_array_equal(data["last"], frames(number + 2))
    stack = np.stack([np.maximum(number - 1, 0), number], axis=1)
    np.testing.assert_array_equal(data["stack"], frames(stack))
    every = np.stack([number, number + 1, number + 2], axis=step_axis)
    np.testing.assert_array_equal(data["all"], frames(every))
    np.testing.assert_array_equal(data["return"], number + 1 + 0.5 * (number + 2))
    ones = np.ones(1_000)
    mask = np.stack([ones, ones, ones, 0 * ones], axis=step_axis)
    np.testing.assert_array_equal(data["mask"], mask)


def frames(numbers: np.ndarray) -> np.ndarray:
    """The frames of these rows."""
    shape = (*numbers.shape, SIDE, SIDE)
    return np.broadcast_to(numbers.astype(np.uint8)[..., None, None], shape)
