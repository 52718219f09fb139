"""Wrappers that truncate episodes or stop bootstrapping."""

from __future__ import annotations

from typing import Any

import dm_env

from tfagents_core.environments.wrappers import base


class StepLimit(base.EnvironmentWrapper):
    """Truncates episodes after a number of steps.

    The step at the limit keeps the environment's discount, which is 1 unless the
    episode terminated there: a time limit is not a terminal state, so agents still
    bootstrap.
    """

    def __init__(self, environment: dm_env.Environment, num_steps: int) -> None:
        """Wraps `environment`; `num_steps` >= 1 is the time limit in steps.

        Raises:
            ValueError: if `num_steps` is less than 1.
        """
        super().__init__(environment)
        if num_steps < 1:
            raise ValueError(f"num_steps must be >= 1, not {num_steps}.")
        self._limit = num_steps
        self._num_steps = 0
        self._is_over = True

    def reset(self) -> dm_env.TimeStep:
        """Begins the next episode."""
        self._num_steps = 0
        self._is_over = False
        return self._environment.reset()

    def step(self, action: Any) -> dm_env.TimeStep:
        """Takes one step, which ends the episode at the limit."""
        # The wrapped environment knows no limit: a step would continue its episode.
        if self._is_over:
            return self.reset()
        timestep = self._environment.step(action)
        self._num_steps += 1
        if self._num_steps >= self._limit:
            timestep = timestep._replace(step_type=dm_env.StepType.LAST)
        self._is_over = timestep.last()
        return timestep


class LifeLoss(base.EnvironmentWrapper):
    """Sets the discount to 0 where a life is lost, which stops bootstrapping there.

    The episode continues to game over, so its return is the game's score, and it can be
    replayed from its number. The wrapped environment must have an attribute `lives`.
    Mnih et al., 2015 (Methods) mark the loss of a life as the end of an episode in
    training; Machado et al., 2018 recommend ends at game over only.
    """

    def __init__(self, environment: dm_env.Environment) -> None:
        super().__init__(environment)
        self._num_lives = 0

    def reset(self) -> dm_env.TimeStep:
        """Begins the next episode."""
        timestep = self._environment.reset()
        self._num_lives = self._environment.lives
        return timestep

    def step(self, action: Any) -> dm_env.TimeStep:
        """Takes one step."""
        timestep = self._environment.step(action)
        num_lives = self._environment.lives
        # A new game may have fewer lives than the last one had left.
        is_lost = num_lives < self._num_lives and not timestep.first()
        self._num_lives = num_lives
        return timestep._replace(discount=0.0) if is_lost else timestep
