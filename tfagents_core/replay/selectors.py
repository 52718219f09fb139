"""Selectors: how a table chooses items, to sample or to remove."""

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

    A priority of 0 stays a weight of 0 whatever alpha; when all are 0 the draw is
    uniform. Schaul et al. 2016, "Prioritized Experience Replay", eq. 1.

    With `uniform_mix` = m it is drawn with `(1 - m) P(i) + m / N`, from which the
    importance weights follow, so that no item is forgotten, those of priority 0
    included (as in DQN Zoo's prioritized replay).

    Attributes:
      alpha: exponent, finite and >= 0.
      stratified: one draw from each of B equal slices of the mass of a batch of B
        (Schaul et al. 2016, App. B.2.1): the same probabilities, less variance, and
        the batch in the order of the slices. A table with `max_times_sampled` draws
        its items one by one, so it has nothing to slice.
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
    """Every item once an epoch, in a random order that each epoch draws anew.

    An item that is inserted meanwhile joins the running epoch, at a random place
    among those still to come; one that is removed leaves it. A batch that is larger
    than the rest of an epoch goes on with the next. The probability given is 1 / N.
    """

    def compile(self) -> _core.Selector:
        """The core's selector."""
        return _core.Selector(kind=_core.SelectorKind.WITHOUT_REPLACEMENT)


@dataclasses.dataclass(frozen=True)
class Fifo:
    """The oldest item."""

    def compile(self) -> _core.Selector:
        """The core's selector."""
        return _core.Selector(kind=_core.SelectorKind.FIFO)


@dataclasses.dataclass(frozen=True)
class Lifo:
    """The newest item. (As a remover it throws away what was just inserted.)"""

    def compile(self) -> _core.Selector:
        """The core's selector."""
        return _core.Selector(kind=_core.SelectorKind.LIFO)


@dataclasses.dataclass(frozen=True)
class MinHeap:
    """The item of lowest priority; of equals, that inserted or updated longest ago."""

    def compile(self) -> _core.Selector:
        """The core's selector."""
        return _core.Selector(kind=_core.SelectorKind.MIN_HEAP)


@dataclasses.dataclass(frozen=True)
class MaxHeap:
    """The item of highest priority; of equals, that inserted or updated longest ago."""

    def compile(self) -> _core.Selector:
        """The core's selector."""
        return _core.Selector(kind=_core.SelectorKind.MAX_HEAP)


Selector = Uniform | Prioritized | WithoutReplacement | Fifo | Lifo | MinHeap | MaxHeap
