"""The loop in which an actor interacts with its environments."""

from __future__ import annotations

import collections
import time
from collections.abc import Mapping, Sequence

import dm_env
import numpy as np
import tree

from tfagents_core import core, types
from tfagents_core.environments import batched, timesteps

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

    A tick has two halves, `act` and `observe`: between them the environments step, if
    they are in other processes, and the caller can do something else. Not thread-safe.

    Args:
        environments: the K environments.
        actor: chooses all their actions.
        observers: compute metrics of episodes, for `types.Episode.metrics`.

    Attributes:
        stopwatch: seconds spent in `"act"`, `"environment"` (waiting for it, where it
            is in other processes) and `"observe"` (which for a learning actor is the
            insertion into the replay).
    """

    def __init__(
        self,
        environments: batched.BatchedEnvironment,
        actor: core.Actor,
        *,
        observers: Sequence[core.Observer] = (),
    ) -> None:
        self._environments = environments
        self._actor = actor
        self._observers = list(observers)
        self._timestep: dm_env.TimeStep | None = None
        self._action: types.NestedArray = ()
        # Rewards may be nests; the sums are float64 whatever the rewards' dtype.
        size = environments.num_environments
        self._returns = tree.map_structure(
            lambda reward: np.zeros((size, *reward.shape)), environments.spec.rewards
        )
        self._lengths = np.zeros(size, np.int64)
        self.stopwatch = Stopwatch()

    def step(self) -> tuple[int, list[types.Episode]]:
        """Takes one step in every environment: `act`, and then `observe`."""
        self.act()
        return self.observe()

    def act(self) -> None:
        """Chooses the next actions and sends them to the environments."""
        if self._timestep is None:
            return  # The first episodes have not begun.
        with self.stopwatch.measure("act"):
            self._action = self._actor.select_action(self._timestep.observation)
        with self.stopwatch.measure("environment"):
            self._environments.send(self._action)

    def observe(self) -> tuple[int, list[types.Episode]]:
        """Receives what the actions led to and hands it to the actor.

        Returns:
            How many environment steps that were (a reset is none), and the episodes
            that ended.
        """
        if self._timestep is None:
            return self._begin()
        with self.stopwatch.measure("environment"):
            self._timestep = self._environments.receive()
        with self.stopwatch.measure("observe"):
            self._actor.observe(self._action, self._timestep)
            self._actor.update()
        for observer in self._observers:
            observer.observe(self._action, self._timestep)
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
        """What `restore` needs to return into the middle of the present episodes."""
        if self._timestep is None:
            return {}
        state = self._environments.state()
        state["lengths"] = self._lengths.copy()
        for path, values in tree.flatten_with_path(self._returns):
            state["/".join(["returns", *map(str, path)])] = values.copy()
        return state

    def restore(self, state: Mapping[str, np.ndarray]) -> list[int]:
        """Plays every environment's episode again, up to where `state` was taken.

        Returns:
            The indices of environments that did not get there and go on with new
            episodes; see `environments.BatchedEnvironment.restore`.
        """
        if not state:
            return []
        self._lengths[:] = state["lengths"]
        for path, values in tree.flatten_with_path(self._returns):
            values[:] = state["/".join(["returns", *map(str, path)])]
        self._timestep, lost = self._environments.restore(state)
        for observer in self._observers:
            observer.observe_first(self._timestep)
        return lost

    def _begin(self) -> tuple[int, list[types.Episode]]:
        with self.stopwatch.measure("environment"):
            self._timestep = self._environments.reset()
        with self.stopwatch.measure("observe"):
            self._actor.observe_first(self._timestep)
        for observer in self._observers:
            observer.observe_first(self._timestep)
        return 0, []

    def _count(self, timestep: dm_env.TimeStep) -> tuple[int, list[types.Episode]]:
        stepped = timestep.step_type != _FIRST
        num_stepped = int(np.count_nonzero(stepped))
        if num_stepped < len(stepped):
            for index in np.flatnonzero(~stepped).tolist():
                # The episode before may have been lost without an end.
                self._forget(index)
        for sums, rewards in zip(
            timesteps.leaves(self._returns),
            timesteps.leaves(timestep.reward),
            strict=True,
        ):
            sums += rewards
        self._lengths += stepped
        ended = [
            self._end_episode(index)
            for index in np.flatnonzero(timestep.step_type == _LAST).tolist()
        ]
        return num_stepped, ended

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
        for values in timesteps.leaves(self._returns):
            values[index] = 0
        self._lengths[index] = 0
