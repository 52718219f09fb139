"""Errors in making an environment; each message is one sentence for the user."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_NUM_SUGGESTIONS = 3
_NUM_EXAMPLES = 5
_SIMILARITY_CUTOFF = 0.5


class EnvironmentIdError(ValueError):
    """An id that is malformed, names no environment or has impossible options."""


class UnsupportedEnvironmentError(EnvironmentIdError):
    """An environment whose actions or observations have no canonical form."""


class MissingExtraError(ImportError):
    """A package that a suite, or a video, needs is not installed."""


class RenderingError(ValueError):
    """An environment that cannot be rendered, or not on this machine."""


class NotFiniteError(ArithmeticError):
    """An environment returned NaN, or an infinite reward or discount.

    Attributes:
        index: which environment of the batch.
    """

    def __init__(self, index: int, message: str) -> None:
        super().__init__(message)
        self.index = index


class EnvironmentFailedError(RuntimeError):
    """Environments in other processes failed more often than they may."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Suggests names for an unknown `word`, as the end of an error message.

    Case is ignored. Names that begin with `word` are preferred to similar ones; where
    there are neither, the first few of `known` are listed.
    """
    by_folded = {name.casefold(): name for name in sorted(known)}
    matches = _nearest(word.casefold(), list(by_folded))
    if matches:
        names = " or ".join(repr(by_folded[match]) for match in matches)
        return f"did you mean {names}?"
    names = ", ".join(repr(name) for name in list(by_folded.values())[:_NUM_EXAMPLES])
    return f"known: {names}{', ...' if len(by_folded) > _NUM_EXAMPLES else '.'}"


def _nearest(word: str, known: list[str]) -> list[str]:
    if word in known:
        return [word]
    beginnings = [name for name in known if name.startswith(word)]
    return beginnings[:_NUM_SUGGESTIONS] or difflib.get_close_matches(
        word, known, n=_NUM_SUGGESTIONS, cutoff=_SIMILARITY_CUTOFF
    )
