"""What every suite's adapter shares: counted episodes, each with its own seed."""

from __future__ import annotations

import abc
from typing import Any

import dm_env
import numpy as np
import numpy.typing as npt

from tfagents_core.environments import errors, seeding

_DEFAULT_STEPS_PER_SECOND = 30.0


class SeededEnvironment(dm_env.Environment, abc.ABC):
    """A `dm_env.Environment` whose episodes are pure functions of their number.

    An adapter implements `_begin_episode` and `_step`; this class counts episodes,
    seeds each one and begins the next when `step` is called after the last step of
    one. To return into the middle of a run:

        environment.next_episode_number = saved.episode_number - 1
        environment.reset()  # the episode that was being played
        for action in saved.actions_of_this_episode:
            environment.step(action)

    Not thread-safe.
    """

    def __init__(self, seed: int) -> None:
        """Begins no episode yet.

        Args:
          seed: the run's seed, >= 0; see `seeding.episode_seed`.

        Raises:
          ValueError: if `seed` is negative.
        """
        seeding.check_seed(seed)
        self._seed = seed
        self._next_episode_number = 0
        self._reset_next_step = True

    @property
    def episode_number(self) -> int:
        """How many episodes have begun: 0 before the first reset."""
        return self._next_episode_number

    @property
    def next_episode_number(self) -> int:
        """The number, counted from 0, of the episode that the next reset begins."""
        return self._next_episode_number

    @next_episode_number.setter
    def next_episode_number(self, number: int) -> None:
        if number < 0:
            raise ValueError(f"Episodes are counted from 0, not from {number}.")
        self._next_episode_number = number

    @property
    def reseeds_episodes(self) -> bool:
        """Whether an episode can be played again by its number."""
        return True

    @property
    def steps_per_second(self) -> float:
        """Steps in a second of the environment's own time; 30 where it has none."""
        return _DEFAULT_STEPS_PER_SECOND

    def render(self) -> npt.NDArray[np.uint8]:
        """A picture of the present state: uint8 [height, width, 3], red, green, blue.

        Only environments made with `render=True` are sure to be able to.

        Raises:
          errors.RenderingError: if there is no picture to be had.
        """
        raise errors.RenderingError(
            "This environment has no render() that returns a picture, so it cannot be "
            "filmed."
        )

    def reset(self) -> dm_env.TimeStep:
        """Begins episode `next_episode_number`."""
        seed = seeding.episode_seed(self._seed, self._next_episode_number)
        self._next_episode_number += 1
        self._reset_next_step = False
        return self._begin_episode(seed)

    def step(self, action: Any) -> dm_env.TimeStep:
        """Takes one step, or begins an episode where the last one has ended."""
        if self._reset_next_step:
            return self.reset()
        timestep = self._step(action)
        self._reset_next_step = timestep.last()
        return timestep

    @abc.abstractmethod
    def _begin_episode(self, seed: int) -> dm_env.TimeStep:
        """Reseeds all randomness from `seed` alone and returns the first step."""

    @abc.abstractmethod
    def _step(self, action: Any) -> dm_env.TimeStep:
        """Takes one step of a running episode."""
