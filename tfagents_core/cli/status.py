"""`tfagents status`: what the parts of a run are doing."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import click

from tfagents_core.cli import reports


@click.command()
@click.argument("run", type=click.Path(path_type=pathlib.Path))
def status(run: pathlib.Path) -> None:
    """Show the parts of RUN, a run of several processes.

    For each part: how often it was restarted, how many learner steps its weights are
    behind, and what it waits for. A run renews this every other second.
    """
    reports.check_run(run)
    path = run / "status.json"
    if not path.exists():
        raise click.UsageError(
            f"{run} has no status: only runs with --launcher ray write one."
        )
    for line in describe(json.loads(path.read_text())):
        click.echo(line)


def describe(contents: Mapping[str, Any]) -> list[str]:
    """The lines that show the contents of a `status.json`."""
    counted = ("num_actor_steps", "num_learner_steps", "num_episodes")
    words = [f"{contents[name]:,} {name[4:].replace('_', ' ')}" for name in counted]
    lines = [", ".join(words)]
    for table, ratio in contents["samples_per_insert"].items():
        target = f" (target {ratio['target']:g})" if ratio["target"] else ""
        lines.append(f"{table}: {ratio['now']:.1f} samples per insert{target}")
    header = ["part", "restarts", "lag", "waits for"]
    return lines + _table([header, *map(_row, contents["roles"])])


def _row(role: Mapping[str, Any]) -> list[str]:
    lag = role.get("lag_learner_steps")
    return [
        role["role"],
        str(role["restarts"]),
        "" if lag is None else f"{lag:,}",
        role.get("waits_for", ""),
    ]


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]
