"""Checks and messages about runs that several commands share."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

import click


def holds_run(directory: pathlib.Path) -> bool:
    """Whether `directory` holds a run, finished or not."""
    return (directory / "config.json").is_file()


def holds_snapshot(directory: pathlib.Path) -> bool:
    """Whether `directory` is a policy's snapshot."""
    return (directory / "snapshot.json").is_file()


def check_run(directory: pathlib.Path) -> None:
    """Raises a usage error, exit code 2, unless `directory` holds a run."""
    if not holds_run(directory):
        raise click.UsageError(
            f"{directory} holds no run: name a directory that 'tfagents train' wrote, "
            "with a config.json in it."
        )


def summary(episode_returns: Sequence[float]) -> str:
    """A summary such as `return 512.3 over 10 episodes (480.0 to 530.0).`"""
    mean = sum(episode_returns) / len(episode_returns)
    plural = "s" if len(episode_returns) > 1 else ""
    return (
        f"return {mean:,.1f} over {len(episode_returns)} episode{plural} "
        f"({min(episode_returns):,.1f} to {max(episode_returns):,.1f})."
    )
