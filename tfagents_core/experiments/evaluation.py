"""How good a policy is, in environments of its own."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

import dm_env

from tfagents_core import (
    core,
    environment_loop,
    environments,
    registry,
    seeds,
    specs,
    types,
)
from tfagents_core.experiments import run_directory

_MAX_ENVIRONMENTS = 10


def make_environments(
    environment_id: str, num_episodes: int, *, seed: int
) -> list[dm_env.Environment]:
    """Environments to evaluate in, up to ten of them, apart from the training's."""
    return [
        environments.make(
            environment_id,
            seed=seeds.derive(seed, "evaluation environment", index),
            evaluation=True,
        )
        for index in range(min(num_episodes, _MAX_ENVIRONMENTS))
    ]


def run_episodes(
    actor: core.Actor, environments_: Sequence[dm_env.Environment], num_episodes: int
) -> list[types.Episode]:
    """Plays `num_episodes`, the environments side by side.

    Which environment plays how many is settled beforehand, so that short episodes are
    not counted more often than long ones.

    Returns:
        The episodes, ordered by environment and then by time.
    """
    size = len(environments_)
    wanted = [num_episodes // size + (k < num_episodes % size) for k in range(size)]
    played: list[list[types.Episode]] = [[] for _ in range(size)]
    loop = environment_loop.EnvironmentLoop(environments_, actor)
    while any(len(p) < w for p, w in zip(played, wanted, strict=True)):
        _, ended = loop.step()
        for episode in ended:
            played[episode.environment].append(episode)
    return [e for p, w in zip(played, wanted, strict=True) for e in p[:w]]


def evaluate(
    run_dir: pathlib.Path, *, num_episodes: int, seed: int | None = None
) -> list[float]:
    """Returns of a run's newest saved policy, one an episode.

    Args:
        run_dir: the run's directory.
        num_episodes: episodes to play.
        seed: of the environments; None plays the episodes that the run's own first
            evaluation played.

    Raises:
        RunError: the directory holds no run, or nothing has been saved yet.
        ValueError: `num_episodes` is not positive.
    """
    if num_episodes < 1:
        raise ValueError(f"num_episodes must be positive, not {num_episodes}.")
    directory = run_directory.RunDirectory(run_dir)
    config = directory.read_config()
    seed = config["seed"] if seed is None else seed
    builder = registry.make_builder(
        config["agent"], config["environment"], config["agent_config"]
    )
    environments_ = make_environments(config["environment"], num_episodes, seed=seed)
    spec = specs.make_environment_spec(environments_[0])
    networks = builder.make_networks(spec, seed=0)
    actor = builder.make_actor(
        networks, spec, seed=seeds.derive(seed, "evaluation"), evaluation=True
    )
    directory.restore_policy(networks)
    return [e.total_reward for e in run_episodes(actor, environments_, num_episodes)]
