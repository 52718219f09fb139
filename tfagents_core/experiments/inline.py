"""An agent and its replay in one thread, with its environments or beside them."""

from __future__ import annotations

import dataclasses
import pathlib
import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tfagents_core import checkpointing, environments, replay, types
from tfagents_core.experiments import cadence, counting, experiment, memory, roles
from tfagents_core.experiments import config as experiment_config


class _InlineClient:
    """Appends to the replay, and fails rather than wait.

    In one thread nobody else could end the wait, so it would never end.
    """

    def __init__(self, buffer: replay.Replay) -> None:
        self._buffer = buffer
        self.saved = threading.Event()  # Cleared while the buffer is being saved.
        self.saved.set()

    def append(
        self, rows: types.NestedArray, *, first: np.ndarray, last: np.ndarray
    ) -> None:
        """Appends one row to each stream.

        Raises:
            RunError: the rate limiter would have it wait.
        """
        try:
            self._buffer.append(rows, first=first, last=last, timeout=0)
        except TimeoutError:
            # A save holds on to rows, which may leave no memory for new ones.
            self.saved.wait()
            self._append_or_fail(rows, first, last)

    def _append_or_fail(
        self, rows: types.NestedArray, first: np.ndarray, last: np.ndarray
    ) -> None:
        try:
            self._buffer.append(rows, first=first, last=last, timeout=0)
        except TimeoutError as error:
            raise experiment_config.RunError(
                f"Acting got ahead of learning for good: {error}."
            ) from error


class InlineExperiment(experiment.Experiment):
    """Acts, inserts, and learns while the replay allows. Not thread-safe.

    A tick has a fixed order: act with the present variables, learn what the replay
    allows, and only then take in what the actions led to. So environments in other
    processes step while the learner learns, and what is learned does not depend on
    where they are or how fast.

    Everything is checked and built at construction, before anything is written.

    Args:
        config: the run.

    Raises:
        ValueError: the agent cannot act in the environment, sizes do not fit, or the
            replay would outgrow the memory.
        RunError: the environments could not be made.
    """

    def __init__(self, config: experiment_config.ExperimentConfig) -> None:
        try:
            self._environments = roles.make_environments(config)
        except environments.EnvironmentFailedError as error:
            raise experiment_config.RunError(str(error)) from None
        num_environments = self._environments.num_environments
        self._agent = roles.make_agent(config, self._environments)
        self.buffer = roles.make_replay(
            self._agent,
            num_streams=num_environments,
            rows_per_append=num_environments,
        )
        self.memory = memory.check_replay(self.buffer)
        self._client = _InlineClient(self.buffer)
        # In one thread nobody else could end a wait, so neither side ever waits.
        source = roles.make_source(self._agent, self.buffer, timeout_s=0)
        self.learner = roles.make_learner(self._agent, source)
        self._actor = roles.make_actor(self._agent, self._client)
        self._evaluator = roles.make_evaluator(self._agent)
        self._evaluations: list[experiment.Evaluation] = []
        self._loop = roles.make_loop(self._agent, self._environments, self._actor)
        self.stopwatch = self._loop.stopwatch
        self.counters = counting.Counters()
        self.clock = cadence.Clock(self.counters)

    def step(self) -> experiment.Progress:
        """One tick of the environments, and as many learner steps as are due.

        Raises:
            NotFiniteError: learning broke down.
            RunError: an environment failed too often, or acting would have to wait for
                learning, or learning for acting.
        """
        try:
            self._loop.act()
            metrics = self._learn_while_allowed()
            steps, episodes = self._loop.observe()
        except environments.EnvironmentFailedError as error:
            raise experiment_config.RunError(str(error)) from None
        self.counters.num_actor_steps += steps
        self.counters.num_episodes += len(episodes)
        return experiment.Progress(episodes, metrics)

    def _learn_while_allowed(self) -> Mapping[str, Any]:
        metrics: Mapping[str, Any] = {}
        with self.stopwatch.measure("learn"):
            while self.learner.can_step():
                metrics = self._learn()
                self.counters.num_learner_steps += self.learner.num_sgd_steps_per_step
        return metrics

    def _learn(self) -> Mapping[str, Any]:
        try:
            return self.learner.step()
        except TimeoutError as error:
            raise experiment_config.RunError(
                "The learner said that it could step and then found no batch: "
                f"{error}; its can_step must ask for as many items as its step draws."
            ) from error

    def begin_evaluation(self) -> None:
        """Plays the evaluation's episodes with the present policy."""
        with self.stopwatch.measure("evaluate"):
            played = self._evaluator.run()
        counters = dataclasses.replace(self.counters)
        self._evaluations.append(experiment.Evaluation(played, counters))

    def take_evaluations(self, *, wait: bool) -> list[experiment.Evaluation]:
        """Those since the last call; there is nothing to wait for."""
        taken, self._evaluations = self._evaluations, []
        return taken

    def replay_status(self) -> str:
        """What the replay holds and how often its items are sampled, for people."""
        return experiment.describe_replay(self.buffer.tables)

    def replay_metrics(self) -> dict[str, float]:
        """The replay's sizes and counts; see `experiment.measure_replay`."""
        return experiment.measure_replay(self.buffer.tables)

    def begin_save(self) -> experiment.Save:
        """Copies everything but the replay; see `experiment.Experiment.begin_save`."""
        state = self._state()

        def save(directory: pathlib.Path, when_copied: Callable[[], None]) -> None:
            self._client.saved.clear()
            try:
                self.buffer.save(directory / "replay", when_copied=when_copied)
            finally:
                self._client.saved.set()
            np.savez(directory / "state.npz", **state)

        return save

    def _state(self) -> dict[str, Any]:
        variables = {name: v.numpy() for name, v in self.learner.state.items()}
        prefixed = experiment.prefixed
        return {
            **prefixed("learner", variables),
            **prefixed("actor", self._actor.state()),
            **prefixed("evaluation", self._evaluator.state(), separator="_"),
            **prefixed("loop", self._loop.state()),
            **prefixed("counters", dataclasses.asdict(self.counters)),
        }

    def snapshot(self, path: pathlib.Path) -> None:
        """Writes the present policy as a SavedModel: see `checkpointing.snapshots`.

        Raises:
            OSError: it cannot be written.
        """
        roles.write_snapshot(
            self._agent, path, num_actor_steps=self.counters.num_actor_steps
        )

    def restore(self, directory: pathlib.Path) -> list[int]:
        """Goes on from what was saved, to the bit.

        Returns:
            The environments that could not get back into their episodes and go on
            with new ones; see `environments.BatchedEnvironment.restore`.

        Raises:
            ValueError: what was saved is of another agent or environment.
            RunError: the environments failed.
        """
        with np.load(directory / "state.npz", allow_pickle=False) as file:
            state = {name: file[name] for name in file.files}
        under = experiment.under
        experiment.assign(self.learner, under("learner", state))
        self._actor.restore(under("actor", state))
        self._evaluator.restore(under("evaluation", state, separator="_"))
        counters = {k: int(v) for k, v in under("counters", state).items()}
        self.counters.__dict__.update(counters)
        self.buffer.restore(directory / "replay")
        try:
            return self._loop.restore(under("loop", state))
        except environments.EnvironmentFailedError as error:
            raise experiment_config.RunError(str(error)) from None

    def variables_sha256(self) -> str:
        """Digest of all the learner's variables in the order of their names."""
        return checkpointing.digest(self.learner.state)

    def close(self) -> None:
        """Closes the environments that it trains in."""
        self._environments.close()
