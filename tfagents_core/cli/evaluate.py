"""`tfagents evaluate`: plays episodes with a trained policy."""

from __future__ import annotations

import pathlib

import click

from tfagents_core.cli import errors, numbers, reports, tensorflow_import

_VIDEO = "evaluation.mp4"


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
@click.option(
    "--video",
    is_flag=False,
    flag_value="",
    metavar="[FILE]",
    help=f"Film the first episode.  [FILE: {_VIDEO} in RUN unless named]",
)
def evaluate(
    run: pathlib.Path, episodes: int, *, seed: int | None, video: str | None
) -> None:
    """Play episodes with the policy that RUN has learned.

    RUN is a run's directory, whose newest checkpoint is evaluated, or one of its
    snapshots. The returns are also appended to evaluations.jsonl in RUN.
    """
    if not reports.holds_snapshot(run):
        reports.check_run(run)
    film = None if video is None else pathlib.Path(video or run / _VIDEO)
    tensorflow_import.import_quietly()
    from tfagents_core import environments, experiments

    try:
        with errors.user_mistakes(ValueError, environments.MissingExtraError):
            evaluation = experiments.evaluate(
                run, num_episodes=episodes, seed=seed, video=film
            )
    except experiments.RunError as error:
        raise errors.RunFailedError(str(error)) from error
    click.echo(f"Evaluation: {reports.summary(evaluation.episode_returns)}")
    if film is not None:
        click.echo(f"Video: {film}")
