"""Reward wrappers."""

from __future__ import annotations

from typing import Any

import dm_env
import numpy as np

from tfagents_core import specs
from tfagents_core.environments.wrappers import base


class RewardClipping(base.EnvironmentWrapper):
    """Clips each reward to `[minimum, maximum]` (Mnih et al., 2015: `[-1, 1]`)."""

    def __init__(
        self,
        environment: dm_env.Environment,
        *,
        minimum: float = -1.0,
        maximum: float = 1.0,
    ) -> None:
        """Wraps `environment`, whose reward must be a scalar.

        Raises:
            ValueError: if `minimum` is not less than `maximum`.
        """
        super().__init__(environment)
        if not minimum < maximum:
            raise ValueError(f"Rewards cannot be clipped to [{minimum}, {maximum}].")
        self._minimum = minimum
        self._maximum = maximum
        inner = environment.reward_spec()
        self._reward_spec = specs.BoundedArray(
            inner.shape,
            np.result_type(inner.dtype, np.float32),
            minimum,
            maximum,
            name=inner.name,
        )

    def step(self, action: Any) -> dm_env.TimeStep:
        """Takes one step."""
        timestep = self._environment.step(action)
        if timestep.first():
            return timestep
        reward = min(max(timestep.reward, self._minimum), self._maximum)
        return timestep._replace(reward=self._reward_spec.dtype.type(reward))

    def reward_spec(self) -> Any:
        """The wrapped reward spec, floating-point and bounded."""
        return self._reward_spec
