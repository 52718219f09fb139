"""Actors, learner and evaluator as Ray actors, which work in slices of time.

The launcher asks each for a slice, and for the next when it is done: so a role is never
asked for more than it can do, ends when nobody asks, and its errors are the answers.
"""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import ray
from ray import exceptions

from tfagents_core import core, replay, seeds, types
from tfagents_core.distributed import client, source, supervision, weights
from tfagents_core.distributed.ray_shards import RayShard
from tfagents_core.experiments import config as experiment_config
from tfagents_core.experiments import experiment, roles

# Calls that end a slice come while it lasts.
THREADS = {"work": 1, "control": 1}
CHUNK_TICKS = 16
_FETCH_S = 30.0
_WAIT_S = 0.05
_PUBLISH_SHARE = 20  # Publishing takes at most this part of the learner's time.


def make_agent(
    config: experiment_config.ExperimentConfig, *, learns: bool = False
) -> roles.Agent:
    """The descriptions, from an environment that is closed at once.

    Args:
        config: the run.
        learns: whether it is for the learner, whose devices nobody else has.
    """
    if not learns:
        config = dataclasses.replace(config, learner_devices=None)
    one = dataclasses.replace(config, envs_per_actor=1, environment_workers=0)
    with contextlib.closing(roles.make_environments(one)) as batch:
        return roles.make_agent(config, batch)


def _is_on_policy(plan: core.ReplayPlan) -> bool:
    """Whether an agent learns from each item once, in the order in which they came."""
    return any(isinstance(t.rate_limiter, replay.Queue) for t in plan.tables)


@dataclasses.dataclass(frozen=True)
class ActorReport:
    """What an actor did in a slice.

    Attributes:
        num_steps: environment steps.
        episodes: that ended.
        learner_steps: SGD steps that its present weights have learned for.
        seconds: by part, since the actor began.
        node: the machine that it is on.
    """

    num_steps: int
    episodes: Sequence[types.Episode]
    learner_steps: int
    seconds: Mapping[str, float]
    node: str


@dataclasses.dataclass(frozen=True)
class LearnerReport:
    """What the learner did in a slice.

    Attributes:
        num_steps: SGD steps.
        metrics: of the last one; empty when there was none.
        is_published: whether newer weights came with it.
        waits_for: why it could not learn more; empty when nothing held it up.
        seconds: spent learning.
    """

    num_steps: int
    metrics: Mapping[str, Any]
    is_published: bool
    waits_for: str
    seconds: float


class ActorRole:
    """An actor with its environments.

    Args:
        config: the run.
        index: of the actor, in `[0, num_actors)`.
        life: how often the actor was begun before; each plays episodes of its own.
        num_steps: environment steps in its lives before, which exploration goes by.
        shard: where its rows go.
    """

    def __init__(
        self,
        config: experiment_config.ExperimentConfig,
        *,
        index: int,
        life: int,
        num_steps: int,
        shard: RayShard,
    ) -> None:
        if life:
            seed = seeds.derive(config.seed, "life", life)
            config = dataclasses.replace(config, seed=seed)
        self._stop = threading.Event()
        self._agent = make_agent(config)
        self._pack = weights.VariablePack(self._agent.policy.variables)
        self._version = self._learner_steps = 0
        assert config.envs_per_actor is not None  # The config filled it in.
        self._client = client.ChunkClient(
            shard,
            self._agent.plan.rows,
            actor=f"actor-{index}",
            num_streams=config.envs_per_actor,
            chunk_ticks=CHUNK_TICKS,
            stop=self._stop,
        )
        actor = roles.make_actor(self._agent, self._client, actor=index)
        state = actor.state()
        if num_steps and "num_steps" in state:
            actor.restore({**state, "num_steps": np.array(num_steps)})
        batch = roles.make_environments(config, actor=index)
        self._loop = roles.make_loop(self._agent, batch, actor)

    @ray.method(concurrency_group="work")
    def work(self, seconds: float, newest: weights.Weights) -> ActorReport:
        """Acts for a slice of time, or until it is stopped."""
        self._take(newest)
        end = time.monotonic() + seconds
        num_steps, episodes = 0, list[types.Episode]()
        with contextlib.suppress(supervision.StoppedError):
            while time.monotonic() < end and not self._stop.is_set():
                steps, ended = self._loop.step()
                num_steps += steps
                episodes.extend(ended)
            if self._stop.is_set():
                self._client.flush()
        return ActorReport(
            num_steps,
            episodes,
            learner_steps=self._learner_steps,
            seconds=dict(self._loop.stopwatch.seconds),
            node=ray.get_runtime_context().get_node_id(),
        )

    @ray.method(concurrency_group="control")
    def stop(self) -> None:
        """Ends the slice that is under way, even if it waits."""
        self._stop.set()

    def _take(self, newest: weights.Weights) -> None:
        if newest.version == self._version:
            return
        # They are lost with a learner that died; it will publish others.
        with contextlib.suppress(exceptions.RayError):
            self._pack.write(ray.get(newest.arrays[0], timeout=_FETCH_S))
            self._version = newest.version
            self._learner_steps = newest.num_learner_steps


class LearnerRole:
    """The learner, with batches drawn ahead.

    Args:
        config: the run.
        shards: all of the replay's, ordered by their number.
        state: the values of its variables by name; None: initial ones.
    """

    def __init__(
        self,
        config: experiment_config.ExperimentConfig,
        *,
        shards: Sequence[RayShard],
        state: Mapping[str, np.ndarray] | None,
    ) -> None:
        agent = make_agent(config, learns=True)
        builder = config.builder
        # What is drawn ahead grows old, which on-policy agents should not learn from.
        ahead = (1, 1) if _is_on_policy(agent.plan) else (4, max(2, len(shards)))
        self._source = source.ShardedSource(
            shards,
            agent.plan.batch_sizes,
            num_batches=builder.config.num_sgd_steps_per_step,
            batches_per_call=ahead[0],
            num_in_flight=ahead[1],
        )
        seed = seeds.derive(config.seed, "learner")
        self._learner = builder.make_learner(agent.rule, self._source, seed=seed)
        if state is not None:
            experiment.assign(self._learner, state)
        self._pack = weights.VariablePack(agent.policy.variables)
        self._pack.read()  # The first time takes long, and must not be measured.
        self._next_publication = 0.0

    @ray.method(concurrency_group="work", num_returns=2)
    def work(self, seconds: float) -> tuple[LearnerReport, list[np.ndarray] | None]:
        """Learns for a slice of time, as far as batches come.

        Returns:
            What it did, and the policy's weights unless it is too soon for them. Those
            are an object of their own, which belongs to the launcher: it outlives this
            process, and whoever acts fetches it from where it is.
        """
        start = time.monotonic()
        waited_s, num_steps, metrics = 0.0, 0, dict[str, Any]()
        while (now := time.monotonic()) < start + seconds:
            if self._learner.can_step():
                metrics = dict(self._learner.step())
                num_steps += self._learner.num_sgd_steps_per_step
            else:
                self._source.wait(_WAIT_S)
                waited_s += time.monotonic() - now
        total_s = time.monotonic() - start
        arrays = self._publish()
        report = LearnerReport(
            num_steps,
            metrics,
            is_published=arrays is not None,
            waits_for=self._source.reason if waited_s > total_s / 2 else "",
            seconds=total_s - waited_s,
        )
        return report, arrays

    def _publish(self) -> list[np.ndarray] | None:
        start = time.monotonic()
        if start < self._next_publication:
            return None
        arrays = self._pack.read()
        end = time.monotonic()
        self._next_publication = end + _PUBLISH_SHARE * (end - start)
        return arrays

    @ray.method(concurrency_group="work")
    def read(self) -> list[np.ndarray]:
        """The policy's present weights."""
        return self._pack.read()

    @ray.method(concurrency_group="work")
    def state(self) -> dict[str, np.ndarray]:
        """The values of all variables by name."""
        return {name: v.numpy() for name, v in self._learner.state.items()}


class EvaluatorRole:
    """The evaluator.

    Args:
        config: the run.
    """

    def __init__(self, config: experiment_config.ExperimentConfig) -> None:
        agent = make_agent(config)
        self._pack = weights.VariablePack(agent.evaluation_policy.variables)
        self._evaluator = roles.make_evaluator(agent)

    @ray.method(concurrency_group="work")
    def evaluate(
        self, arrays: list[Any], state: Mapping[str, np.ndarray]
    ) -> tuple[list[types.Episode], dict[str, np.ndarray]]:
        """Plays one evaluation.

        Args:
            arrays: the weights, as a list of one reference.
            state: of the evaluation before.

        Returns:
            The episodes, and the state for the next evaluation.
        """
        self._pack.write(ray.get(arrays[0], timeout=_FETCH_S))
        if state:
            self._evaluator.restore(state)
        return self._evaluator.run(), self._evaluator.state()
