"""An agent, its environments and its replay, in one thread."""

from __future__ import annotations

import dataclasses
import pathlib
import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np

from tfagents_core import replay, seeds, types
from tfagents_core.checkpointing import snapshots
from tfagents_core.experiments import cadence, counting, memory, roles
from tfagents_core.experiments import config as experiment_config

Save: TypeAlias = Callable[[pathlib.Path, Callable[[], None]], None]
"""Writes a saved experiment into a directory; see `InlineExperiment.begin_save`."""


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


class InlineExperiment:
    """Acts, inserts, and learns while the replay allows. Not thread-safe.

    Everything is checked and built at construction, before anything is written.

    Args:
        config: the run.

    Attributes:
        counters: how far the run is.
        clock: the counter that the run's length and periods refer to.
        stopwatch: seconds spent in act, environment, observe, learn and evaluate.
        memory: what the replay will take once it is full, in words.

    Raises:
        ValueError: the agent cannot act in the environment, sizes do not fit, or the
            replay would outgrow the memory.
    """

    def __init__(self, config: experiment_config.ExperimentConfig) -> None:
        num_environments = config.envs_per_actor
        assert num_environments is not None  # The config filled it in.
        training = [
            config.make_environment(
                seed=seeds.derive(config.seed, "environment", index)
            )
            for index in range(num_environments)
        ]
        self._agent = roles.make_agent(config, training[0])
        self.buffer = roles.make_replay(
            self._agent,
            num_streams=num_environments,
            rows_per_append=num_environments,
        )
        self.memory = memory.check_replay(self.buffer)
        self._client = _InlineClient(self.buffer)
        # In one thread nobody else could end a wait, so neither side ever waits.
        self.learner = roles.make_learner(self._agent, self.buffer, timeout_s=0)
        self._actor = roles.make_actor(self._agent, self._client)
        self._evaluator = roles.make_evaluator(self._agent)
        self._loop = roles.make_loop(self._agent, training, self._actor)
        self.stopwatch = self._loop.stopwatch
        self.counters = counting.Counters()
        self.clock = cadence.Clock(self.counters)

    def step(self) -> tuple[list[types.Episode], Mapping[str, Any]]:
        """One tick of the environments, and as many learner steps as are due.

        Returns:
            The training episodes that ended, and the last learner step's metrics if
            there was one.

        Raises:
            NotFiniteError: learning broke down.
            RunError: acting would have to wait for learning, or learning for acting.
        """
        steps, episodes = self._loop.step()
        self.counters.num_actor_steps += steps
        self.counters.num_episodes += len(episodes)
        metrics: Mapping[str, Any] = {}
        with self.stopwatch.measure("learn"):
            while self.learner.can_step():
                metrics = self._learn()
                self.counters.num_learner_steps += self.learner.num_sgd_steps_per_step
        return episodes, metrics

    def _learn(self) -> Mapping[str, Any]:
        try:
            return self.learner.step()
        except TimeoutError as error:
            raise experiment_config.RunError(
                "The learner said that it could step and then found no batch: "
                f"{error}; its can_step must ask for as many items as its step draws."
            ) from error

    def evaluate(self) -> list[types.Episode]:
        """Plays the evaluation's episodes with the present policy."""
        with self.stopwatch.measure("evaluate"):
            return self._evaluator.run()

    def replay_status(self) -> str:
        """What the replay holds and how often its items are sampled, for people."""
        return "; ".join(
            _describe(table, is_only=len(self.buffer.tables) == 1)
            for table in self.buffer.tables.values()
        )

    def replay_metrics(self) -> dict[str, float]:
        """Items in the replay, ever inserted and ever sampled, and their target ratio.

        Where there are several tables, names end in `/` and the table's.
        """
        metrics: dict[str, float] = {}
        for name, table in self.buffer.tables.items():
            suffix = f"/{name}" if len(self.buffer.tables) > 1 else ""
            stats, limiter = table.stats(), table.config.rate_limiter
            metrics[f"replay_size{suffix}"] = stats.size
            metrics[f"replay_inserts{suffix}"] = stats.num_inserted
            metrics[f"replay_samples{suffix}"] = stats.num_sampled
            if isinstance(limiter, replay.SampleToInsertRatio):
                target = limiter.samples_per_insert
                metrics[f"replay_target_samples_per_insert{suffix}"] = target
        return metrics

    def begin_save(self) -> Save:
        """Copies everything the run needs to go on, but for the replay.

        Returns:
            What writes it, and the replay, into an empty directory; any thread may
            call it once. It calls its second argument when the replay, too, is copied
            or held on to; until then nothing may change.
        """
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
        return {
            **_prefixed("learner", variables),
            **_prefixed("actor", self._actor.state()),
            **_prefixed("evaluation", self._evaluator.state(), separator="_"),
            **_prefixed("loop", self._loop.state()),
            **_prefixed("counters", dataclasses.asdict(self.counters)),
        }

    def snapshot(self, path: pathlib.Path) -> None:
        """Writes the present policy as a SavedModel: see `checkpointing.snapshots`.

        Raises:
            OSError: it cannot be written.
        """
        config = self._agent.config
        snapshots.write(
            path,
            self._agent.evaluation_policy,
            observations=self._agent.spec.observations,
            actions=self._agent.own_actions,
            origin=snapshots.Origin(
                agent=config.agent,
                environment=config.environment,
                seed=config.seed,
                num_actor_steps=self.counters.num_actor_steps,
            ),
        )

    def restore(self, directory: pathlib.Path) -> list[int]:
        """Goes on from what was saved.

        Returns:
            The environments that could not get back into their episodes and go on
            with new ones; see `EnvironmentLoop.restore`.

        Raises:
            ValueError: what was saved is of another agent or environment.
        """
        with np.load(directory / "state.npz", allow_pickle=False) as file:
            state = {name: file[name] for name in file.files}
        _assign(self.learner.state, _under("learner", state))
        self._actor.restore(_under("actor", state))
        self._evaluator.restore(_under("evaluation", state, separator="_"))
        counters = {k: int(v) for k, v in _under("counters", state).items()}
        self.counters.__dict__.update(counters)
        self.buffer.restore(directory / "replay")
        return self._loop.restore(_under("loop", state))


def _describe(table: replay.TableHandle, *, is_only: bool) -> str:
    """Such as `12,924 items; 29.8 samples per insert (target 32)`."""
    stats, limiter = table.stats(), table.config.rate_limiter
    words = f"{stats.size:,} items; {stats.samples_per_insert:.1f} samples per insert"
    if isinstance(limiter, replay.SampleToInsertRatio):
        words += f" (target {limiter.samples_per_insert:g})"
    return words if is_only else f"{table.name}: {words}"


def _prefixed(
    group: str, state: Mapping[str, Any], *, separator: str = "/"
) -> dict[str, Any]:
    return {f"{group}{separator}{name}": value for name, value in state.items()}


def _under(
    group: str, state: Mapping[str, np.ndarray], *, separator: str = "/"
) -> dict[str, np.ndarray]:
    prefix = f"{group}{separator}"
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}


def _assign(variables: Mapping[str, Any], values: Mapping[str, np.ndarray]) -> None:
    """Sets variables by name; raises ValueError where names or shapes differ."""
    odd = sorted(set(variables) ^ set(values))
    if odd:
        raise ValueError(
            f"The checkpoint is of other networks: {odd[0]!r} is on one side only."
        )
    for name, variable in variables.items():
        if tuple(variable.shape) != values[name].shape:
            raise ValueError(
                f"The checkpoint is of other networks: {name!r} has shape "
                f"{values[name].shape} there and {tuple(variable.shape)} here."
            )
        variable.assign(values[name])
