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

    Attributes:
      alpha: exponent, finite and >= 0.
    """

    alpha: float

    def compile(self) -> _core.Selector:
        """The core's selector."""
        return _core.Selector(kind=_core.SelectorKind.PRIORITIZED, alpha=self.alpha)


@dataclasses.dataclass(frozen=True)
class Fifo:
    """The oldest item."""

    def compile(self) -> _core.Selector:
        """The core's selector."""
        return _core.Selector(kind=_core.SelectorKind.FIFO)


Selector = Uniform | Prioritized | Fifo
