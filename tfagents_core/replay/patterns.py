"""Patterns: which items a table makes as rows are appended.

Row 0 of an episode has its first observation; row e has the outcome of step e. An item
is made when its last row is appended. Items stay within one episode, except those of
`Sequence(..., end="continue")`.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

from tfagents_core.replay import _core


@dataclasses.dataclass(frozen=True)
class NStep:
    """Transitions over up to n steps; they are shorter at both ends of an episode.

    Row e >= 1 makes the item of rows `max(0, e - n)..e`. When row e ends the episode,
    it also makes the items of rows `s..e` for every later s < e. So up to n items begin
    with an episode's first row, of 1 to n steps: Acme's way. An episode's first
    state is drawn up to n times as often as another.

    With `short_starts=False` row e < n makes no item unless it ends the episode, and
    every step is the first of exactly one item: Rainbow's way.

    Attributes:
        n: steps, >= 1.
        short_starts: whether items of fewer than n steps begin an episode that goes on.
    """

    n: int
    short_starts: bool = True

    @property
    def max_items_per_row(self) -> int:
        """Most items that one row makes: the last of an episode makes n."""
        return self.n

    def compile(self) -> _core.Pattern:
        """The core's pattern."""
        return _core.Pattern(
            kind=_core.PatternKind.N_STEP,
            length=self.n,
            short_starts=self.short_starts,
        )


@dataclasses.dataclass(frozen=True)
class Sequence:
    """Windows of `length` rows that start at every multiple of `period`.

    A *step* is a row that does not begin an episode, together with the row before it.
    With `end="continue"` an item is an unroll: exactly `length - 1` consecutive steps
    of a stream, whatever episodes they belong to. Unrolls start at every multiple of
    `period` steps, counted since the stream began, so with `period=length - 1` every
    step is in exactly one. Nothing is padded: an unroll is made when its last step is
    appended. The rows that begin episodes inside it are not steps; its outputs must be
    `views.Step`, `views.Steps` and `views.IsFirst`, which skip them.

    A stream keeps its newest `2 * (length - 1)` rows for unrolls, enough for episodes
    of one step each. Only episodes that are abandoned before their first step can make
    an unroll longer than that; such an unroll is left out, and the later ones start
    where they would have.

    Attributes:
        length: rows, >= 1; `replay.sequence(steps, T)` and `replay.unroll(steps, T)`
            need T + 1. With `end="continue"` it is >= 2, and rows that begin an episode
            inside an item do not count.
        period: rows, or with `end="continue"` steps, between starts, >= 1; below
            `length` the windows overlap.
        end: what happens at the end of an episode. "pad" makes a shorter item, which
            views pad with zeros, of what remains from the next start on; "drop" leaves
            that out; "continue" goes on with the stream's next episode.
    """

    length: int
    period: int
    end: Literal["pad", "drop", "continue"] = "pad"

    @property
    def max_items_per_row(self) -> int:
        """Most items that one row makes."""
        return 1

    def __post_init__(self) -> None:
        if self.end not in ("pad", "drop", "continue"):
            raise ValueError(
                f"end is {self.end!r}; it must be 'pad', 'drop' or 'continue'"
            )
        if self.end == "continue" and self.length < 2:
            raise ValueError(
                f"length is {self.length}; with end='continue' an item has length - 1 "
                "steps, so it must be >= 2"
            )

    def compile(self) -> _core.Pattern:
        """The core's pattern."""
        if self.end == "continue":
            return _core.Pattern(
                kind=_core.PatternKind.UNROLL,
                length=self.length - 1,
                period=self.period,
            )
        return _core.Pattern(
            kind=_core.PatternKind.SEQUENCE,
            length=self.length,
            period=self.period,
            pad=self.end == "pad",
        )


@dataclasses.dataclass(frozen=True)
class Episode:
    """Whole episodes: one item each, made when the episode ends.

    Attributes:
        max_length: rows, >= 1; appending a row beyond it is an error.
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
