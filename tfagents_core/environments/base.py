"""The base class of the suites' adapters, which counts and seeds episodes."""

from __future__ import annotations

import abc
from typing import Any

import dm_env
import numpy as np
import numpy.typing as npt

from tfagents_core.environments import errors, seeding

_DEFAULT_STEPS_PER_SECOND = 30.0


class SeededEnvironment(dm_env.Environment, abc.ABC):
    """A `dm_env.Environment` whose episodes follow from seed, number and actions.

    An adapter implements `_begin_episode` and `_step`; this class counts episodes,
    seeds each one and begins the next when `step` is called after the last step of
    one. To resume in the middle of an episode:

        environment.next_episode_number = saved.episode_number - 1
        environment.reset()  # the episode that was being played
        for action in saved.actions_of_this_episode:
            environment.step(action)

    Not thread-safe.
    """

    def __init__(self, seed: int) -> None:
        """Sets the seed; the first `reset` begins episode 0.

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
        """Number of episodes begun; 0 before the first reset."""
        return self._next_episode_number

    @property
    def next_episode_number(self) -> int:
        """Number, from 0, of the episode that the next reset begins; writable."""
        return self._next_episode_number

    @next_episode_number.setter
    def next_episode_number(self, number: int) -> None:
        if number < 0:
            raise ValueError(f"Episodes are counted from 0, not from {number}.")
        self._next_episode_number = number

    @property
    def reseeds_episodes(self) -> bool:
        """Whether a reset reseeds, so that episodes can be replayed by number."""
        return True

    @property
    def steps_per_second(self) -> float:
        """Steps per second of the environment's own time; 30 where it has none."""
        return _DEFAULT_STEPS_PER_SECOND

    def render(self) -> npt.NDArray[np.uint8]:
        """The current state as an RGB image, uint8 [height, width, 3].

        Only environments made with `render=True` are sure to support this.

        Raises:
            errors.RenderingError: if the environment cannot be rendered.
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
        """Takes one step; after the last step of an episode, begins the next one."""
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
