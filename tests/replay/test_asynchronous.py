"""Waits in an event loop, and the order in which threads are served."""

from __future__ import annotations

import asyncio
import select
import threading
import time
from typing import Any

import pytest

from tfagents_core import replay

from . import test_chunks
from .test_chunks import rows


def make_queue(max_size: int = 4) -> replay.Replay:
    table = replay.Table.queue(
        "t",
        pattern=replay.NStep(1),
        outputs={"value": replay.views.Row("value", -1)},
        max_size=max_size,
    )
    return replay.Replay(test_chunks.STEPS, [table], num_streams=4)


def append(rb: replay.Replay, *values: int, first: bool = False) -> None:
    rb.append_steps(rows(*values), first, timeout=10)


def test_many_clients_wait_in_order_without_a_thread() -> None:
    async def main() -> list[int]:
        rb = make_queue(max_size=100)
        server = replay.AsyncReplay(rb)
        num_threads = threading.active_count()
        clients = [asyncio.create_task(server.sample("t", 1)) for _ in range(50)]
        await asyncio.sleep(0)
        assert threading.active_count() == num_threads
        # Another thread appends, one item at a time.
        append(rb, 0, first=True)
        for value in range(1, 51):
            await asyncio.to_thread(append, rb, value)
        samples = await asyncio.wait_for(asyncio.gather(*clients), 20)
        await server.aclose()
        return [int(sample.data["value"][0]) for sample in samples]

    assert asyncio.run(main()) == list(range(1, 51))


def test_appends_wait_for_samples() -> None:
    async def main() -> None:
        rb = make_queue(max_size=2)
        server = replay.AsyncReplay(rb)
        assert await server.append_chunk("a", 0, rows(0, 1, 2), True)
        assert not await server.append_chunk("a", 0, rows(0, 1, 2), True)
        waiting = [
            asyncio.create_task(server.append_chunk("a", 1, rows(3))),
            asyncio.create_task(server.append_chunk("a", 2, rows(4))),
        ]
        await asyncio.sleep(0.05)
        assert not any(task.done() for task in waiting)
        drawn = [(await server.sample("t", 1)).data["value"][0] for _ in range(4)]
        assert drawn == [1, 2, 3, 4]
        assert await asyncio.gather(*waiting) == [True, True]
        await server.aclose()

    asyncio.run(main())


def test_what_is_cancelled_has_not_happened_and_holds_nobody_up() -> None:
    async def main() -> None:
        rb = make_queue()
        server = replay.AsyncReplay(rb)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(server.sample("t", 2), 0.01)
        after = asyncio.create_task(server.sample("t", 1))
        await asyncio.sleep(0)
        append(rb, 0, 1, 2, first=True)
        assert (await asyncio.wait_for(after, 10)).data["value"] == [1]
        assert rb.tables["t"].size == 1
        await server.aclose()

    asyncio.run(main())


def test_one_that_is_cancelled_lets_those_behind_it_go_at_once() -> None:
    async def main() -> None:
        rb = make_queue()
        server = replay.AsyncReplay(rb)
        append(rb, 0, 1, first=True)
        first = asyncio.create_task(server.sample("t", 2))
        second = asyncio.create_task(server.sample("t", 1))
        await asyncio.sleep(0.02)
        assert not second.done()
        first.cancel()
        assert (await asyncio.wait_for(second, 10)).data["value"] == [1]
        await server.aclose()

    asyncio.run(main())


def test_a_closed_replay_leaves_the_loop_idle() -> None:
    async def main() -> None:
        rb = make_queue()
        server = replay.AsyncReplay(rb)
        rb.close()
        await asyncio.sleep(0.02)
        assert not select.select([server._event], [], [], 0)[0]
        await server.aclose()

    asyncio.run(main())


def test_errors_and_the_end_reach_those_that_wait() -> None:
    async def main() -> None:
        rb = make_queue()
        server = replay.AsyncReplay(rb)
        with pytest.raises(ValueError, match="beta"):
            await server.sample("t", 1, beta=-1.0)
        with pytest.raises(KeyError, match="no table 'u'"):
            await server.sample("u", 1)
        waiting = asyncio.create_task(server.sample("t", 1))
        await asyncio.sleep(0)
        rb.close()
        with pytest.raises(replay.ClosedError):
            await asyncio.wait_for(waiting, 10)
        await server.aclose()
        other = replay.AsyncReplay(make_queue())
        waiting = asyncio.create_task(other.sample("t", 1))
        await asyncio.sleep(0)
        await other.aclose()
        with pytest.raises(replay.ClosedError, match="AsyncReplay is closed"):
            await waiting

    asyncio.run(main())


def test_threads_are_served_in_the_order_in_which_they_came() -> None:
    rb = make_queue(max_size=100)
    table = rb.tables["t"]
    order: list[Any] = []

    def take(name: int) -> None:
        value = int(table.sample(1, timeout=20).data["value"][0])
        order.append((value, name))

    threads = [threading.Thread(target=take, args=(i,)) for i in range(12)]
    for thread in threads:
        thread.start()
        time.sleep(0.02)  # It waits before the next one comes.
    time.sleep(0.2)  # Waits are made in slices of 100 ms: places are kept.
    append(rb, *range(13), first=True)
    for thread in threads:
        thread.join()
    assert sorted(order) == [(i + 1, i) for i in range(12)]


def test_the_event_is_there_from_a_change_on() -> None:
    rb = make_queue()

    def is_readable() -> bool:
        return bool(select.select([rb.event()], [], [], 0)[0])

    assert not is_readable()
    append(rb, 0, 1, first=True)
    assert is_readable()
    rb.clear_event()
    assert not is_readable()
    rb.tables["t"].sample(1)
    assert is_readable()
