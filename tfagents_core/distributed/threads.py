"""A run whose actors, learner and evaluator are threads of one process."""

from __future__ import annotations

import dataclasses
import pathlib
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfagents_core import checkpointing, environment_loop, environments, types
from tfagents_core.distributed import prefetching, thread_roles, weights
from tfagents_core.experiments import cadence, counting, experiment, memory, roles
from tfagents_core.experiments import config as experiment_config

_TICK_S = 0.1
_HALT_S = 60.0
_WAIT_FOR_EVALUATION_S = 0.2


class ThreadsExperiment(experiment.Experiment):
    """Actors act on the CPU while the learner learns, on the GPU where there is one.

    Every actor has its own environments and its own copy of the policy, which it brings
    up to date whenever the learner has published a newer version; so does the evaluator, which
    plays with one version while training goes on. Only the replay's rate limiter makes
    them wait for each other. What is learned depends on timing.

    The thread that calls `step` supervises: it counts, hands on metrics, and raises what
    a thread raised. Everything is checked and built at construction, before anything
    is written; the threads begin with the first `step`.

    Args:
        config: the run.

    Raises:
        ValueError: the agent cannot act in the environment, sizes do not fit, or the
            replay would outgrow the memory.
        RunError: the environments could not be made.
    """

    def __init__(self, config: experiment_config.ExperimentConfig) -> None:
        self._config = config
        self.counters = counting.Counters()
        self.clock = cadence.Clock(self.counters)
        self.stopwatch = environment_loop.Stopwatch()
        self._crew, self._evaluation_crew = thread_roles.Crew(), thread_roles.Crew()
        self._lock = threading.Lock()
        self._episodes: list[types.Episode] = []
        self._has_begun = self._must_evaluate = False
        self._batches = _make_batches(config)
        self._device = _learner_device(config)
        with tf.device(self._device):
            self._agent = roles.make_agent(config, self._batches[0])
        num_environments = self._batches[0].num_environments
        self.buffer = roles.make_replay(
            self._agent,
            num_streams=config.num_actors * num_environments,
            rows_per_append=num_environments,
        )
        self.memory = memory.check_replay(self.buffer)
        store = weights.WeightStore()
        stop = self._crew.stop
        with tf.device(self._device):
            self._learner = self._make_learner(store)
        with tf.device("CPU:0"):
            copies = [
                roles.copy_policies(self._agent) for _ in range(config.num_actors)
            ]
            self._actors = [
                thread_roles.ActorRole(
                    copy,
                    batch,
                    self.buffer,
                    index=index,
                    store=store,
                    report=self._report,
                    stop=stop,
                )
                for index, (copy, batch) in enumerate(
                    zip(copies, self._batches, strict=True)
                )
            ]
            self._evaluator = thread_roles.EvaluatorRole(
                roles.copy_policies(self._agent), stop=self._evaluation_crew.stop
            )
            # What a snapshot is made of must not change meanwhile.
            self._exported = roles.copy_policies(self._agent)
        self._export = weights.VariablePack(self._exported.evaluation_policy.variables)

    def _make_learner(self, store: weights.WeightStore) -> thread_roles.LearnerRole:
        """The learner; on a device of its own it has its batches brought there."""
        stop, buffer = self._crew.stop, self.buffer
        drawn = roles.make_source(self._agent, buffer, timeout_s=_TICK_S)
        self._ahead: prefetching.PrefetchingSource | None = None
        if self._device is not None:
            self._ahead = prefetching.PrefetchingSource(
                drawn, buffer, device=self._device, stop=stop
            )
        ahead = self._ahead

        def is_over() -> bool:
            if ahead is not None:
                return ahead.is_over
            return stop.is_set() and not drawn.is_ready()

        def wait() -> None:
            if ahead is not None:
                ahead.wait()
            else:
                prefetching.wait_for_change(buffer, drawn)

        return thread_roles.LearnerRole(
            roles.make_learner(self._agent, ahead or drawn),
            wait=wait,
            is_over=is_over,
            variables=list(self._agent.policy.variables),
            store=store,
            counters=self.counters,
        )

    @property
    def learner(self) -> Any:
        """The learner; only its own thread may use it while the run goes on."""
        return self._learner.learner

    def _report(self, num_steps: int, episodes: list[types.Episode]) -> bool:
        """Counts a tick of an actor; whether the run needs another."""
        with self._lock:
            self.counters.num_actor_steps += num_steps
            self.counters.num_episodes += len(episodes)
            self._episodes += episodes
            return self.counters.num_actor_steps < self._config.num_actor_steps

    def step(self) -> experiment.Progress:
        """Lets a tenth of a second pass; what happened in it.

        Raises:
            NotFiniteError: learning broke down.
            RunError: an environment failed too often.
        """
        if not self._has_begun:
            self._begin()
        self._crew.stop.wait(_TICK_S)
        self._check()
        return self._take_progress()

    def _take_progress(self) -> experiment.Progress:
        with self._lock:
            episodes, self._episodes = self._episodes, []
        metrics, self._learner.metrics = self._learner.metrics, {}
        return experiment.Progress(episodes, metrics)

    def _begin(self) -> None:
        self._has_begun = True
        if self._ahead is not None:
            self._crew.start("The learner's prefetching", self._ahead.run)
        self._crew.start("The learner", self._learn)
        for index, actor in enumerate(self._actors):
            self._crew.start(f"Actor {index}", actor.run)
        self._evaluation_crew.start("The evaluator", self._evaluator.run)
        if self._must_evaluate:
            self.begin_evaluation()

    def _learn(self) -> None:
        try:
            with tf.device(self._device):  # Devices are chosen by thread.
                self._learner.run()
        finally:
            if self._ahead is not None:
                self._ahead.close()

    def _check(self) -> None:
        try:
            self._crew.check()
            self._evaluation_crew.check()
        except environments.EnvironmentFailedError as error:
            raise experiment_config.RunError(str(error)) from None

    def begin_evaluation(self) -> None:
        """Evaluates the present version beside training."""
        newest = self._learner.between_steps(self._learner.publish)
        self._evaluator.ask(newest, self.counters)

    def take_evaluations(self, *, wait: bool) -> list[experiment.Evaluation]:
        """Those that are finished; see `experiment.Experiment.take_evaluations`."""
        start_s = time.perf_counter()
        while wait and self._evaluator.num_unfinished:
            self._evaluation_crew.stop.wait(_WAIT_FOR_EVALUATION_S)
            self._check()
        self.stopwatch.seconds["evaluate"] += time.perf_counter() - start_s
        taken = []
        while not self._evaluator.finished.empty():
            taken.append(self._evaluator.finished.get())
        return taken

    def halt(self) -> experiment.Progress:
        """Ends acting, and then learning, which first takes the steps that are due.

        Raises:
            RunError: a thread does not end.
        """
        self._crew.stop.set()
        try:
            self._crew.join(_HALT_S)
        except TimeoutError as error:
            raise experiment_config.RunError(f"{error}.") from None
        self._check()
        for actor in self._actors:
            for name, seconds in actor.loop.stopwatch.seconds.items():
                self.stopwatch.seconds[name] += seconds
            actor.loop.stopwatch.seconds.clear()
        return self._take_progress()

    def replay_status(self) -> str:
        """What the replay holds and how often its items are sampled, for people."""
        return experiment.describe_replay(self.buffer.tables)

    def replay_metrics(self) -> dict[str, float]:
        """The replay's sizes and counts; see `experiment.measure_replay`."""
        return experiment.measure_replay(self.buffer.tables)

    def begin_save(self) -> experiment.Save:
        """Copies everything but the replay, while acting goes on.

        No role waits for another: an actor may have to wait for the learner, which
        would be waiting for it.
        """
        state = self._learner.between_steps(self._learner_state)
        for index, actor in enumerate(self._actors):
            state.update(experiment.prefixed(f"actor_{index}", actor.state()))
        state.update(experiment.prefixed("evaluation", self._evaluator.state()))
        state["must_evaluate"] = np.array(self._evaluator.num_unfinished > 0)

        def save(directory: pathlib.Path, when_copied: Callable[[], None]) -> None:
            self.buffer.save(directory / "replay", when_copied=when_copied)
            np.savez(directory / "state.npz", **state)

        return save

    def _learner_state(self) -> dict[str, Any]:
        variables = {name: v.numpy() for name, v in self.learner.state.items()}
        counters = dataclasses.asdict(self.counters)
        return {
            **experiment.prefixed("learner", variables),
            **experiment.prefixed("counters", counters),
        }

    def restore(self, directory: pathlib.Path) -> list[int]:
        """Goes on from what was saved; every environment begins a new episode.

        Returns:
            Nothing: no environment was to go on where it was.

        Raises:
            ValueError: what was saved is of another agent or environment.
            RunError: the environments failed.
        """
        with np.load(directory / "state.npz", allow_pickle=False) as file:
            state = {name: file[name] for name in file.files}
        under = experiment.under
        experiment.assign(self.learner, under("learner", state))
        counters = {k: int(v) for k, v in under("counters", state).items()}
        self.counters.__dict__.update(counters)
        self._evaluator.restore(under("evaluation", state))
        self._must_evaluate = bool(state["must_evaluate"])
        self.buffer.restore(directory / "replay")
        try:
            for index, actor in enumerate(self._actors):
                actor.restore(under(f"actor_{index}", state))
        except environments.EnvironmentFailedError as error:
            raise experiment_config.RunError(str(error)) from None
        return []

    def snapshot(self, path: pathlib.Path) -> None:
        """Writes the present policy as a SavedModel: see `checkpointing.snapshots`.

        Raises:
            OSError: it cannot be written.
        """
        newest = self._learner.between_steps(self._learner.publish)
        self._export.write(newest.arrays)
        roles.write_snapshot(
            self._exported, path, num_actor_steps=self.counters.num_actor_steps
        )

    def variables_sha256(self) -> str:
        """Digest of all the learner's variables in the order of their names."""
        return self._learner.between_steps(
            lambda: checkpointing.digest(self.learner.state)
        )

    def close(self) -> None:
        """Ends all threads and closes the environments."""
        self._crew.stop.set()
        self._evaluation_crew.stop.set()
        for batch in self._batches:
            batch.close()  # A thread may be waiting for them.
        self._crew.join(_HALT_S)
        self._evaluation_crew.join(_HALT_S)


def _learner_device(config: experiment_config.ExperimentConfig) -> str | None:
    """The learner's device, if it is not the one that all others use."""
    if config.learner_devices is None and tf.config.list_logical_devices("GPU"):
        return "GPU:0"
    return None


def _make_batches(
    config: experiment_config.ExperimentConfig,
) -> list[environments.BatchedEnvironment]:
    """The environments of all actors."""
    try:
        return [
            roles.make_environments(config, actor=k) for k in range(config.num_actors)
        ]
    except environments.EnvironmentFailedError as error:
        raise experiment_config.RunError(str(error)) from None
