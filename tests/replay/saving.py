"""Replays to save, how to drive two of them alike, and what they then give."""

from __future__ import annotations

import pathlib
import shutil
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from tfagents_core import replay

from . import helpers

NUM_STREAMS = 2
SELECTORS = [
    replay.Uniform(),
    replay.Prioritized(0.5),
    replay.Prioritized(0.5, stratified=True, uniform_mix=0.1),
    replay.Fifo(),
    replay.Lifo(),
    replay.MinHeap(),
    replay.MaxHeap(),
    replay.WithoutReplacement(),
]


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


def make_bounded(
    max_bytes: int | None,
    *,
    steps: Any = helpers.STEPS,
    storage_directory: pathlib.Path | None = None,
    **overrides: Any,
) -> replay.Replay:
    """Two tables that share a budget; what one gives first is copied to the other."""
    options: dict[str, Any] = {
        "outputs": replay.n_step_transition(steps, gamma=0.9),
        "max_size": 10_000,
        "rate_limiter": replay.MinSize(3),
    }
    tables = [
        replay.Table(
            "transitions",
            pattern=replay.NStep(n=3),
            insert_on_sample="drawn",
            **{**options, **overrides},
        ),
        replay.Table("drawn", pattern=None, **options),
    ]
    return replay.Replay(
        steps,
        tables,
        num_streams=NUM_STREAMS,
        segment_rows=8,
        max_bytes=max_bytes,
        storage_directory=storage_directory,
    )


def frame_steps(compression: str | None = "lz4") -> dict[str, replay.Column]:
    """The usual columns, the observation a frame."""
    frame = replay.Column((20, 20), np.uint8, compression=compression)
    return {**helpers.STEPS, "observation": frame}


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
        priorities = None
        if self._rng.random() < 0.3:
            name = str(self._rng.choice(list(self._rb.tables)))
            priorities = {name: float(self._rng.choice([0.0, 0.5, 2.0]))}
        try:
            self._rb.append_one(
                self._row(),
                first,
                last=last,
                stream=stream,
                priorities=priorities,
                timeout=0,
            )
        except TimeoutError as error:
            return str(error)
        self.is_open[stream] = not last
        return None

    def _row(self) -> Any:
        row: dict[str, Any] = dict(helpers.make_row(self._rng))
        column = self._rb.steps["observation"]
        if column.dtype == np.uint8:  # Mostly one colour; some frames are noise.
            noisy = self._rng.random() < 0.1
            frame = self._rng.integers(0, 256, column.shape)
            row["observation"] = np.where(noisy, frame, frame[0, 0]).astype(np.uint8)
        return row

    def _create(self, name: str) -> Any:
        length, stream = int(self._rng.integers(1, 5)), int(self._rng.integers(2))
        priority = None if self._rng.random() < 0.5 else float(self._rng.random())
        try:
            key = self._rb.create_item(
                name, length, stream=stream, priority=priority, timeout=0
            )
            return without_epoch(np.array(key)).tolist()
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
        info = info._replace(key=without_epoch(info.key))
        arrays = [*info, *(data if isinstance(data, tuple) else [data])]
        return [np.asarray(array).tolist() for array in arrays]


def without_epoch(keys: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Keys as they would be if no replay had been restored: bits 47 to 56 are 0."""
    return keys & ~np.int64(0x3FF << 47)


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


def check_that_it_goes_on(
    make: Callable[[], replay.Replay], path: pathlib.Path, seed: int, num_calls: int
) -> replay.Replay:
    """Saves after `num_calls`; returns the restored one, which did as the saved one."""
    saved = make()
    before = Driver(saved, seed)
    before.run(num_calls)
    saved.save(path)

    restored = make()
    restored.restore(path)
    restored.check_valid()
    assert restored.bytes_in_use == saved.bytes_in_use
    outcomes = [
        Driver(rb, seed + 1, tuple(before.is_open)).run(400) for rb in (restored, saved)
    ]
    assert outcomes[0] == outcomes[1]
    for name, table in saved.tables.items():
        assert restored.tables[name].stats() == table.stats()
    restored.check_valid()
    shutil.rmtree(path)
    return restored
