"""Evaluates a saved policy."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import pathlib
from collections.abc import Mapping, Sequence

import dm_env
import numpy as np
import tree

from tfagents_core import (
    acting,
    core,
    environments,
    registry,
    seeds,
    specs,
    types,
)
from tfagents_core.checkpointing import snapshots
from tfagents_core.environments import filming
from tfagents_core.experiments import config as experiment_config
from tfagents_core.experiments import evaluator, run_directory

_EVALUATIONS = "evaluations.jsonl"


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """The evaluation of a saved policy; also a line of `evaluations.jsonl`.

    Attributes:
        policy: the name of the checkpoint or snapshot.
        environment: the environment's id.
        num_actor_steps: environment steps the policy was trained on.
        seed: of the episodes.
        episode_return: mean of `episode_returns`.
        episode_returns: the return of each episode.
        episode_lengths: its environment steps.
        video: the file with the first episode, if one was filmed.
    """

    policy: str
    environment: str
    num_actor_steps: int
    seed: int
    episode_return: float
    episode_returns: list[float]
    episode_lengths: list[int]
    video: str | None


def evaluate(
    path: pathlib.Path,
    *,
    num_episodes: int,
    seed: int | None = None,
    video: pathlib.Path | None = None,
) -> Evaluation:
    """Plays episodes with a saved policy and appends the result to a file in `path`.

    The policy acts as in the run's own evaluations. The result is appended to
    `evaluations.jsonl`; a run's `result.json` is not changed.

    Args:
        path: a run's directory, whose newest checkpoint is taken, or a snapshot's.
        num_episodes: episodes to play.
        seed: of the environments; None plays the episodes that the run's own first
            evaluation played.
        video: an MP4 file to show the first episode in.

    Raises:
        RunError: the directory holds no run or cannot be written, or nothing has been
            saved yet.
        OSError: the video cannot be written.
        ValueError: `num_episodes` is not positive, the snapshot is damaged, or there
            can be no video of this environment here.
        environments.MissingExtraError: a package for the environment or for the video
            is not installed.
    """
    if num_episodes < 1:
        raise ValueError(f"num_episodes must be positive, not {num_episodes}.")
    load = _load_snapshot if snapshots.is_snapshot(path) else _load_run
    saved = load(path, num_episodes, seed=seed)
    if not os.access(path, os.W_OK):
        raise experiment_config.DirectoryError(
            f"{path} is read-only, and {_EVALUATIONS} goes there; evaluate a copy of it."
        )
    played = _play(saved, num_episodes, video=video)
    returns = [episode.total_reward for episode in played]
    evaluation = Evaluation(
        policy=saved.name,
        environment=saved.origin.environment,
        num_actor_steps=saved.origin.num_actor_steps,
        seed=saved.origin.seed,
        episode_return=float(np.mean(returns)),
        episode_returns=returns,
        episode_lengths=[episode.length for episode in played],
        video=None if video is None else str(video),
    )
    with open(path / _EVALUATIONS, "a") as file:
        file.write(json.dumps(dataclasses.asdict(evaluation)) + "\n")
    return evaluation


@dataclasses.dataclass(frozen=True)
class _Saved:
    """A saved policy, ready to play.

    Attributes:
        name: of the checkpoint or snapshot.
        origin: what it is of; its seed is that of the episodes.
        actor: the policy.
        environments: for this actor.
        canonical_actions: whether these take the actions of `environments.make`, and
            not the task's own.
    """

    name: str
    origin: snapshots.Origin
    actor: core.Actor
    environments: Sequence[dm_env.Environment]
    canonical_actions: bool


def _load_run(path: pathlib.Path, num_episodes: int, *, seed: int | None) -> _Saved:
    """The newest checkpoint of a run."""
    directory = run_directory.RunDirectory(path)
    config = directory.read_config()
    seed = config["seed"] if seed is None else seed
    builder = registry.make_builder(
        config["agent"], config["environment"], config["agent_config"]
    )
    factory = functools.partial(environments.make, config["environment"])
    played = evaluator.make_environments(factory, num_episodes, seed=seed)
    spec = specs.make_environment_spec(played[0])
    networks = builder.make_networks(spec, seed=0)
    policy = builder.make_policy(networks, spec, evaluation=True)
    actor = builder.make_actor(
        policy,
        spec,
        seed=seeds.derive(seed, "evaluation"),
        environment_factory=factory,
    )
    checkpoint = directory.restore_policy(policy)
    origin = snapshots.Origin(
        agent=config["agent"],
        environment=config["environment"],
        seed=seed,
        num_actor_steps=run_directory.num_actor_steps(checkpoint),
    )
    return _Saved(checkpoint.name, origin, actor, played, canonical_actions=True)


def _load_snapshot(
    path: pathlib.Path, num_episodes: int, *, seed: int | None
) -> _Saved:
    """A snapshot, which gives the task's own actions."""
    snapshot = snapshots.load(path)
    origin = snapshot.origin
    if seed is not None:
        origin = dataclasses.replace(origin, seed=seed)
    factory = functools.partial(environments.make, origin.environment)
    canonical = evaluator.make_environments(factory, num_episodes, seed=origin.seed)
    actor = acting.PolicyActor(snapshots.SnapshotPolicy(snapshot), seed=0)
    played = [environment.environment for environment in canonical]
    return _Saved(path.name, origin, actor, played, canonical_actions=False)


def _play(
    saved: _Saved, num_episodes: int, *, video: pathlib.Path | None
) -> list[types.Episode]:
    """Plays, and films the first episode if there is to be a video."""
    if video is None:
        return evaluator.run_episodes(saved.actor, saved.environments, num_episodes)
    recorder = _Recorder()
    with filming.camera(
        video,
        saved.origin.environment,
        seed=evaluator.environment_seed(saved.origin.seed, 0),
        canonical_actions=saved.canonical_actions,
    ) as camera:
        episodes = evaluator.run_episodes(
            saved.actor, saved.environments, num_episodes, observers=[recorder]
        )
        camera.film(recorder.actions, recorder.rewards)
    return episodes


class _Recorder(core.Observer):
    """Keeps the first episode of the first environment.

    Attributes:
        actions: of each step, without the axis of environments.
        rewards: what they brought.
    """

    def __init__(self) -> None:
        self.actions: list[types.NestedArray] = []
        self.rewards: list[float] = []
        self._is_over = False

    def observe_first(self, timestep: dm_env.TimeStep) -> None:
        """Begins."""

    def observe(
        self, action: types.NestedArray, next_timestep: dm_env.TimeStep
    ) -> None:
        """Keeps one step, until the episode's last."""
        if not self._is_over:
            self.actions.append(tree.map_structure(lambda leaf: leaf[0], action))
            self.rewards.append(
                float(
                    sum(np.sum(leaf[0]) for leaf in tree.flatten(next_timestep.reward))
                )
            )
            self._is_over = next_timestep.step_type[0] == dm_env.StepType.LAST

    def metrics(self, environment: int) -> Mapping[str, float]:
        """None."""
        return {}
