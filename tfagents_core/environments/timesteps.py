"""Timesteps of several environments as one, with a leading axis."""

from __future__ import annotations

import math
from collections.abc import Sequence

import dm_env
import numpy as np
import tree

from tfagents_core import specs, types
from tfagents_core.environments import errors


def stack(
    spec: specs.EnvironmentSpec,
    timesteps: Sequence[dm_env.TimeStep],
    *,
    first_index: int = 0,
) -> dm_env.TimeStep:
    """K timesteps as one with arrays `[K, ...]`; no reward yet is 0, discount 1.

    Args:
        spec: of one environment.
        timesteps: one of each environment.
        first_index: how errors call the first of them.

    Raises:
        errors.NotFiniteError: a reward or discount is not finite, or an observation is
            NaN; one such number would end all learning.
    """
    stacked = dm_env.TimeStep(
        step_type=np.asarray([t.step_type for t in timesteps]),
        reward=_stack_values(spec.rewards, [t.reward for t in timesteps], missing=0),
        discount=_stack_values(
            spec.discounts, [t.discount for t in timesteps], missing=1
        ),
        observation=_stack_observations([t.observation for t in timesteps]),
    )
    _check_finite(stacked, first_index)
    return stacked


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


def _check_finite(timestep: dm_env.TimeStep, first_index: int) -> None:
    # A sum of squares takes half a microsecond, and is NaN if and only if a value is.
    for name in ("reward", "discount"):
        for values in leaves(getattr(timestep, name)):
            if not math.isfinite(np.vdot(values, values)):
                _refuse(~np.isfinite(values), values, name, first_index)
    for values in leaves(timestep.observation):
        # An infinite observation may be meant, as of a sensor that sees nothing.
        if values.dtype.kind == "f" and math.isnan(np.vdot(values, values)):
            _refuse(np.isnan(values), values, "observation", first_index)


def _refuse(odd: np.ndarray, values: np.ndarray, name: str, first_index: int) -> None:
    """Raises `NotFiniteError` if anything in `odd` `[K, ...]` is true."""
    if odd.any():  # The sum of finite squares may be infinite.
        index = int(np.argwhere(odd)[0][0])
        raise errors.NotFiniteError(
            index,
            f"Environment {first_index + index} returned the {name} "
            f"{np.array2string(values[index], threshold=8)}, which is not finite.",
        )


def leaves(nest: types.NestedArray) -> list[np.ndarray]:
    """The arrays of a nest, quickly where it is one array."""
    return [nest] if isinstance(nest, np.ndarray) else tree.flatten(nest)


def of(nest: types.NestedArray, index: int) -> types.NestedArray:
    """What arrays `[K, ...]` hold for environment `index`."""
    if isinstance(nest, np.ndarray):
        return nest[index]
    return tree.map_structure(lambda values: values[index], nest)
