"""Patterns: which items arise as the rows of an episode arrive.

Row 0 of an episode is its first observation; row e is what step e brought. Items are
made the moment their last row is appended and never reach over an episode's end.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

from tfagents_core.replay import _core


@dataclasses.dataclass(frozen=True)
class NStep:
    """Transitions over up to n steps, one per row and the short ones at both ends.

    Row e >= 1 makes the item of rows `max(0, e - n)..e`. When it ends the episode it
    also makes those of rows `s..e` for every later s < e.

    Attributes:
      n: steps, >= 1.
    """

    n: int

    @property
    def max_items_per_row(self) -> int:
        """Most items that one row makes: the last of an episode makes n."""
        return self.n

    def compile(self) -> _core.Pattern:
        """The core's pattern."""
        return _core.Pattern(kind=_core.PatternKind.N_STEP, length=self.n)


@dataclasses.dataclass(frozen=True)
class Sequence:
    """Windows of `length` rows that start at every multiple of `period`.

    Attributes:
      length: rows, >= 1. (`replay.sequence` wants its own length + 1.)
      period: rows between starts, >= 1; below `length` the windows overlap.
      end: "pad" makes a shorter item, which views pad with zeros, of what remains
        at the episode's end from the next start on; "drop" leaves it out.
    """

    length: int
    period: int
    end: Literal["pad", "drop"] = "pad"

    @property
    def max_items_per_row(self) -> int:
        """Most items that one row makes."""
        return 1

    def __post_init__(self) -> None:
        if self.end not in ("pad", "drop"):
            raise ValueError(f"end is {self.end!r}; it must be 'pad' or 'drop'")

    def compile(self) -> _core.Pattern:
        """The core's pattern."""
        return _core.Pattern(
            kind=_core.PatternKind.SEQUENCE,
            length=self.length,
            period=self.period,
            pad=self.end == "pad",
        )


@dataclasses.dataclass(frozen=True)
class Episode:
    """Whole episodes, one item each, made when it ends.

    Attributes:
      max_length: rows, >= 1; a longer episode is an error when it is appended.
    """

    max_length: int

    @property
    def max_items_per_row(self) -> int:
        """Most items that one row makes."""
        return 1

    def compile(self) -> _core.Pattern:
        """The core's pattern."""
        return _core.Pattern(kind=_core.PatternKind.EPISODE, length=self.max_length)


Pattern = NStep | Sequence | Episode


def compile_pattern(pattern: Pattern | None) -> _core.Pattern:
    """The core's pattern; None makes no items."""
    if pattern is None:
        return _core.Pattern(kind=_core.PatternKind.EXPLICIT)
    return pattern.compile()
