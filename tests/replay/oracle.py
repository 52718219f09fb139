"""A slow, obvious model of the replay: which items arise, and what they hold.

A row is a dict of NumPy values, an episode a list of rows, an item a part of one.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from tfagents_core import replay

Row = dict[str, Any]


@dataclasses.dataclass
class Item:
    """Rows `start` to `stop - 1` of an episode."""

    episode: list[Row]
    start: int
    stop: int

    @property
    def rows(self) -> list[Row]:
        return self.episode[self.start : self.stop]

    def row(self, column: str, index: int, stack: int | None = None) -> np.ndarray:
        """Row `index` of the item, or the `stack` rows ending there."""
        step = index + (self.start if index >= 0 else self.stop)
        if stack is None:
            return np.asarray(self.episode[step][column])
        steps = [max(0, step - back) for back in reversed(range(stack))]
        return np.stack([self.episode[i][column] for i in steps])

    def padded_rows(
        self, column: str, start: int, stop: int, *, stack: int | None = None
    ) -> np.ndarray:
        """Rows `start` to `stop - 1`, zeros past the item's end."""
        blank = np.zeros_like(self.row(column, 0, stack))
        last = len(self.rows)
        return np.stack(
            [
                self.row(column, i, stack) if i < last else blank
                for i in range(start, stop)
            ]
        )

    def mask(self, start: int, stop: int) -> np.ndarray:
        return np.float32([i < len(self.rows) for i in range(start, stop)])

    def n_step(self, gamma: float) -> tuple[float, float]:
        """Discounted sum of the rewards after the first row, and its discount."""
        total, factor = 0.0, 1.0
        for i, row in enumerate(self.rows[1:]):
            total += gamma**i * factor * float(row["reward"])
            factor *= float(row["discount"])
        return total, gamma ** (len(self.rows) - 1) * factor


def windows(pattern: Any, step: int, last: bool) -> list[tuple[int, int]]:
    """(start, stop) of the items that arise when row `step` of an episode arrives."""
    stop = step + 1
    if isinstance(pattern, replay.NStep):
        first = max(0, step - pattern.n)
        if not last and step < pattern.n and not pattern.short_starts:
            return []
        return [(s, stop) for s in range(first, step if last else min(step, first + 1))]
    if isinstance(pattern, replay.Sequence):
        starts = range(0, stop, pattern.period)
        full = [s for s in starts if s + pattern.length == stop]
        ragged = [s for s in starts if s + pattern.length > stop]
        pads = last and pattern.end == "pad" and not full
        return [(s, stop) for s in full or (ragged[:1] if pads else [])]
    if isinstance(pattern, replay.Episode):
        return [(0, stop)] if last else []
    return []


class Oracle:
    """K streams of episodes, and the items of one table, oldest first."""

    def __init__(self, pattern: Any, num_streams: int = 1) -> None:
        self.pattern = pattern
        self.items: list[Item] = []
        self._episodes: list[list[Row]] = [[] for _ in range(num_streams)]

    def append(self, row: Row, *, first: bool, last: bool, stream: int = 0) -> None:
        if first:
            self._episodes[stream] = []
        episode = self._episodes[stream]
        episode.append(row)
        for start, stop in windows(self.pattern, len(episode) - 1, last):
            self.items.append(Item(episode, start, stop))


@dataclasses.dataclass
class TableModel:
    """The items of one table: what its sampler draws and its remover removes.

    An item is a key with its priority and the times of its insert and last write.
    """

    sampler: Any
    remover: Any
    max_size: int
    items: dict[int, list[float]] = dataclasses.field(default_factory=dict)
    clock: int = 0
    max_priority: float = 1.0

    def insert(self, key: int, priority: float | None) -> None:
        """Inserts; REQUIRES a remover that leaves no choice when the table is full."""
        self.clock += 1
        priority = self.max_priority if priority is None else priority
        self.max_priority = max(self.max_priority, priority)
        self.items[key] = [priority, self.clock, self.clock]
        if len(self.items) > self.max_size:
            chances = self.probabilities(self.remover)
            (evicted,) = [key for key, chance in chances.items() if chance == 1]
            del self.items[evicted]

    def update(self, key: int, priority: float) -> bool:
        self.clock += 1
        if key not in self.items:
            return False
        self.max_priority = max(self.max_priority, priority)
        self.items[key][::2] = priority, self.clock
        return True

    def probabilities(self, selector: Any) -> dict[int, float]:
        """By key, the probability with which the selector chooses it."""
        keys = list(self.items)
        priority, inserted, written = np.array(list(self.items.values())).T
        orders = {
            replay.Fifo: [inserted],
            replay.Lifo: [-inserted],
            replay.MinHeap: [written, priority],
            replay.MaxHeap: [written, -priority],
        }
        if type(selector) in orders:
            first = np.lexsort(orders[type(selector)])[0]
            return {key: float(i == first) for i, key in enumerate(keys)}
        chances = np.full(len(keys), 1 / len(keys))
        if isinstance(selector, replay.Prioritized) and priority.any():
            weights = np.where(priority > 0, priority**selector.alpha, 0)
            mix = selector.uniform_mix
            chances = mix * chances + (1 - mix) * weights / weights.sum()
        return dict(zip(keys, chances.tolist()))

    def weights(self, drawn: list[int], beta: float, normalize: str) -> np.ndarray:
        """Importance weights of the items drawn."""
        chances = self.probabilities(self.sampler)
        among = drawn if normalize == "batch" else [k for k in chances if chances[k]]
        raw = {key: (len(self.items) * chances[key]) ** -beta for key in among}
        return np.array([raw[key] for key in drawn]) / max(raw.values())
