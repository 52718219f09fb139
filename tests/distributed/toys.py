"""A small replay, its service, and calls that get lost."""

from __future__ import annotations

import pathlib
import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tfagents_core import distributed, replay

STEPS = {"value": replay.Column((), np.int64)}
EPISODE = 10  # Ticks.


def make_service(
    directory: pathlib.Path,
    *,
    shard: int = 0,
    num_streams: int = 2,
    **changes: Any,
) -> distributed.ReplayService:
    table = replay.Table(
        "t",
        **{
            "pattern": replay.NStep(1),
            "outputs": {"value": replay.views.Row("value", -1)},
            "max_size": 1_000_000,
            "sampler": replay.Prioritized(1.0),
            "rate_limiter": replay.MinSize(1),
            **changes,
        },
    )
    buffer = replay.Replay(
        STEPS, [table], num_streams=num_streams, shard=shard, seed=shard
    )
    return distributed.ReplayService(buffer, directory, batch_sizes={"t": 4})


def make_client(
    shard: Any, *, num_streams: int = 2, chunk_ticks: int = 4, **options: Any
) -> distributed.ChunkClient:
    return distributed.ChunkClient(
        shard,
        STEPS,
        **{
            "actor": "actor-0",
            "num_streams": num_streams,
            "chunk_ticks": chunk_ticks,
            "retry_s": 0.0,
            **options,
        },
    )


def play(
    client: distributed.ChunkClient, num_ticks: int, *, num_streams: int = 2
) -> None:
    """Appends ticks 0, 1, ... of each stream; the value is 1,000,000 * stream + tick."""
    for tick in range(num_ticks):
        append(client, tick, num_streams)


def append(client: distributed.ChunkClient, tick: int, num_streams: int = 2) -> None:
    client.append(
        {"value": 1_000_000 * np.arange(num_streams) + tick},
        first=np.full(num_streams, tick % EPISODE == 0),
        last=np.full(num_streams, tick % EPISODE == EPISODE - 1),
    )


def expected(num_ticks: int, *, num_streams: int = 2) -> list[int]:
    """The values of the items that `play` makes, in order: each row but the first."""
    ticks = [tick for tick in range(num_ticks) if tick % EPISODE]
    return [1_000_000 * k + tick for k in range(num_streams) for tick in ticks]


def values(service: Any) -> list[int]:
    """The values of all items, in order: what is double is there twice."""
    table = service._buffer.tables["t"]
    return sorted(table.get(table.keys()).data["value"].tolist())


class LossyShard:
    """Passes calls on to a shard, but for some: each kind is one call in four.

    The request is lost, or the answer; or the request comes late, when the caller has
    long made it again.
    """

    def __init__(self, shard: Any, *, seed: int = 0) -> None:
        self._shard = shard
        self._random = random.Random(seed)
        self._late: list[Callable[[], object]] = []
        self.num_lost = {"request": 0, "answer": 0, "delay": 0}

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._shard, name)

        def call(*arguments: Any) -> Any:
            fate = self._random.choice(["request", "answer", "delay", "none"])
            if self._random.random() < 0.5:
                self._deliver_late()
            if fate == "delay":
                # What is under way does not change with the caller's buffers.
                copied = _copy(arguments)
                self._late.append(lambda: method(*copied))
            if fate in ("answer", "none"):
                result = method(*arguments)
            if fate == "none":
                return result
            self.num_lost[fate] += 1
            raise ConnectionError(f"lost by {fate}")

        return call

    def _deliver_late(self) -> None:
        for late in self._late:
            late()
        self._late.clear()


def _copy(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    def copy(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: copy(each) for key, each in value.items()}
        return value.copy() if isinstance(value, np.ndarray) else value

    return tuple(map(copy, arguments))


def ticking(step_s: float) -> Callable[[], float]:
    """A clock that moves on by `step_s` seconds whenever it is read."""
    times: Iterator[float] = (step_s * n for n in range(10**9))
    return lambda: next(times)
