"""Observation wrappers."""

from __future__ import annotations

from typing import Any

import dm_env
import numpy as np
import numpy.typing as npt
import tree

from tfagents_core import specs
from tfagents_core.environments.wrappers import base


class ConcatObservation(base.EnvironmentWrapper):
    """Concatenates a nested observation into one float32 vector [D].

    Each part is flattened; the parts are in the order of `tree.flatten`, which sorts
    dictionaries by key.
    """

    def __init__(self, environment: dm_env.Environment) -> None:
        super().__init__(environment)
        parts = tree.flatten(environment.observation_spec())
        num_dimensions = sum(int(np.prod(spec.shape)) for spec in parts)
        self._observation_spec = specs.Array(
            (num_dimensions,), np.float32, name="observation"
        )

    def reset(self) -> dm_env.TimeStep:
        """Begins the next episode."""
        return _concatenate(self._environment.reset())

    def step(self, action: Any) -> dm_env.TimeStep:
        """Takes one step."""
        return _concatenate(self._environment.step(action))

    def observation_spec(self) -> Any:
        """One float32 vector [D]."""
        return self._observation_spec


def _concatenate(timestep: dm_env.TimeStep) -> dm_env.TimeStep:
    parts: list[npt.NDArray[Any]] = [
        np.ravel(part) for part in tree.flatten(timestep.observation)
    ]
    vector = np.concatenate(parts, dtype=np.float32, casting="unsafe")
    return timestep._replace(observation=vector)
