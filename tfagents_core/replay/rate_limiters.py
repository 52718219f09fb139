"""Rate limiters: when sampling waits, and when inserting waits.

With I items inserted, S sampled and D deleted so far (Cassirer et al. 2021, "Reverb"):

  n items may be sampled when `I - D >= min_size` and `I * spi - S - n >= min_diff`;
  n may be inserted when `I + n - D <= min_size` or `(I + n) * spi - S <= max_diff`.

In a table with `max_times_sampled`, `I * spi - S` counts as no more than the draws left,
so that items which leave before they were sampled do not stop inserts for ever. A table
that was filled and then fell below `min_size` takes every insert.
"""

from __future__ import annotations

import dataclasses
import math

from tfagents_core.replay import _core


@dataclasses.dataclass(frozen=True)
class MinSize:
    """Sampling waits until there are `min_size` items; nothing else waits.

    Attributes:
        min_size: items, >= 1.
    """

    min_size: int

    def compile(self) -> _core.RateLimiter:
        """The core's limiter."""
        return _core.RateLimiter(min_size=self.min_size)


@dataclasses.dataclass(frozen=True)
class SampleToInsertRatio:
    """Keeps samples per insert near a ratio: the side that is ahead waits.

    `min_diff, max_diff = samples_per_insert * min_size -/+ error_buffer`.

    Attributes:
        samples_per_insert: items sampled per item inserted, > 0.
        min_size: items there must be before sampling starts, >= 1.
        error_buffer: samples by which either side may be ahead. One insert or one
            sample must fit, so it is at least `max(1, samples_per_insert)`.
            None leaves it open: `for_batches` fills it in before a replay is made.
    """

    samples_per_insert: float
    min_size: int
    error_buffer: float | None = None

    @classmethod
    def for_batches(
        cls,
        samples_per_insert: float,
        min_size: int,
        *,
        batch_size: int,
        max_inserts: int,
    ) -> SampleToInsertRatio:
        """A ratio whose error buffer has room for whole batches and whole appends.

        The error buffer is a tenth of the samples due when sampling starts, or one
        batch and one append if that is more: with less, a sampler that waits for a
        batch and an inserter that waits for its append could wait for each other.

        Args:
            samples_per_insert: items sampled per item inserted, > 0.
            min_size: items there must be before sampling starts, >= 1.
            batch_size: items sampled at once.
            max_inserts: items that one append may make: its rows times
                `pattern.max_items_per_row`.
        """
        least = batch_size + samples_per_insert * max_inserts
        slack = max(0.1 * samples_per_insert * min_size, least)
        return cls(samples_per_insert, min_size, slack)

    def __post_init__(self) -> None:
        if self.error_buffer is None:
            return
        least = max(1.0, self.samples_per_insert)
        if not (math.isfinite(self.error_buffer) and self.error_buffer >= least):
            raise ValueError(
                f"error_buffer is {self.error_buffer}; with samples_per_insert = "
                f"{self.samples_per_insert} it must be >= {least}, or sampler and "
                "inserter would wait for each other for ever"
            )

    def compile(self) -> _core.RateLimiter:
        """The core's limiter.

        Raises:
            ValueError: error_buffer is open.
        """
        if self.error_buffer is None:
            raise ValueError(
                "this SampleToInsertRatio has no error_buffer; make it with "
                "SampleToInsertRatio.for_batches, which knows how much slack whole "
                "batches and appends need"
            )
        due = self.samples_per_insert * self.min_size
        return _core.RateLimiter(
            samples_per_insert=self.samples_per_insert,
            min_size=self.min_size,
            min_diff=due - self.error_buffer,
            max_diff=due + self.error_buffer,
        )


@dataclasses.dataclass(frozen=True)
class Queue:
    """One sample per insert; inserting waits while `size` items are not yet sampled.

    Attributes:
        size: items, >= 1.
    """

    size: int

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"the queue's size is {self.size}; it must be >= 1")

    def compile(self) -> _core.RateLimiter:
        """The core's limiter."""
        return _core.RateLimiter(min_diff=0.0, max_diff=float(self.size))


RateLimiter = MinSize | SampleToInsertRatio | Queue
