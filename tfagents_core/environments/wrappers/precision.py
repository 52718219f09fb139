"""Conversion to single precision."""

from __future__ import annotations

from typing import Any

import dm_env
import numpy as np
import tree

from tfagents_core import specs
from tfagents_core.environments.wrappers import base


class SinglePrecision(base.EnvironmentWrapper):
    """Converts floating-point observations, all rewards and discounts to float32.

    Integer observations, such as uint8 frames, are unchanged.
    """

    def __init__(self, environment: dm_env.Environment) -> None:
        super().__init__(environment)
        self._observation_spec = tree.map_structure(
            _single_precision_spec, environment.observation_spec()
        )
        self._reward_spec = tree.map_structure(_float_spec, environment.reward_spec())
        self._discount_spec = tree.map_structure(
            _float_spec, environment.discount_spec()
        )

    def reset(self) -> dm_env.TimeStep:
        """Begins the next episode."""
        return self._convert(self._environment.reset())

    def step(self, action: Any) -> dm_env.TimeStep:
        """Takes one step."""
        return self._convert(self._environment.step(action))

    def _convert(self, timestep: dm_env.TimeStep) -> dm_env.TimeStep:
        return dm_env.TimeStep(
            timestep.step_type,
            _to_float(timestep.reward),
            _to_float(timestep.discount),
            _to_single_precision(timestep.observation),
        )

    def observation_spec(self) -> Any:
        """The wrapped observation spec, with float32 for every floating type."""
        return self._observation_spec

    def reward_spec(self) -> Any:
        """The wrapped reward spec, in float32."""
        return self._reward_spec

    def discount_spec(self) -> Any:
        """The wrapped discount spec, in float32."""
        return self._discount_spec


def _float_spec(spec: specs.Array) -> specs.Array:
    if not isinstance(spec, specs.BoundedArray):
        return specs.Array(spec.shape, np.float32, name=spec.name)
    with np.errstate(over="ignore"):  # A float64 bound beyond float32 becomes inf.
        return specs.BoundedArray(
            spec.shape, np.float32, spec.minimum, spec.maximum, name=spec.name
        )


def _single_precision_spec(spec: specs.Array) -> specs.Array:
    if not np.issubdtype(spec.dtype, np.floating) or spec.dtype == np.float32:
        return spec
    if isinstance(spec, specs.StackedArray):
        return spec.replace(dtype=np.float32)
    return _float_spec(spec)


def _to_float(value: Any) -> Any:
    if value is None or isinstance(value, np.float32):
        return value
    if isinstance(value, (float, int)):  # Nearly all, and much faster than `tree`.
        return np.float32(value)
    return tree.map_structure(lambda v: np.asarray(v, np.float32)[()], value)


def _to_single_precision(value: Any) -> Any:
    if tree.is_nested(value):
        return tree.map_structure(_to_single_precision, value)
    array = np.asarray(value)
    if np.issubdtype(array.dtype, np.floating) and array.dtype != np.float32:
        return array.astype(np.float32)
    return array
