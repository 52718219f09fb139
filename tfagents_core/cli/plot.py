"""`tfagents plot`: draws learning curves over seeds, or a page for each run."""

from __future__ import annotations

import math
import pathlib
from collections.abc import Sequence
from typing import Literal

import click

from tfagents_core.cli import errors, reports


def _read_scale(
    context: click.Context, parameter: click.Parameter, values: Sequence[str]
) -> dict[str, tuple[float, float]]:
    """Parses `control:*=0,1000`: the returns whose scores are 0 and 1."""
    del context, parameter
    scales = {}
    for value in values:
        pattern, _, numbers = value.rpartition("=")  # Ids may contain `=`.
        try:
            zero, one = (float(number) for number in numbers.split(","))
        except ValueError:
            zero = one = math.nan  # Refused below.
        if not pattern or not math.isfinite(one - zero) or zero == one:
            raise click.BadParameter(
                f"{value!r} is not of the form ENVIRONMENT=ZERO,ONE with two different "
                "returns, such as 'control:*=0,1000'."
            )
        scales[pattern] = zero, one
    return scales


@click.command()
@click.argument(
    "runs", nargs=-1, required=True, type=click.Path(path_type=pathlib.Path)
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=pathlib.Path),
    help="The picture.  [default: curves.png, in the run if it is only one]",
)
@click.option(
    "--x",
    type=click.Choice(["steps", "walltime"]),
    default="steps",
    show_default=True,
    help="Environment steps or wall-clock time.",
)
@click.option(
    "--statistic",
    type=click.Choice(["mean", "iqm"]),
    default="mean",
    show_default=True,
    help="The mean over seeds, or their interquartile mean.",
)
@click.option(
    "--normalize",
    "scales",
    multiple=True,
    metavar="ENVIRONMENT=ZERO,ONE",
    callback=_read_scale,
    help="Draw scores: the returns of ENVIRONMENT ('*' matches anything), scaled so "
    "that ZERO becomes 0 and ONE becomes 1, and each agent's score over all "
    "environments. May be given several times.",
)
@click.option(
    "--page",
    is_flag=True,
    help="Draw an overview page of each run into it instead: returns, losses, speed, "
    "replay.",
)
def plot(
    runs: Sequence[pathlib.Path],
    output: pathlib.Path | None,
    *,
    x: Literal["steps", "walltime"],
    statistic: str,
    scales: dict[str, tuple[float, float]],
    page: bool,
) -> None:
    """Draw the learning curves of RUNS, directories of runs.

    Runs of one agent in one environment are the seeds of one curve: their mean with a
    95% bootstrap confidence interval. The curves are also written to a CSV file beside
    the picture.
    """
    for run in runs:
        reports.check_run(run)
    if page:
        if (x, statistic, scales) != ("steps", "mean", {}):
            raise click.UsageError(
                "--page has no curves over seeds: leave out --x, --statistic and "
                "--normalize, or --page."
            )
        _draw_pages(runs, output)
        return
    if output is None:
        output = (runs[0] if len(runs) == 1 else pathlib.Path()) / "curves.png"
    if not output.suffix:
        output = output.with_suffix(".png")
    with errors.user_mistakes(ValueError, ImportError):
        from tfagents_core import plotting

        curves = plotting.plot_runs(
            runs, output, x=x, statistic=statistic, scales=scales or None
        )
    click.echo(plotting.format_table(curves))
    click.echo(f"Wrote {output} and {output.with_suffix('.csv')}.")


def _draw_pages(runs: Sequence[pathlib.Path], output: pathlib.Path | None) -> None:
    """Draws each run's page, into its directory unless `output` is given."""
    if output is not None and len(runs) > 1:
        raise click.UsageError(
            "--output names one picture, and --page draws one a run."
        )
    with errors.user_mistakes(ValueError, ImportError):
        from tfagents_core import plotting

        for run in runs:
            picture = output or run / "page.png"
            if not picture.suffix:
                picture = picture.with_suffix(".png")
            plotting.draw_page(run, picture)
            click.echo(f"Wrote {picture}.")
