"""`tfagents plot`."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

import click

from tfagents_core.cli import errors, reports


@click.command()
@click.argument(
    "runs", nargs=-1, required=True, type=click.Path(path_type=pathlib.Path)
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=pathlib.Path),
    help="The picture.  [default: curves.png, in the run if it is only one]",
)
def plot(runs: Sequence[pathlib.Path], output: pathlib.Path | None) -> None:
    """Draw the learning curves of RUNS, directories of runs.

    Runs of one agent in one environment are seeds of one curve: their mean with a 95%
    bootstrap interval. A table of the same figures is written beside the picture.
    """
    for run in runs:
        reports.check_run(run)
    if output is None:
        output = (runs[0] if len(runs) == 1 else pathlib.Path()) / "curves.png"
    if not output.suffix:
        output = output.with_suffix(".png")
    with errors.user_mistakes(ValueError, ImportError):
        from tfagents_core import plotting

        plotting.plot_runs(runs, output)
    click.echo(f"Wrote {output} and {output.with_suffix('.csv')}.")
