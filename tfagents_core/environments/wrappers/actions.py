"""Action wrappers: canonical actions, and action repeat."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dm_env
import numpy as np
import tree

from tfagents_core import specs
from tfagents_core.environments import errors
from tfagents_core.environments.wrappers import base


class CanonicalActions(base.EnvironmentWrapper):
    """Takes discrete actions as int32 and continuous ones as float32 in `[-1, 1]`.

    A continuous action `a` is scaled to `middle + a * half_range` of the wrapped
    environment's bounds. Nested actions are converted leaf by leaf.
    """

    def __init__(self, environment: dm_env.Environment, *, clip: bool = True) -> None:
        """Wraps `environment`.

        Args:
            environment: its actions are discrete, or floating-point with finite bounds.
            clip: clip continuous actions to `[-1, 1]`; otherwise they are only scaled,
                and the environment deals with those out of bounds.

        Raises:
            errors.UnsupportedEnvironmentError: if an action is of any other kind.
        """
        super().__init__(environment)
        inner = environment.action_spec()
        self._action_spec = tree.map_structure(_canonical_spec, inner)
        self._is_nested = tree.is_nested(inner)
        self._converters = [_converter(spec, clip) for spec in tree.flatten(inner)]

    def step(self, action: Any) -> dm_env.TimeStep:
        """Converts the canonical action and takes one step with it.

        Raises:
            ValueError: if a discrete action is out of range.
        """
        return self._environment.step(self._convert(action))

    def _convert(self, action: Any) -> Any:
        if not self._is_nested:
            return self._converters[0](action)
        leaves = tree.flatten_up_to(self._action_spec, action)
        converted = [
            convert(leaf)
            for convert, leaf in zip(self._converters, leaves, strict=True)
        ]
        return tree.unflatten_as(self._action_spec, converted)

    def action_spec(self) -> Any:
        """`DiscreteArray` of int32, or `BoundedArray` of float32 in `[-1, 1]`."""
        return self._action_spec


def _canonical_spec(spec: specs.Array) -> specs.Array:
    if isinstance(spec, specs.DiscreteArray):
        return specs.DiscreteArray(spec.num_values, dtype=np.int32, name=spec.name)
    if not np.issubdtype(spec.dtype, np.floating):
        raise errors.UnsupportedEnvironmentError(
            f"Actions {spec} are neither discrete nor floating: wrap the environment to "
            "offer one of these."
        )
    bounded = isinstance(spec, specs.BoundedArray)
    if not bounded or not np.all(np.isfinite([spec.minimum, spec.maximum])):
        raise errors.UnsupportedEnvironmentError(
            f"Actions {spec} have no finite bounds, so they cannot be scaled to "
            "[-1, 1]: wrap the environment to give it bounds."
        )
    return specs.BoundedArray(spec.shape, np.float32, -1.0, 1.0, name=spec.name)


def _converter(spec: specs.Array, clip: bool) -> Callable[[Any], Any]:
    if isinstance(spec, specs.DiscreteArray):
        return _discrete_converter(spec)
    middle, half_range = specs.middle_and_half_range(spec)
    minimum, maximum = np.float64(spec.minimum), np.float64(spec.maximum)

    def scale(action: Any) -> Any:
        scaled = middle + half_range * np.asarray(action, np.float64)
        if clip:  # After scaling, so that rounding cannot leave the bounds either.
            scaled = np.minimum(np.maximum(scaled, minimum), maximum)
        return np.asarray(scaled, spec.dtype)

    return scale


def _discrete_converter(spec: specs.DiscreteArray) -> Callable[[Any], Any]:
    num_values, scalar_type = int(spec.num_values), spec.dtype.type

    def check(action: Any) -> Any:
        index = int(action)
        if not 0 <= index < num_values:
            raise ValueError(f"Action {index} is not one of 0 to {num_values - 1}.")
        return scalar_type(index)

    return check


class ActionRepeat(base.EnvironmentWrapper):
    """Repeats each action for several steps, or until the episode ends.

    After `k` steps the agent receives the last observation, the discounted return
    `r_1 + d_1 r_2 + ... + d_1 ... d_{k-1} r_k` and the discount `d_1 ... d_k`.
    """

    def __init__(self, environment: dm_env.Environment, num_repeats: int) -> None:
        """Wraps `environment`; `num_repeats` >= 1 counts its steps.

        Raises:
            ValueError: if `num_repeats` is less than 1.
        """
        super().__init__(environment)
        if num_repeats < 1:
            raise ValueError(f"num_repeats must be >= 1, not {num_repeats}.")
        self._num_repeats = num_repeats

    @property
    def steps_per_second(self) -> float:
        """Agent steps per second, each of `num_repeats` environment steps."""
        return float(self._environment.steps_per_second) / self._num_repeats

    def step(self, action: Any) -> dm_env.TimeStep:
        """Takes up to `num_repeats` steps with the same action."""
        timestep = self._environment.step(action)
        if timestep.first():  # A reset, which has no reward to add to.
            return timestep
        reward, discount = timestep.reward, timestep.discount
        for _ in range(self._num_repeats - 1):
            if timestep.last():
                break
            timestep = self._environment.step(action)
            reward = reward + discount * timestep.reward
            discount = discount * timestep.discount
        return timestep._replace(reward=reward, discount=discount)
