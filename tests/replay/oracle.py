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
