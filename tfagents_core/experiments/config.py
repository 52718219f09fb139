"""What a run is."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

from tfagents_core import core, environments, specs

LAUNCHERS = ("inline", "threads", "ray")


class RunError(RuntimeError):
    """A run failed; the message is one sentence."""


class DirectoryError(RunError):
    """A run's directory belongs to another run, or is not writable."""


class Interrupted(Exception):
    """A run was stopped by a signal, after a checkpoint.

    Attributes:
        signal: the signal's number.
    """

    def __init__(self, signal: int, message: str) -> None:
        super().__init__(message)
        self.signal = signal


# The fields that a run's `config.json` keeps, and that a resumed run must agree in.
REPEATED = frozenset(
    {
        "agent",
        "environment",
        "num_actor_steps",
        "seed",
        "envs_per_actor",
        "eval_every",
        "eval_episodes",
        "launcher",
        "num_actors",
        "num_replay_shards",
        "learner_log_every",
    }
)


@dataclasses.dataclass(frozen=True)
class ExperimentConfig:
    """One agent, one environment, one seed, one directory.

    Attributes:
        agent: the agent's name, as in `tfagents list`.
        environment: the environment's id, such as `"control:cartpole:balance"`.
        builder: the agent, with its hyper-parameters.
        num_actor_steps: environment steps to train for.
        run_dir: where everything about the run is written; if it holds this very run,
            the run goes on where it was.
        seed: every random choice of the run follows from it.
        envs_per_actor: environments that the actor steps together, K; None, and then
            replaced, for the number the agent is published with.
        eval_every: actor steps from one evaluation to the next; with 0 there is one,
            at the end.
        eval_episodes: episodes in an evaluation.
        also_evaluate: ids of other environments, of equal observations and actions, in
            which every evaluation plays as many episodes; for rows of the kind
            `also_eval`.
        launcher: how the parts run; `"inline"` is one thread, `"threads"` one for each
            actor, the learner and the evaluator, and `"ray"` a process of a Ray cluster
            for each.
        num_actors: actors beside each other; one if inline.
        num_replay_shards: processes of the `"ray"` launcher that share the replay;
            each serves its part of the actors.
        ray_address: of the Ray cluster, such as `"10.0.0.1:6379"` or `"auto"`;
            `"local"` starts one on this machine for the run alone, as does None with
            the `"ray"` launcher. With the others, the environment workers are on the
            cluster, and nothing else is.
        learner_devices: two or more devices that learn together, each from its share
            of every batch, such as `"GPU:0,GPU:1"`; None for the first GPU, or the CPU
            where there is none. A run may go on with others.
        environment_workers: processes in which each actor's environments step, W; 0
            steps them in the actor's own thread. They are on the actor's machine, or,
            see `ray_address`, on a cluster. What is learned does not depend on either.
        environment_timeout_s: longest that a step in a worker may take, in seconds.
        max_environment_restarts: failures of environments (they raise, return NaN,
            stall or end in their workers) that are forgiven within ten minutes, by
            actor; each is logged.
        learner_log_every: SGD steps from one row about the learner to the next.
        checkpoint_every: actor steps from one checkpoint to the next; 0 for none by
            steps. There always is one at the end.
        checkpoint_every_s: seconds from one checkpoint to the next.
        num_checkpoints_kept: the newest so many are kept.
        snapshot_every: actor steps from one snapshot of the policy to the next, all of
            which are kept; with 0 there is one, at the end.
        observers: each, given the environments' spec, makes an observer whose metrics
            are logged with training episodes.
        environment_factory: makes the run's environments, dm_env or Gymnasium, in place
            of `environment`, which is then a name only. Resuming needs the same one.

    Raises:
        ValueError: a value is impossible; one sentence that names it.
    """

    agent: str
    environment: str
    builder: core.Builder[Any, Any]
    num_actor_steps: int
    run_dir: pathlib.Path
    seed: int = 0
    envs_per_actor: int | None = None
    eval_every: int = 10_000
    eval_episodes: int = 10
    also_evaluate: Sequence[str] = ()
    launcher: str = "inline"
    num_actors: int = 1
    num_replay_shards: int = 1
    ray_address: str | None = None
    learner_devices: str | None = None
    environment_workers: int = 0
    environment_timeout_s: float = 120.0
    max_environment_restarts: int = 10
    learner_log_every: int = 500
    checkpoint_every: int = 0
    checkpoint_every_s: float = 300.0
    num_checkpoints_kept: int = 2
    snapshot_every: int = 0
    observers: Sequence[Callable[[specs.EnvironmentSpec], core.Observer]] = ()
    environment_factory: core.EnvironmentFactory | None = None

    @property
    def make_environment(self) -> environments.Factory:
        """Makes the run's environments, in their canonical form."""
        return environments.Factory(self.environment, self.environment_factory)

    def __post_init__(self) -> None:
        """Fills in what the agent decides and refuses impossible values."""
        if self.envs_per_actor is None:
            object.__setattr__(self, "envs_per_actor", self.builder.envs_per_actor)
        for name in (
            "num_actor_steps",
            "envs_per_actor",
            "eval_episodes",
            "num_actors",
            "num_replay_shards",
            "learner_log_every",
            "num_checkpoints_kept",
        ):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be positive, not {getattr(self, name)}.")
        if not self.checkpoint_every_s > 0:
            raise ValueError(
                f"checkpoint_every_s must be positive, not {self.checkpoint_every_s}."
            )
        if not self.environment_timeout_s > 0:
            raise ValueError(
                "environment_timeout_s must be positive, not "
                f"{self.environment_timeout_s}."
            )
        for name in (
            "seed",
            "eval_every",
            "checkpoint_every",
            "snapshot_every",
            "environment_workers",
            "max_environment_restarts",
        ):
            if getattr(self, name) < 0:
                raise ValueError(
                    f"{name} must not be negative, and is {getattr(self, name)}."
                )
        assert self.envs_per_actor is not None  # It was filled in above.
        if self.environment_workers > self.envs_per_actor:
            raise ValueError(
                f"environment_workers is {self.environment_workers}, but an actor has "
                f"only {self.envs_per_actor} environments to share out; raise "
                "envs_per_actor, or use fewer workers."
            )
        if self.launcher not in LAUNCHERS:
            raise ValueError(
                f"There is no launcher {self.launcher!r} yet; use "
                f"{' or '.join(LAUNCHERS)}."
            )
        if self.launcher == "inline" and self.num_actors > 1:
            raise ValueError(
                "The inline launcher has one actor; to step several environments at "
                f"once, set envs_per_actor (num_actors is {self.num_actors})."
            )
        if self.ray_address is not None and not self._uses_ray:
            raise ValueError(
                f"ray_address is {self.ray_address!r}, but nothing of this run is on "
                "Ray: use the ray launcher, or set environment_workers to have "
                "environments step there."
            )
        if self.num_replay_shards > self.num_actors:
            raise ValueError(
                f"num_replay_shards is {self.num_replay_shards}, but there are only "
                f"{self.num_actors} actors to fill them; use fewer shards."
            )

    @property
    def _uses_ray(self) -> bool:
        return self.launcher == "ray" or self.environment_workers > 0
