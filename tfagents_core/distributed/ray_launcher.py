"""A run whose parts are Ray actors, on this machine or a cluster."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import errno
import functools
import pathlib
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import ray
import tensorflow as tf
from ray import exceptions

from tfagents_core import (
    checkpointing,
    environment_loop,
    environments,
    learning,
)
from tfagents_core.distributed import (
    counts,
    ray_cluster,
    ray_crew,
    ray_roles,
    ray_start,
    supervision,
    weights,
)
from tfagents_core.experiments import (
    cadence,
    counting,
    experiment,
    roles,
    run_directory,
)
from tfagents_core.experiments import config as experiment_config

_SLICE_S = 0.2
_SLICES_PER_S = 200  # That the launcher handles, of all actors together.
_STATUS_S = 2.0
_HALT_S = 10.0
_SAVE_S = 600.0
_ANSWER_S = 60.0


class RayExperiment(experiment.Experiment):
    """Actors, replay shards, learner and evaluator, each in a process of its own.

    This process supervises: it asks actors and learner for slices of time, hands the
    learner's newest weights on to the actors, restarts who fails, and saves. Each role
    saves its own state, and none waits for another: a shard keeps every chunk that it
    acknowledged in a log beside its checkpoints, so that what goes back with the
    learner's checkpoint is the learner alone. Not thread-safe.

    Args:
        config: the run.

    Raises:
        ValueError: the agent cannot act in the environment, sizes do not fit, the
            replay would outgrow the memory, or the cluster is too small.
        RunError: there is no cluster at the address.
    """

    def __init__(self, config: experiment_config.ExperimentConfig) -> None:
        self._config = config
        self._agent = ray_roles.make_agent(config)
        self._tables, self.memory = ray_start.plan_shard(self._agent)
        self._pack = weights.VariablePack(self._agent.evaluation_policy.variables)
        self.stopwatch = environment_loop.Stopwatch()
        self.counters = counting.Counters()
        self.clock = cadence.Clock(self.counters)
        # Whoever raises these has tried again itself, or would come to them again.
        self._crew = ray_crew.Crew(
            fatal=(learning.NotFiniteError, environments.EnvironmentFailedError)
        )
        self._shards: list[ray_crew.WatchedShard] = []
        self._actors: dict[ray_crew.Member, _Actor] = {}
        self._learner: ray_crew.Member | None = None
        self._evaluator: ray_crew.Member | None = None
        self._newest: weights.Weights | None = None
        self._is_halted = False
        # What a learner begins with, and what actors have done in earlier lives.
        self._learner_state: dict[str, np.ndarray] | None = None
        self._lives = np.zeros(config.num_actors, np.int64)
        self._actor_steps = np.zeros(config.num_actors, np.int64)
        self._evaluator_state: Mapping[str, np.ndarray] = {}
        self._to_evaluate: collections.deque[
            tuple[weights.Weights, counting.Counters]
        ] = collections.deque()
        self._evaluations: list[experiment.Evaluation] = []
        self._next_status = 0.0
        self._waits_for = ""  # What the learner does.
        try:
            self._cluster = ray_cluster.Cluster(
                config.ray_address, num_cpus=config.num_actors + 1
            )
        except ConnectionError as error:
            raise experiment_config.RunError(
                f"There is no Ray cluster at {config.ray_address} ({error})."
            ) from error

    # What `run_experiment` calls.

    def step(self) -> experiment.Progress:
        """Hands on what actors and learner have done since; a second at most.

        Raises:
            NotFiniteError: learning broke down.
            RunError: a part failed more often than it may be restarted.
        """
        if self._learner is None:
            self._begin()
        self._write_status()
        events = _Events()
        try:
            for shard in self._shards:
                shard.poll()
            for member, answer in self._crew.answers(ray_crew.STATS_S):
                self._take(member, answer, events)
        except supervision.BudgetSpentError as error:
            raise experiment_config.RunError(str(error)) from None
        except environments.EnvironmentFailedError as error:
            raise experiment_config.RunError(_cause(error)) from None
        except learning.NotFiniteError as error:
            raise learning.NotFiniteError(_cause(error)) from None
        return experiment.Progress(events.episodes, events.metrics)

    def begin_evaluation(self) -> None:
        """Evaluates the present weights beside training, one evaluation at a time."""
        assert self._newest is not None  # Something has been learned from.
        counters = dataclasses.replace(self.counters)
        self._to_evaluate.append((self._newest, counters))
        self._ask_evaluator()

    def take_evaluations(self, *, wait: bool) -> list[experiment.Evaluation]:
        """Those that are finished; see `experiment.Experiment.take_evaluations`."""
        while wait and self._to_evaluate:
            self.step()
        taken, self._evaluations = self._evaluations, []
        return taken

    def halt(self) -> experiment.Progress:
        """Ends acting and learning; actors send what they have."""
        self._is_halted = True
        events = _Events()
        for actor in self._actors:
            actor.handle.stop.remote()
        end = time.monotonic() + _HALT_S
        working = [*self._actors, self._learner]
        while time.monotonic() < end and self._newest is not None:
            if all(each is None or each.call is None for each in working):
                break
            for member, answer in self._crew.answers(ray_crew.STATS_S, restart=False):
                self._take(member, answer, events)
        self._learner_state = self._read_learner()
        self._read_last_weights()
        for shard in self._shards:
            shard.read()
        self._next_status = 0.0
        self._write_status()
        return experiment.Progress(events.episodes, events.metrics)

    def replay_status(self) -> str:
        """What the shards hold together, who acts, and how often one was restarted."""
        words = "; ".join(
            counts.describe(totals, is_only=len(self._tables) == 1)
            for totals in self._totals()
        )
        restarts = self._num_restarts()
        return words + (f"; {restarts} restarts" if restarts else "")

    def replay_metrics(self) -> dict[str, float]:
        """Sizes and counts of all shards together."""
        metrics: dict[str, float] = {}
        for totals in self._totals():
            suffix = f"/{totals.table}" if len(self._tables) > 1 else ""
            metrics[f"replay_size{suffix}"] = totals.size
            metrics[f"replay_inserts{suffix}"] = totals.num_inserted
            metrics[f"replay_samples{suffix}"] = totals.num_sampled
            if totals.target is not None:
                metrics[f"replay_target_samples_per_insert{suffix}"] = totals.target
        return metrics

    def begin_save(self) -> experiment.Save:
        """Copies the learner's state; shards save by themselves."""
        state = self._state()
        shards = list(self._shards)

        def save(directory: pathlib.Path, when_copied: Callable[[], None]) -> None:
            when_copied()
            saves = [shard.handle.save.remote() for shard in shards]
            for each in saves:
                # A shard that died has all that it acknowledged in its log.
                with contextlib.suppress(exceptions.RayActorError):
                    ray.get(each, timeout=_SAVE_S)
            np.savez(directory / "state.npz", **state)

        return save

    def restore(self, directory: pathlib.Path) -> list[int]:
        """Goes on from what was saved, with new episodes.

        Returns:
            Nothing: no environment was to get back into its episode.
        """
        with np.load(directory / "state.npz", allow_pickle=False) as file:
            state = {name: file[name] for name in file.files}
        under = experiment.under
        # A run that was stopped before its learner was up has none.
        self._learner_state = under("learner", state) or None
        self._evaluator_state = under("evaluation", state, separator="_")
        self._actor_steps[:] = state["actors/num_steps"]
        # Each begins once more, and plays other episodes than before.
        self._lives[:] = state["actors/lives"]
        counters = {k: int(v) for k, v in under("counters", state).items()}
        self.counters.__dict__.update(counters)
        return []

    def snapshot(self, path: pathlib.Path) -> None:
        """Writes the newest policy as a SavedModel: see `checkpointing.snapshots`.

        Raises:
            OSError: it cannot be written.
        """
        assert self._newest is not None
        try:
            self._pack.write(ray.get(self._newest.arrays[0], timeout=_ANSWER_S))
        except exceptions.RayError as error:
            raise OSError(errno.EIO, "its weights were lost", str(path)) from error
        roles.write_snapshot(
            self._agent, path, num_actor_steps=self.counters.num_actor_steps
        )

    def variables_sha256(self) -> str:
        """Digest of all the learner's variables in the order of their names."""
        assert self._learner_state is not None  # It has halted.
        tensors = {k: tf.constant(v) for k, v in self._learner_state.items()}
        return checkpointing.digest(tensors)

    def close(self) -> None:
        """Ends all processes of the run, and its cluster."""
        with contextlib.suppress(exceptions.RayError):
            self._crew.kill()
            for shard in self._shards:
                ray.kill(shard.handle, no_restart=True)
        self._cluster.close()

    # How roles begin.

    def _begin(self) -> None:
        for index in range(self._config.num_replay_shards):
            handle = ray_start.start_shard(
                self._config, self._agent.plan, self._tables, index=index
            )
            self._shards.append(ray_crew.WatchedShard(index, handle))
        self._learner = self._crew.add("learner", self._start_learner)
        for index in range(self._config.num_actors):
            begin = functools.partial(self._start_actor, index)
            self._actors[self._crew.add(f"actor {index}", begin)] = _Actor(index)
        # Actors wait for its first weights: those of a resumed run are not initial.
        self._crew.ask(self._learner, "work", _SLICE_S)

    def _start_learner(self) -> Any:
        return ray_start.start_learner(
            self._config,
            shards=[shard.calls for shard in self._shards],
            state=self._learner_state,
            num_gpus=self._cluster.num_gpus,
        )

    def _start_actor(self, index: int) -> Any:
        life = int(self._lives[index])
        self._lives[index] += 1
        return ray_start.start_actor(
            self._config,
            index=index,
            life=life,
            num_steps=int(self._actor_steps[index]),
            shard=self._shards[index % len(self._shards)].calls,
        )

    # What roles answer.

    def _take(self, member: ray_crew.Member, answer: Any, events: _Events) -> None:
        if member is self._evaluator:
            self._take_evaluation(answer)
        elif member is self._learner:
            self._take_learning(answer, events)
        else:
            self._take_acting(member, answer, events)

    def _take_learning(
        self, report: ray_roles.LearnerReport | None, events: _Events
    ) -> None:
        assert self._learner is not None
        if report is not None:
            self.counters.num_learner_steps += report.num_steps
            self.stopwatch.seconds["learn"] += report.seconds
            self._waits_for = report.waits_for
            if report.metrics:
                events.metrics = {**report.metrics, **self._lag_metrics()}
            if report.is_published:
                self._publish(self._learner.also[0])
        if not self._is_halted:
            self._crew.ask(self._learner, "work", _SLICE_S)

    def _publish(self, arrays: Any) -> None:
        """Makes weights the newest; actors that wait for the first begin.

        Args:
            arrays: a reference, which travels inside a list: else Ray would fetch the
                object for whoever is given it.
        """
        version = 1 if self._newest is None else self._newest.version + 1
        num_steps = self.counters.num_learner_steps
        self._newest = weights.Weights(version, [arrays], num_steps)
        for actor in self._actors:
            if actor.call is None and not self._is_halted:
                self._ask_actor(actor)

    def _ask_actor(self, actor: ray_crew.Member) -> None:
        slice_s = max(_SLICE_S, len(self._actors) / _SLICES_PER_S)
        self._crew.ask(actor, "work", slice_s, self._newest)

    def _take_acting(
        self,
        member: ray_crew.Member,
        report: ray_roles.ActorReport | None,
        events: _Events,
    ) -> None:
        actor = self._actors[member]
        if report is None:
            actor.seconds = {}  # The next life's begin at 0.
        else:
            self._actor_steps[actor.index] += report.num_steps
            self.counters.num_actor_steps += report.num_steps
            self.counters.num_episodes += len(report.episodes)
            first = actor.index * (self._config.envs_per_actor or 1)
            events.episodes.extend(
                dataclasses.replace(each, environment=first + each.environment)
                for each in report.episodes
            )
            for part, seconds in report.seconds.items():
                self.stopwatch.seconds[part] += seconds - actor.seconds.get(part, 0.0)
            actor.seconds, actor.node = report.seconds, report.node
            actor.learner_steps = report.learner_steps
        if not self._is_halted:
            self._ask_actor(member)

    def _ask_evaluator(self) -> None:
        if self._evaluator is None:
            self._evaluator = self._crew.add(
                "evaluator", lambda: ray_start.start_evaluator(self._config)
            )
        if self._to_evaluate and self._evaluator.call is None:
            arrays = self._to_evaluate[0][0].arrays
            self._crew.ask(self._evaluator, "evaluate", arrays, self._evaluator_state)

    def _take_evaluation(self, answer: Any) -> None:
        _, counters = self._to_evaluate.popleft()
        if answer is None:  # Perhaps the weights were lost with their machine.
            assert self._newest is not None
            self._to_evaluate.appendleft((self._newest, counters))
        else:
            episodes, self._evaluator_state = answer
            self._evaluations.append(experiment.Evaluation(episodes, counters))
        self._ask_evaluator()

    # What is saved, and shown.

    def _state(self) -> dict[str, Any]:
        if not self._is_halted:
            self._learner_state = self._read_learner()
        prefixed = experiment.prefixed
        return {
            **prefixed("learner", self._learner_state or {}),
            **prefixed("evaluation", self._evaluator_state, separator="_"),
            **prefixed("counters", dataclasses.asdict(self.counters)),
            "actors/num_steps": self._actor_steps.copy(),
            "actors/lives": self._lives.copy(),
        }

    def _read_learner(self) -> dict[str, np.ndarray] | None:
        """The learner's variables; those it would be restarted from if it has died."""
        if self._learner is None or self._newest is None:
            return self._learner_state
        try:
            state: dict[str, np.ndarray] = ray.get(
                self._learner.handle.state.remote(), timeout=_ANSWER_S
            )
        except exceptions.RayError:
            return self._learner_state
        return {name: np.array(value) for name, value in state.items()}

    def _read_last_weights(self) -> None:
        if self._learner is None or self._newest is None:
            return
        with contextlib.suppress(exceptions.RayError):
            read = self._learner.handle.read.remote()
            ray.wait([read], timeout=_ANSWER_S, fetch_local=False)
            self._publish(read)

    def _totals(self) -> list[counts.Totals]:
        return [
            counts.Totals.of(
                table, [s.stats for s in self._shards if s.stats is not None]
            )
            for table in self._tables
        ]

    def _num_restarts(self) -> int:
        restarts = sum(each.budget.num_restarts for each in self._crew.members)
        return restarts + sum(each.budget.num_restarts for each in self._shards)

    def _lags(self) -> list[int]:
        """How many SGD steps each actor's weights are behind."""
        now = self.counters.num_learner_steps
        return [now - actor.learner_steps for actor in self._actors.values()]

    def _lag_metrics(self) -> dict[str, float]:
        return {
            "actor_lag_learner_steps": float(np.mean(self._lags())),
            "num_restarts": self._num_restarts(),
        }

    def _write_status(self) -> None:
        now = time.monotonic()
        if now < self._next_status:
            return
        self._next_status = now + _STATUS_S
        status = {
            **dataclasses.asdict(self.counters),
            "roles": [
                {
                    "role": member.name,
                    "restarts": member.budget.num_restarts,
                    **self._describe(member),
                }
                for member in self._crew.members
            ]
            + [shard.describe() for shard in self._shards],
            "samples_per_insert": {
                totals.table: {"now": totals.ratio, "target": totals.target}
                for totals in self._totals()
            },
        }
        run_directory.write_json(self._config.run_dir / "status.json", status)

    def _describe(self, member: ray_crew.Member) -> dict[str, Any]:
        if member is self._learner:
            return {"waits_for": self._waits_for}
        actor = self._actors.get(member)
        if actor is None:
            return {}
        lag = self.counters.num_learner_steps - actor.learner_steps
        return {"lag_learner_steps": lag, "node": actor.node}


def _cause(error: Exception) -> str:
    """The message of an error in another process, without its traceback there."""
    return str(getattr(error, "cause", error))


class _Events:
    """What happened in one step."""

    def __init__(self) -> None:
        self.episodes: list[Any] = []
        self.metrics: Mapping[str, Any] = {}


@dataclasses.dataclass
class _Actor:
    """What is known of an actor: see `ray_roles.ActorReport`."""

    index: int
    seconds: Mapping[str, float] = dataclasses.field(default_factory=dict)
    learner_steps: int = 0
    node: str = ""
