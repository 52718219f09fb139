"""An agent, its environments and its replay, in one thread."""

from __future__ import annotations

import dataclasses
import pathlib
import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import dm_env
import numpy as np

from tfagents_core import (
    counting,
    environment_loop,
    environments,
    replay,
    seeds,
    specs,
    types,
)
from tfagents_core.checkpointing import snapshots
from tfagents_core.experiments import config as experiment_config
from tfagents_core.experiments import evaluation, memory

Save: TypeAlias = Callable[[pathlib.Path, Callable[[], None]], None]
"""Writes a saved experiment into a directory; see `InlineExperiment.begin_save`."""


class _InlineClient:
    """Appends to the replay, and fails rather than wait.

    In one thread nobody else could end the wait, so a wait would be for ever.
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
        counters: how far the run has come.
        stopwatch: seconds spent in act, environment, observe, learn and evaluate.
        memory: what the replay will take once it is full, in words.

    Raises:
        ValueError: the agent cannot act in the environment, sizes do not fit, or the
            replay would outgrow the memory.
    """

    def __init__(self, config: experiment_config.ExperimentConfig) -> None:
        self._config = config
        builder, seed = config.builder, config.seed
        num_environments = config.envs_per_actor
        assert num_environments is not None  # The config filled it in.
        training = [
            environments.make(
                config.environment, seed=seeds.derive(seed, "environment", index)
            )
            for index in range(num_environments)
        ]
        spec = specs.make_environment_spec(training[0])
        builder.check(spec)
        self._evaluation_environments: list[dm_env.Environment] = []
        self._spec = spec
        self._own_actions = training[0].environment.action_spec()

        self.buffer = builder.make_replay(
            spec, num_streams=num_environments, seed=seeds.derive(seed, "replay")
        )
        self.memory = memory.check_replay(self.buffer)
        self._client = _InlineClient(self.buffer)
        networks = builder.make_networks(spec, seed=seeds.derive(seed, "networks"))
        self.learner = builder.make_learner(
            networks,
            spec,
            dataset=builder.make_dataset(self.buffer, prefetch=0),
            buffer=self.buffer,
        )
        self._policy = builder.make_policy(networks, spec)
        self._actor = builder.make_actor(
            networks,
            spec,
            seed=seeds.derive(seed, "actor"),
            adder=builder.make_adder(spec, self._client),
        )
        self._evaluation_actor = builder.make_actor(
            networks, spec, seed=seeds.derive(seed, "evaluation"), evaluation=True
        )
        self._loop = environment_loop.EnvironmentLoop(
            training, self._actor, observers=[make(spec) for make in config.observers]
        )
        self.stopwatch = self._loop.stopwatch
        self.counters = counting.Counters()

    def step(self) -> tuple[list[types.Episode], Mapping[str, Any]]:
        """One tick of the environments, and as many learner steps as are due.

        Returns:
            The training episodes that ended, and the last learner step's scalars if
            there was one.

        Raises:
            NotFiniteError: learning broke down.
            RunError: acting would have to wait for learning.
        """
        steps, episodes = self._loop.step()
        self.counters.num_actor_steps += steps
        self.counters.num_episodes += len(episodes)
        metrics: Mapping[str, Any] = {}
        with self.stopwatch.measure("learn"):
            while self.learner.can_step():
                metrics = self.learner.step()
                self.counters.num_learner_steps += self.learner.num_sgd_steps_per_step
        return episodes, metrics

    def evaluate(self) -> list[types.Episode]:
        """Plays the evaluation's episodes with the present policy."""
        with self.stopwatch.measure("evaluate"):
            return evaluation.run_episodes(
                self._evaluation_actor,
                self._make_evaluation_environments(),
                self._config.eval_episodes,
            )

    def limiter(self) -> str:
        """What the replay holds and what its rate limiters wait for, in words."""
        return "; ".join(
            f"{table.size:,} items, "
            + (table.why_not_sample(1) or "learning as fast as acting allows")
            for table in self.buffer.tables.values()
        )

    def replay_figures(self) -> dict[str, float]:
        """Items in the replay, ever inserted and ever sampled, and their target ratio.

        Where there are several tables, names end in `/` and the table's.
        """
        figures: dict[str, float] = {}
        for name, table in self.buffer.tables.items():
            suffix = f"/{name}" if len(self.buffer.tables) > 1 else ""
            stats, limiter = table.stats(), table.config.rate_limiter
            figures[f"replay_size{suffix}"] = stats.size
            figures[f"replay_inserts{suffix}"] = stats.num_inserted
            figures[f"replay_samples{suffix}"] = stats.num_sampled
            if isinstance(limiter, replay.SampleToInsertRatio):
                target = limiter.samples_per_insert
                figures[f"replay_target_samples_per_insert{suffix}"] = target
        return figures

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
        state = {
            **_prefixed("learner", {k: v.numpy() for k, v in self._learner_state()}),
            **_prefixed("actor", self._actor.state()),
            **_prefixed("evaluation_actor", self._evaluation_actor.state()),
            **_prefixed("loop", self._loop.state()),
            **_prefixed("counters", dataclasses.asdict(self.counters)),
        }
        for index, environment in enumerate(self._evaluation_environments):
            number = np.array(environment.next_episode_number)
            state[f"evaluation_environment/{index}"] = number
        return state

    def snapshot(self, path: pathlib.Path) -> None:
        """Writes the present policy as a SavedModel: see `checkpointing.snapshots`.

        Raises:
            OSError: it cannot be written.
        """
        config = self._config
        snapshots.write(
            path,
            self._policy,
            observations=self._spec.observations,
            actions=self._own_actions,
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
        _assign(dict(self._learner_state()), _under("learner", state))
        self._actor.restore(_under("actor", state))
        self._evaluation_actor.restore(_under("evaluation_actor", state))
        counters = {k: int(v) for k, v in _under("counters", state).items()}
        self.counters.__dict__.update(counters)
        numbers = _under("evaluation_environment", state)
        if numbers:
            for index, environment in enumerate(self._make_evaluation_environments()):
                environment.next_episode_number = int(numbers[str(index)])
        self.buffer.restore(directory / "replay")
        return self._loop.restore(_under("loop", state))

    def _learner_state(self) -> Any:
        return self.learner.state.items()

    def _make_evaluation_environments(self) -> list[dm_env.Environment]:
        config = self._config
        if not self._evaluation_environments:
            self._evaluation_environments = evaluation.make_environments(
                config.environment, config.eval_episodes, seed=config.seed
            )
        return self._evaluation_environments


def _prefixed(group: str, state: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{group}/{name}": value for name, value in state.items()}


def _under(group: str, state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    prefix = f"{group}/"
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
