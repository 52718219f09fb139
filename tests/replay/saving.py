"""Replays to save, how to drive two of them alike, and what they then give."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np

from tfagents_core import replay

from . import helpers

NUM_STREAMS = 2


def make(**overrides: Any) -> replay.Replay:
    """Two tables over two streams: prioritized n-steps, bounded stacked sequences."""
    options: dict[str, Any] = {
        "pattern": replay.NStep(n=3),
        "outputs": replay.n_step_transition(helpers.STEPS, gamma=0.9),
        "sampler": replay.Prioritized(alpha=0.7),
        "max_size": 40,
        "rate_limiter": replay.MinSize(3),
    }
    tables = [
        replay.Table("transitions", **{**options, **overrides}),
        replay.Table(
            "sequences",
            pattern=replay.Sequence(length=5, period=3),
            outputs=replay.views.Rows("observation", 0, 5, stack=2),
            max_size=15,
            max_times_sampled=3,
            rate_limiter=replay.SampleToInsertRatio(2.0, 2, 1000.0),
        ),
    ]
    return replay.Replay(
        helpers.STEPS, tables, num_streams=NUM_STREAMS, segment_rows=8, history=10
    )


class Driver:
    """Calls a replay at random, the same way for the same seed.

    Args:
      rb: which.
      seed: of what is called, with which data.
      is_open: whether each stream has an open episode.
    """

    def __init__(
        self,
        rb: replay.Replay,
        seed: int,
        is_open: tuple[bool, ...] = (False,) * NUM_STREAMS,
    ) -> None:
        self.is_open = list(is_open)
        self._rb = rb
        self._rng = np.random.default_rng(seed)

    def run(self, num_calls: int) -> list[Any]:
        """What the calls returned, as nests of lists that can be compared."""
        return [self._call() for _ in range(num_calls)]

    def _call(self) -> Any:
        kind = self._rng.choice(["append", "sample", "delete", "create"], p=_OFTEN)
        name = str(self._rng.choice(list(self._rb.tables)))
        if kind == "append":
            return self._append()
        if kind == "create":
            return self._create(name)
        return self._sample(name, delete=kind == "delete")

    def _append(self) -> Any:
        stream = int(self._rng.integers(NUM_STREAMS))
        first = not self.is_open[stream] or bool(self._rng.random() < 0.02)
        last = bool(self._rng.random() < 0.1)
        row = helpers.make_row(self._rng)
        try:
            self._rb.append_one(row, first, last=last, stream=stream, timeout=0)
        except TimeoutError as error:
            return str(error)
        self.is_open[stream] = not last
        return None

    def _create(self, name: str) -> Any:
        length, stream = int(self._rng.integers(1, 5)), int(self._rng.integers(2))
        try:
            return self._rb.create_item(name, length, stream=stream, timeout=0)
        except (IndexError, TimeoutError, ValueError) as error:
            return str(error)

    def _sample(self, name: str, *, delete: bool) -> Any:
        priorities = self._rng.random(4) * [0.0, 1.0, 1.0, 5.0]
        table = self._rb.tables[name]
        try:
            info, data = table.sample(4, beta=0.5, timeout=0)
        except TimeoutError as error:
            return str(error)
        if delete:
            table.delete(info.key[:2])
        else:
            table.update_priorities(info.key, priorities)
        arrays = [*info, *(data if isinstance(data, tuple) else [data])]
        return [np.asarray(array).tolist() for array in arrays]


_OFTEN = [0.6, 0.25, 0.05, 0.1]


def filled(seed: int = 0, num_calls: int = 300) -> tuple[replay.Replay, Driver]:
    """A replay that was driven for a while."""
    rb = make()
    driver = Driver(rb, seed)
    driver.run(num_calls)
    return rb, driver


def copy_of(path: pathlib.Path) -> replay.Replay:
    """A new replay, restored from a checkpoint."""
    rb = make()
    rb.restore(path)
    return rb


def content(rb: replay.Replay) -> list[Any]:
    """Counts, and what the next calls return; it changes `rb`."""
    stats: list[Any] = [table.stats() for table in rb.tables.values()]
    return stats + Driver(rb, seed=1234).run(60)
