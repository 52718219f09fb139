"""Errors that end a command with one sentence and an exit code."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import click

INTERRUPTED = 130  # 128 + SIGINT, as shells report it.


class RunFailedError(click.ClickException):
    """A run that started and then failed: exit code 1."""

    exit_code = 1


class StoppedError(click.ClickException):
    """A run stopped by a signal: exit code 128 + signal number, as in shells."""

    def __init__(self, message: str, signal: int) -> None:
        super().__init__(message)
        self.signal = signal


@contextlib.contextmanager
def user_mistakes(*kinds: type[Exception]) -> Iterator[None]:
    """Reports exceptions of `kinds` as the user's mistakes: exit code 2."""
    try:
        yield
    except kinds as error:
        raise click.UsageError(str(error)) from error
