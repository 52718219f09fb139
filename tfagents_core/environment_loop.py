"""The loop in which an actor interacts with its environments."""

from __future__ import annotations

import collections
import time
from collections.abc import Mapping, Sequence

import dm_env
import numpy as np
import tree

from tfagents_core import core, specs, types

# As integers: NumPy compares with an enumeration's member five times as slowly.
_FIRST, _LAST = int(dm_env.StepType.FIRST), int(dm_env.StepType.LAST)


class Stopwatch:
    """Sums up the time spent under each of a few names. Not thread-safe.

    Attributes:
        seconds: time so far, by name.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = collections.defaultdict(float)

    def measure(self, name: str) -> _Measurement:
        """Adds the time spent inside the `with` block to `name`."""
        return _Measurement(self.seconds, name)


class _Measurement:
    """Cheaper than a generator with `contextlib.contextmanager`, and timed often."""

    __slots__ = ("_name", "_seconds", "_start")

    def __init__(self, seconds: dict[str, float], name: str) -> None:
        self._seconds, self._name = seconds, name

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._seconds[self._name] += time.perf_counter() - self._start


class EnvironmentLoop:
    """Steps K environments with one actor, one batched policy call a tick.

    An environment whose episode has ended is reset at the next tick, as dm_env's
    `step` does, while the others go on. Not thread-safe.

    Args:
        environments: the K environments, of equal specs.
        actor: chooses all their actions.
        observers: compute metrics of episodes, for `types.Episode.metrics`.

    Attributes:
        stopwatch: seconds spent in `"act"`, `"environment"` and `"observe"` (which
            for a learning actor is the insertion into the replay).

    Raises:
        ValueError: there is no environment.
    """

    def __init__(
        self,
        environments: Sequence[dm_env.Environment],
        actor: core.Actor,
        *,
        observers: Sequence[core.Observer] = (),
    ) -> None:
        if not environments:
            raise ValueError("An environment loop needs at least one environment.")
        self._environments = list(environments)
        self._actor = actor
        self._observers = list(observers)
        self._spec = specs.make_environment_spec(environments[0])
        self._timestep: dm_env.TimeStep | None = None
        # The actions of each environment's present episode, to return into it.
        self._actions: list[list[types.NestedArray]] = [[] for _ in environments]
        self._must_reset = [False] * len(environments)
        # Rewards may be nests; the sums are float64 whatever the rewards' dtype.
        self._returns = tree.map_structure(
            lambda reward: np.zeros((len(environments), *reward.shape)),
            self._spec.rewards,
        )
        self._lengths = np.zeros(len(environments), np.int64)
        self.stopwatch = Stopwatch()

    def step(self) -> tuple[int, list[types.Episode]]:
        """Takes one step in every environment.

        Returns:
            How many environment steps that were (a reset is none), and the episodes
            that ended.
        """
        if self._timestep is None:
            return self._begin()

        with self.stopwatch.measure("act"):
            action = self._actor.select_action(self._timestep.observation)
        with self.stopwatch.measure("environment"):
            self._timestep = self._stack(
                [self._step_one(k, action) for k in range(len(self._environments))]
            )
        with self.stopwatch.measure("observe"):
            self._actor.observe(action, self._timestep)
            self._actor.update()
        for observer in self._observers:
            observer.observe(action, self._timestep)
        return self._count(self._timestep)

    def run(
        self, *, num_steps: int | None = None, num_episodes: int | None = None
    ) -> list[types.Episode]:
        """Steps until either number is reached; returns the episodes that ended.

        With several environments the last tick may go up to K - 1 beyond a number.

        Raises:
            ValueError: neither number is given.
        """
        if num_steps is None and num_episodes is None:
            raise ValueError("Say how long to run: give num_steps or num_episodes.")
        steps_left = np.inf if num_steps is None else num_steps
        episodes_wanted = np.inf if num_episodes is None else num_episodes
        episodes: list[types.Episode] = []
        while steps_left > 0 and len(episodes) < episodes_wanted:
            steps, ended = self.step()
            steps_left -= steps
            episodes.extend(ended)
        return episodes

    def state(self) -> dict[str, np.ndarray]:
        """What `restore` needs to return into the middle of the present episodes.

        Each environment's episode is kept as its number and its actions so far, and
        the observation that they led to, to be compared.
        """
        if self._timestep is None:
            return {}
        state: dict[str, np.ndarray] = {"lengths": self._lengths.copy()}
        for path, values in tree.flatten_with_path(self._returns):
            state["/".join(["returns", *map(str, path)])] = values.copy()
        for index, environment in enumerate(self._environments):
            number = np.array(environment.episode_number)
            state[f"{index}/episode_number"] = number
            for leaf, values in enumerate(_stack_actions(self._actions[index])):
                state[f"{index}/actions/{leaf}"] = values
            for leaf, values in enumerate(tree.flatten(self._timestep.observation)):
                state[f"{index}/observation/{leaf}"] = values[index]
        return state

    def restore(self, state: Mapping[str, np.ndarray]) -> list[int]:
        """Plays every environment's episode again, up to where `state` was taken.

        An environment that does not get there, because it is not deterministic or
        cannot play an episode by its number, goes on with a new episode.

        Returns:
            The indices of such environments.
        """
        if not state:
            return []
        self._lengths[:] = state["lengths"]
        for path, values in tree.flatten_with_path(self._returns):
            values[:] = state["/".join(["returns", *map(str, path)])]
        timesteps = []
        lost = []
        for index in range(len(self._environments)):
            timesteps.append(self._replay(index, state))
            self._must_reset[index] = not _reaches(timesteps[-1], index, state)
            if self._must_reset[index]:
                self._forget(index)
                lost.append(index)
        self._timestep = self._stack(timesteps)
        for observer in self._observers:
            observer.observe_first(self._timestep)
        return lost

    def _replay(self, index: int, state: Mapping[str, np.ndarray]) -> dm_env.TimeStep:
        environment = self._environments[index]
        environment.next_episode_number = int(state[f"{index}/episode_number"]) - 1
        timestep = environment.reset()
        leaves: list[np.ndarray] = []
        while (name := f"{index}/actions/{len(leaves)}") in state:
            leaves.append(state[name])
        self._actions[index] = []
        for values in zip(*leaves, strict=True):
            action = tree.unflatten_as(self._spec.actions, list(values))
            self._actions[index].append(action)
            timestep = environment.step(action)
        return timestep

    def _step_one(self, index: int, actions: types.NestedArray) -> dm_env.TimeStep:
        environment = self._environments[index]
        if self._must_reset[index]:
            self._must_reset[index] = False
            timestep = environment.reset()
        else:
            action = _action_of(actions, index)
            timestep = environment.step(action)
            self._actions[index].append(action)
        if timestep.first():
            self._actions[index] = []
        return timestep

    def _begin(self) -> tuple[int, list[types.Episode]]:
        with self.stopwatch.measure("environment"):
            self._timestep = self._stack([e.reset() for e in self._environments])
        with self.stopwatch.measure("observe"):
            self._actor.observe_first(self._timestep)
        for observer in self._observers:
            observer.observe_first(self._timestep)
        return 0, []

    def _stack(self, timesteps: Sequence[dm_env.TimeStep]) -> dm_env.TimeStep:
        """Timesteps as one, with arrays `[K, ...]`; no reward yet is 0, discount 1."""
        return dm_env.TimeStep(
            step_type=np.asarray([t.step_type for t in timesteps]),
            reward=_stack_values(
                self._spec.rewards, [t.reward for t in timesteps], missing=0
            ),
            discount=_stack_values(
                self._spec.discounts, [t.discount for t in timesteps], missing=1
            ),
            observation=_stack_observations([t.observation for t in timesteps]),
        )

    def _count(self, timestep: dm_env.TimeStep) -> tuple[int, list[types.Episode]]:
        stepped = timestep.step_type != _FIRST
        for sums, rewards in zip(
            _leaves(self._returns), _leaves(timestep.reward), strict=True
        ):
            sums += rewards
        self._lengths += stepped
        ended = [
            self._end_episode(index)
            for index in np.flatnonzero(timestep.step_type == _LAST).tolist()
        ]
        return int(np.count_nonzero(stepped)), ended

    def _end_episode(self, index: int) -> types.Episode:
        """The episode that environment `index` has ended; its counts start again."""
        components = {
            "/".join(["episode_return", *map(str, path), *map(str, place)]): float(
                value
            )
            for path, values in tree.flatten_with_path(self._returns)
            for place, value in np.ndenumerate(values[index])
        }
        metrics = components if len(components) > 1 else {}
        for observer in self._observers:
            metrics = {**metrics, **observer.metrics(index)}
        episode = types.Episode(
            environment=index,
            total_reward=float(sum(components.values())),
            length=int(self._lengths[index]),
            metrics=metrics,
        )
        self._forget(index)
        return episode

    def _forget(self, index: int) -> None:
        """Sets the counts of environment `index` to those of an episode's beginning."""
        for values in _leaves(self._returns):
            values[index] = 0
        self._lengths[index] = 0


def _stack_values(
    spec: types.NestedSpec,
    values: Sequence[types.NestedArray | None],
    *,
    missing: float,
) -> types.NestedArray:
    """Rewards or discounts of K environments as arrays `[K, ...]`.

    Args:
        spec: of one environment's.
        values: one for each environment; None where an episode begins.
        missing: stands for None, in every element.
    """
    if any(value is None for value in values):
        first = tree.map_structure(lambda s: np.full(s.shape, missing), spec)
        values = [first if value is None else value for value in values]
    if isinstance(spec, specs.Array):
        return np.asarray(values, spec.dtype)
    return tree.map_structure(
        lambda s, *leaves: np.asarray(leaves, s.dtype), spec, *values, check_types=False
    )


def _stack_observations(observations: Sequence[types.NestedArray]) -> types.NestedArray:
    if isinstance(observations[0], np.ndarray):
        return np.array(observations)
    return tree.map_structure(lambda *leaves: np.stack(leaves), *observations)


def _leaves(nest: types.NestedArray) -> list[np.ndarray]:
    return [nest] if isinstance(nest, np.ndarray) else tree.flatten(nest)


def _stack_actions(actions: Sequence[types.NestedArray]) -> list[np.ndarray]:
    """The leaves of `actions`, each with time as its first axis."""
    return [
        np.stack(leaf)
        for leaf in zip(*(tree.flatten(action) for action in actions), strict=True)
    ]


def _reaches(
    timestep: dm_env.TimeStep, index: int, state: Mapping[str, np.ndarray]
) -> bool:
    """Whether `timestep` shows the observation that `state` has for `index`."""
    return all(
        np.array_equal(values, state[f"{index}/observation/{leaf}"])
        for leaf, values in enumerate(tree.flatten(timestep.observation))
    )


def _action_of(action: types.NestedArray, index: int) -> types.NestedArray:
    if isinstance(action, np.ndarray):
        return action[index]
    return tree.map_structure(lambda values: values[index], action)
