"""`tfagents evaluate`."""

from __future__ import annotations

import pathlib

import click

from tfagents_core.cli import errors, numbers, reports, tensorflow_import


@click.command()
@click.argument("run", type=click.Path(path_type=pathlib.Path))
@click.option(
    "--episodes",
    type=numbers.Whole(1),
    default=10,
    show_default=True,
    help="Episodes to play.",
)
@click.option(
    "--seed",
    type=numbers.Whole(0),
    help="Seed of the episodes.  [default: the run's own]",
)
def evaluate(run: pathlib.Path, episodes: int, seed: int | None) -> None:
    """Play episodes with what RUN, a run's directory, has learned."""
    reports.check_run(run)
    tensorflow_import.import_quietly()
    from tfagents_core import environments, experiments

    try:
        with errors.user_mistakes(ValueError, environments.MissingExtraError):
            returns = experiments.evaluate(run, num_episodes=episodes, seed=seed)
    except experiments.RunError as error:
        raise errors.RunFailedError(str(error)) from error
    click.echo(f"Evaluation: {reports.summary(returns)}")
