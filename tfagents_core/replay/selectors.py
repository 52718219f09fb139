"""Selectors: how a table chooses the items that it samples or removes."""

from __future__ import annotations

import dataclasses

from tfagents_core.replay import _core


@dataclasses.dataclass(frozen=True)
class Uniform:
    """Every item is equally likely; draws are with replacement."""

    def compile(self) -> _core.Selector:
        """The core's selector."""
        return _core.Selector(kind=_core.SelectorKind.UNIFORM)


@dataclasses.dataclass(frozen=True)
class Prioritized:
    """Item i is drawn with `P(i) = p_i^alpha / sum_j p_j^alpha`, with replacement.

    An item of priority 0 has weight 0 for every alpha; when all priorities are 0, the
    draw is uniform. Schaul et al. 2016, "Prioritized Experience Replay", eq. 1.

    With `uniform_mix` = m, item i is drawn with probability `(1 - m) P(i) + m / N`, and
    the importance weights are computed from that. So every item can be drawn, also one
    of priority 0 (as in DQN Zoo's prioritized replay).

    Attributes:
        alpha: exponent, finite and >= 0.
        stratified: for a batch of B, divides the total weight into B equal slices and
            draws one item from each (Schaul et al. 2016, App. B.2.1). Probabilities are
            the same, the variance is lower, and the batch is in the order of the
            slices. It has no effect in a table with `max_times_sampled`, which draws
            items one by one.
        uniform_mix: share of uniform draws, in [0, 1].
    """

    alpha: float
    _: dataclasses.KW_ONLY
    stratified: bool = False
    uniform_mix: float = 0.0

    def compile(self) -> _core.Selector:
        """The core's selector."""
        return _core.Selector(
            kind=_core.SelectorKind.PRIORITIZED,
            alpha=self.alpha,
            stratified=self.stratified,
            uniform_mix=self.uniform_mix,
        )


@dataclasses.dataclass(frozen=True)
class WithoutReplacement:
    """Every item once per epoch, in a new random order each epoch.

    An item that is inserted during an epoch joins it, at a random place among the items
    that are still to be drawn; a removed item leaves it. A batch that is larger than
    the rest of an epoch continues with the next one. `info.probability` is 1 / N.
    """

    def compile(self) -> _core.Selector:
        """The core's selector."""
        return _core.Selector(kind=_core.SelectorKind.WITHOUT_REPLACEMENT)


@dataclasses.dataclass(frozen=True)
class Fifo:
    """The oldest item: first in, first out."""

    def compile(self) -> _core.Selector:
        """The core's selector."""
        return _core.Selector(kind=_core.SelectorKind.FIFO)


@dataclasses.dataclass(frozen=True)
class Lifo:
    """The newest item. (As a remover, it removes the item that was just inserted.)"""

    def compile(self) -> _core.Selector:
        """The core's selector."""
        return _core.Selector(kind=_core.SelectorKind.LIFO)


@dataclasses.dataclass(frozen=True)
class MinHeap:
    """The item of lowest priority; among equals, the one least recently written."""

    def compile(self) -> _core.Selector:
        """The core's selector."""
        return _core.Selector(kind=_core.SelectorKind.MIN_HEAP)


@dataclasses.dataclass(frozen=True)
class MaxHeap:
    """The item of highest priority; among equals, the one least recently written."""

    def compile(self) -> _core.Selector:
        """The core's selector."""
        return _core.Selector(kind=_core.SelectorKind.MAX_HEAP)


Selector = Uniform | Prioritized | WithoutReplacement | Fifo | Lifo | MinHeap | MaxHeap
