"""Errors that end a command with one sentence and an exit code."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import click

INTERRUPTED = 130


class RunFailedError(click.ClickException):
    """A run that began and could not go on: exit code 1."""

    exit_code = 1


class StoppedError(click.ClickException):
    """A run stopped by a signal: exit code 128 and the signal's number, as shells do."""

    def __init__(self, message: str, signal: int) -> None:
        super().__init__(message)
        self.signal = signal


@contextlib.contextmanager
def user_mistakes(*kinds: type[Exception]) -> Iterator[None]:
    """Reports errors of `kinds` as the user's mistakes, in their own words: exit 2."""
    try:
        yield
    except kinds as error:
        raise click.UsageError(str(error)) from error
