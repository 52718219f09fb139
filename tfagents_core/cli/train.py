"""`tfagents train`."""

from __future__ import annotations

import importlib.util
import pathlib
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from tfagents_core.cli import errors, numbers, reports, tensorflow_import

if TYPE_CHECKING:
    from tfagents_core import experiments

_LAUNCHERS = ("inline", "threads", "ray")


@click.command()
@click.argument("agent")
@click.argument("environment")
@click.option(
    "--steps",
    type=numbers.Whole(1),
    default=1_000_000,
    show_default=True,
    help="Actor steps to train for, over all environments together.",
)
@click.option(
    "--seed",
    type=numbers.Whole(0),
    default=0,
    show_default=True,
    help="Everything random in the run follows from it.",
)
@click.option(
    "--run-dir",
    type=click.Path(file_okay=False, path_type=pathlib.Path),
    help="Where the run goes.  [default: runs/AGENT-ENVIRONMENT-seedSEED]",
)
@click.option(
    "--launcher",
    type=click.Choice(_LAUNCHERS),
    default="inline",
    show_default=True,
    help="What runs where: all in one thread; a thread for each actor, the learner and "
    "the evaluator; or each of them in a process of a Ray cluster.",
)
@click.option(
    "--num-actors",
    type=numbers.Whole(1),
    default=1,
    show_default=True,
    help="Actors side by side; more than one needs another launcher.",
)
@click.option(
    "--envs-per-actor",
    type=numbers.Whole(1),
    help="Environments that one actor serves with one call of its policy.  "
    "[default: the agent's own number]",
)
@click.option(
    "--learner-devices",
    metavar="DEVICES",
    help="Devices that share every batch, such as GPU:0,GPU:1.  "
    "[default: the first GPU, or the CPU]",
)
@click.option(
    "--environment-workers",
    type=numbers.Whole(0),
    default=0,
    show_default=True,
    help="Processes in which an actor's environments step while it learns; what is "
    "learned is the same with any number.",
)
@click.option(
    "--replay-shards",
    "num_replay_shards",
    type=numbers.Whole(1),
    default=1,
    show_default=True,
    help="Processes that share the replay, with --launcher ray.",
)
@click.option(
    "--ray-address",
    metavar="ADDRESS",
    help="The Ray cluster to run on, such as auto or 10.0.0.1:6379, or local for one "
    "of its own; without --launcher ray, the environment workers alone are there.  "
    "[default, with --launcher ray: local]",
)
@click.option(
    "--eval-every",
    type=numbers.Whole(0),
    default=10_000,
    show_default=True,
    help="Actor steps between evaluations; 0 evaluates at the end alone.",
)
@click.option(
    "--eval-episodes",
    type=numbers.Whole(1),
    default=10,
    show_default=True,
    help="Episodes of one evaluation.",
)
@click.option(
    "--also-evaluate",
    multiple=True,
    metavar="ENVIRONMENT",
    help="Another environment to evaluate in, of equal observations and actions; may "
    "be repeated.",
)
@click.option(
    "--snapshot-every",
    type=numbers.Whole(0),
    default=0,
    show_default=True,
    help="Actor steps between snapshots of the policy; 0 takes one at the end alone.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="FIELD=VALUE",
    help="Change a field of the agent's configuration; may be repeated.",
)
def train(
    agent: str,
    environment: str,
    *,
    steps: int,
    seed: int,
    run_dir: pathlib.Path | None,
    launcher: str,
    num_actors: int,
    settings: Sequence[str],
    **options: int | str | None,
) -> None:
    """Train AGENT in ENVIRONMENT.

    `tfagents list` names the agents and the environments.
    """
    _check_launcher(launcher, num_actors)
    if launcher == "ray":
        _check_ray("--launcher ray")
    elif options["ray_address"] is not None and options["environment_workers"]:
        _check_ray("--ray-address")
    run_dir = run_dir or default_run_dir(agent, environment, seed=seed)
    _check_names(agent, environment, seed=seed)
    config = _make_config(
        agent,
        environment,
        settings=settings,
        num_actor_steps=steps,
        seed=seed,
        run_dir=run_dir,
        launcher=launcher,
        num_actors=num_actors,
        **options,
    )
    result = _run(config)
    click.echo(f"Final evaluation: {reports.summary(result.episode_returns)}")
    click.echo(f"Run: {run_dir} (curves: tfagents plot {run_dir})")


def default_run_dir(agent: str, environment: str, *, seed: int) -> pathlib.Path:
    """`runs/AGENT-ENVIRONMENT-seedSEED`, with what file names dislike made `-`."""
    safe = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{agent}-{environment}").strip("-.")
    return pathlib.Path("runs") / f"{safe}-seed{seed}"


def _check_ray(option: str) -> None:
    """Refuses an option that needs Ray where it is not installed."""
    if importlib.util.find_spec("ray") is None:
        raise click.UsageError(
            f"{option} needs Ray, which is not installed: "
            "pip install 'tfagents-core[ray]'"
        )


def _check_launcher(launcher: str, num_actors: int) -> None:
    """Refuses what cannot be done here."""
    if launcher == "inline" and num_actors > 1:
        raise click.UsageError(
            f"--num-actors {num_actors} does not go with --launcher inline, which runs "
            f"one actor: use --envs-per-actor {num_actors}, or --launcher threads."
        )


def _check_names(agent: str, environment: str, *, seed: int) -> None:
    """Refuses an unknown agent or environment before TensorFlow is imported."""
    from tfagents_core import environments, registry

    with errors.user_mistakes(ValueError, environments.MissingExtraError):
        registry.check(agent)
        environments.make(environment, seed=seed).close()


def _make_config(
    agent: str, environment: str, *, settings: Sequence[str], **fields: Any
) -> experiments.ExperimentConfig:
    """The experiment, with the agent's configuration as published but for `settings`."""
    tensorflow_import.import_quietly()
    from tfagents_core import experiments, registry
    from tfagents_core.cli import settings as settings_lib

    builder = registry.find(agent)
    with errors.user_mistakes(ValueError):
        config = settings_lib.override(builder.default_config(environment), settings)
        return experiments.ExperimentConfig(
            agent=agent, environment=environment, builder=builder(config), **fields
        )


def _run(config: experiments.ExperimentConfig) -> experiments.Result:
    """Runs the experiment, or goes on with it, with its progress on the console."""
    from tfagents_core import experiments, loggers

    title = f"{config.agent} on {config.environment}, seed {config.seed}"
    # Every check of what the user asked for comes before the run is begun; a
    # ValueError after that is a fault in the code and keeps its traceback.
    begun = reports.holds_run(config.run_dir)
    try:
        with loggers.make_progress(config.num_actor_steps, title=title) as progress:
            return experiments.run_experiment(config, progress=progress)
    except experiments.DirectoryError as error:
        raise click.UsageError(str(error)) from error
    except experiments.RunError as error:
        raise errors.RunFailedError(str(error)) from error
    except experiments.Interrupted as interruption:
        raise errors.StoppedError(str(interruption), interruption.signal) from None
    except ValueError as error:
        if begun or reports.holds_run(config.run_dir):
            raise
        raise click.UsageError(str(error)) from error
