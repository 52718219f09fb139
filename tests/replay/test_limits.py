"""Rate limiters, waiting and not waiting, closing, and ratios that cannot work."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import numpy as np
import pytest

from tfagents_core import replay

from . import helpers


def ratio(spi: float, min_size: int, buffer: float) -> tuple[Any, tuple[float, ...]]:
    """A limiter, and its (samples per insert, min_size, min_diff, max_diff)."""
    limiter = replay.SampleToInsertRatio(
        samples_per_insert=spi, min_size=min_size, error_buffer=buffer
    )
    middle = spi * min_size
    return limiter, (spi, min_size, middle - buffer, middle + buffer)


LIMITERS = [
    (replay.MinSize(2), (1.0, 2, -np.inf, np.inf)),
    (replay.Queue(3), (1.0, 1, 0.0, 3.0)),
    ratio(1.0, 2, 2.0),
    ratio(0.25, 3, 1.0),
    ratio(2.5, 1, 3.0),
]


@pytest.mark.parametrize(("limiter", "numbers"), LIMITERS, ids=str)
def test_random_walks_agree_with_the_predicates(
    limiter: Any, numbers: tuple[float, ...]
) -> None:
    spi, min_size, min_diff, max_diff = numbers
    rng = np.random.default_rng(0)
    rb, handle = helpers.make_replay(rate_limiter=limiter, max_size=4)
    row = helpers.make_row(rng)
    rb.append_one(row, first=True, last=False)
    inserts = samples = 0
    blocked = 0
    for _ in range(300):
        size = min(inserts, 4)
        for n in range(1, 5):
            may_sample = size >= min_size and inserts * spi - samples - n >= min_diff
            may_insert = (
                size + n <= min_size or (inserts + n) * spi - samples <= max_diff
            )
            assert handle.can_sample(n) == may_sample
            assert handle.can_insert(n) == may_insert
            assert (handle.why_not_sample(n) is None) == may_sample
            assert (handle.why_not_insert(n) is None) == may_insert
        if rng.random() < 0.5:
            if handle.can_insert(1):
                rb.append_one(row, first=False, last=False, timeout=0)
                inserts += 1
            else:
                blocked += 1
                with pytest.raises(TimeoutError, match="waiting to insert"):
                    rb.append_one(row, first=False, last=False, timeout=0)
        elif handle.can_sample(1):
            handle.sample(1, timeout=0)
            samples += 1
        else:
            blocked += 1
            with pytest.raises(TimeoutError, match="waiting to sample"):
                handle.sample(1, timeout=0)
        rb.check_valid()
    assert blocked
    stats = handle.stats()
    assert (stats.num_inserted, stats.num_sampled) == (inserts, samples)


def test_a_timeout_says_what_it_waited_for() -> None:
    rb, handle = helpers.make_replay(rate_limiter=replay.MinSize(10))
    helpers.append_items(rb, 4)
    with pytest.raises(
        TimeoutError,
        match="waiting to sample from table 'table'.*4 items < min_size 10",
    ):
        handle.sample(2, timeout=0.01)


def test_an_append_that_times_out_has_written_nothing() -> None:
    rb, handle = helpers.make_replay(rate_limiter=replay.Queue(2))
    helpers.append_items(rb, 2)
    row = helpers.make_row(np.random.default_rng(0))
    row["action"] = np.int32(77)
    with pytest.raises(TimeoutError, match="waiting to insert into table 'table'"):
        rb.append_one(row, first=False, last=False, timeout=0)
    assert handle.size == 2
    handle.sample(2)
    rb.append_one(row, first=False, last=False, timeout=0)
    assert handle.stats().num_inserted == 3
    rb.check_valid()


@pytest.fixture(name="executor")
def fixture_executor() -> Iterator[futures.Executor]:
    with futures.ThreadPoolExecutor() as executor:
        yield executor


def test_an_insert_wakes_a_waiting_sampler(executor: futures.Executor) -> None:
    rb, handle = helpers.make_replay(rate_limiter=replay.MinSize(3))
    future = executor.submit(handle.sample, 2, timeout=30)
    helpers.append_items(rb, 3)
    assert future.result().info.key.shape == (2,)


def test_a_sample_wakes_a_waiting_writer(executor: futures.Executor) -> None:
    rb, handle = helpers.make_replay(rate_limiter=replay.Queue(1))
    helpers.append_items(rb, 1)
    row = helpers.make_row(np.random.default_rng(0))
    future = executor.submit(rb.append_one, row, first=False, last=False, timeout=30)
    handle.sample(1, timeout=30)
    future.result()
    assert handle.stats().num_inserted == 2


@pytest.mark.parametrize("what", ["sample", "append"])
def test_closing_wakes_whoever_waits(executor: futures.Executor, what: str) -> None:
    rb, handle = helpers.make_replay(rate_limiter=replay.Queue(2))
    row = helpers.make_row(np.random.default_rng(0))
    if what == "append":
        helpers.append_items(rb, 2)
    entered = threading.Event()

    def wait() -> None:
        entered.set()
        if what == "sample":
            handle.sample(2)
        else:
            rb.append_one(row, first=False, last=False)

    future = executor.submit(wait)
    entered.wait(30)
    rb.close()
    with pytest.raises(replay.ClosedError, match="closed"):
        future.result()


@pytest.mark.parametrize("timeout", [None, 30.0])
def test_ctrl_c_ends_a_wait(executor: futures.Executor, timeout: float | None) -> None:
    _, handle = helpers.make_replay()
    # A shell that runs the tests in its background has them ignore the signal.
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    main = threading.get_ident()

    def interrupt() -> None:
        threading.Event().wait(0.2)  # most likely the main thread waits by now
        signal.pthread_kill(main, signal.SIGINT)

    try:
        with pytest.raises(KeyboardInterrupt):
            executor.submit(interrupt)
            handle.sample(1, timeout=timeout)
    finally:
        signal.signal(signal.SIGINT, previous)


def test_every_call_after_close_says_so() -> None:
    rb, handle = helpers.make_replay()
    helpers.append_items(rb, 3)
    keys = handle.sample(2).info.key
    rb.close()
    rb.close()
    row = helpers.make_row(np.random.default_rng(0))
    for call in (
        lambda: rb.append_one(row, first=True, last=False),
        lambda: handle.sample(1),
        lambda: handle.update_priorities(keys, np.ones(2)),
        lambda: handle.delete(keys),
        lambda: handle.can_sample(1),
        lambda: rb.reset(),
    ):
        with pytest.raises(replay.ClosedError, match="closed"):
            call()
    assert issubclass(replay.ClosedError, RuntimeError)


def test_a_with_block_closes_the_replay() -> None:
    rb, handle = helpers.make_replay()
    with rb:
        helpers.append_items(rb, 1)
    with pytest.raises(replay.ClosedError):
        handle.sample(1)


def test_reset_empties_tables_counts_and_episodes() -> None:
    rb, handle = helpers.make_replay(sampler=replay.Prioritized(alpha=1.0))
    helpers.append_items(rb, 5)
    old = handle.sample(3).info.key
    handle.update_priorities(old, np.full(3, 9.0))
    rb.reset()
    rb.check_valid()
    stats = handle.stats()
    assert (stats.size, stats.num_inserted, stats.num_sampled) == (0, 0, 0)
    row = helpers.make_row(np.random.default_rng(0))
    with pytest.raises(ValueError, match="episode"):
        rb.append_one(row, first=False, last=False)
    helpers.append_items(rb, 2)
    assert handle.update_priorities(old, np.full(3, 9.0)) == 0
    np.testing.assert_array_equal(handle.sample(4).info.priority, 1)


@pytest.mark.parametrize(
    ("samples_per_insert", "min_size", "error_buffer", "word"),
    [
        (4.0, 10, 3.0, "error_buffer"),
        (0.5, 10, 0.9, "error_buffer"),
        (0.0, 10, 5.0, "samples_per_insert"),
        (1.0, 0, 5.0, "min_size"),
    ],
)
def test_ratios_that_must_deadlock_are_refused_at_construction(
    samples_per_insert: float, min_size: int, error_buffer: float, word: str
) -> None:
    with pytest.raises(ValueError, match=word):
        helpers.make_replay(
            rate_limiter=replay.SampleToInsertRatio(
                samples_per_insert=samples_per_insert,
                min_size=min_size,
                error_buffer=error_buffer,
            )
        )


def test_a_table_smaller_than_its_min_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"10.*100|100.*10"):
        helpers.make_replay(max_size=10, rate_limiter=replay.MinSize(100))


@pytest.mark.parametrize(
    ("options", "batch_size", "prefetched", "possible"),
    [
        ({"rate_limiter": replay.Queue(8)}, 8, 0, True),
        ({"rate_limiter": replay.Queue(8)}, 9, 0, False),
        ({"rate_limiter": replay.Queue(8)}, 4, 1, True),
        ({"rate_limiter": replay.Queue(8)}, 4, 2, False),
        ({"rate_limiter": ratio(1.0, 10, 20.0)[0]}, 40, 0, True),
        ({"rate_limiter": ratio(1.0, 10, 20.0)[0]}, 41, 0, False),
        ({"rate_limiter": replay.MinSize(1)}, 100_000, 9, True),
        ({"max_times_sampled": 2, "max_size": 10}, 20, 0, True),
        ({"max_times_sampled": 2, "max_size": 10}, 21, 0, False),
    ],
)
def test_batches_that_could_never_be_sampled_are_refused(
    options: dict[str, Any], batch_size: int, prefetched: int, possible: bool
) -> None:
    _, handle = helpers.make_replay(**options)
    if possible:
        handle.check_batch_size(batch_size, num_prefetched=prefetched)
        return
    with pytest.raises(ValueError, match=str(batch_size)):
        handle.check_batch_size(batch_size, num_prefetched=prefetched)


def test_sampling_a_batch_that_can_never_be_is_an_error_not_a_hang() -> None:
    rb, handle = helpers.make_replay(rate_limiter=replay.Queue(4))
    helpers.append_items(rb, 3)
    with pytest.raises(ValueError, match="5"):
        handle.sample(5)


def test_a_queue_gives_each_item_once_in_order_and_then_makes_room() -> None:
    table = replay.Table.queue(
        "queue",
        pattern=replay.NStep(n=1),
        outputs=replay.views.Row("action", -1),
        max_size=3,
    )
    rb = replay.Replay(helpers.STEPS, [table])
    handle = rb.tables["queue"]
    helpers.append_items(rb, 3)
    assert not handle.can_insert(1)
    np.testing.assert_array_equal(handle.sample(2, timeout=0).data, [0, 1])
    assert handle.can_insert(2)
    assert not handle.can_insert(3)
    assert handle.size == 1
    assert not handle.can_sample(2)
    np.testing.assert_array_equal(handle.sample(1, timeout=0).data, [2])


def test_appending_more_at_once_than_a_limiter_can_ever_take_is_an_error() -> None:
    rb, _ = helpers.make_replay(num_streams=4, rate_limiter=replay.Queue(2))
    rows = [helpers.make_row(np.random.default_rng(i)) for i in range(4)]
    batch = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    rb.append(batch, first=True, last=False)
    with pytest.raises(ValueError, match="4"):
        rb.append(batch, first=False, last=False)


def test_writers_samplers_and_updaters_may_run_together(
    executor: futures.Executor,
) -> None:
    """Rows that are equal in all columns stay so, though their memory is reused."""
    rb, handle = helpers.make_replay(
        sampler=replay.Prioritized(alpha=0.6),
        max_size=8,
        segment_rows=1,
        outputs={name: replay.views.Row(name, -1) for name in helpers.STEPS},
    )
    helpers.append_items(rb, 10)

    def write() -> None:
        for i in range(3000):
            row = {
                "observation": np.full(2, i, np.float32),
                "action": np.int32(i),
                "reward": np.float32(i),
                "discount": np.float32(i),
            }
            rb.append_one(row, first=False, last=False)

    def learn() -> None:
        for _ in range(500):
            info, data = handle.sample(8)
            later = data["action"] >= 10  # not of append_items
            for name in ("reward", "discount"):
                np.testing.assert_array_equal(
                    data[name][later], data["action"][later], err_msg=name
                )
            np.testing.assert_array_equal(
                data["observation"][later, 1], data["action"][later]
            )
            handle.update_priorities(info.key, np.abs(np.sin(info.age)))

    for future in [executor.submit(call) for call in (write, learn, learn)]:
        future.result()
    rb.check_valid()
    stats = handle.stats()
    assert (stats.num_inserted, stats.num_sampled) == (3010, 8000)
