"""The base class of all wrappers, which by itself changes nothing."""

from __future__ import annotations

from typing import Any

import dm_env


class EnvironmentWrapper(dm_env.Environment):
    """Forwards everything to the environment it wraps.

    A subclass overrides what it changes. Public attributes that a wrapper lacks, such
    as `bsuite_num_episodes`, `physics` or `lives`, are read from the wrapped
    environment; `next_episode_number` can also be set through it. Owns the wrapped
    environment; not thread-safe.
    """

    def __init__(self, environment: dm_env.Environment) -> None:
        self._environment = environment

    @property
    def environment(self) -> dm_env.Environment:
        """The environment that this one wraps."""
        return self._environment

    @property
    def episode_number(self) -> int:
        """Number of episodes begun."""
        return int(self._environment.episode_number)

    @property
    def next_episode_number(self) -> int:
        """Number, from 0, of the episode that the next reset begins; writable."""
        return int(self._environment.next_episode_number)

    @next_episode_number.setter
    def next_episode_number(self, number: int) -> None:
        self._environment.next_episode_number = number

    def __getattr__(self, name: str) -> Any:
        # Before `__init__` has run, looking up `_environment` would recurse for ever.
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}.")
        return getattr(self._environment, name)

    def reset(self) -> dm_env.TimeStep:
        """Begins the next episode."""
        return self._environment.reset()

    def step(self, action: Any) -> dm_env.TimeStep:
        """Takes one step."""
        return self._environment.step(action)

    def observation_spec(self) -> Any:
        """The wrapped environment's observation spec."""
        return self._environment.observation_spec()

    def action_spec(self) -> Any:
        """The wrapped environment's action spec."""
        return self._environment.action_spec()

    def reward_spec(self) -> Any:
        """The wrapped environment's reward spec."""
        return self._environment.reward_spec()

    def discount_spec(self) -> Any:
        """The wrapped environment's discount spec."""
        return self._environment.discount_spec()

    def close(self) -> None:
        """Closes the wrapped environment."""
        self._environment.close()
