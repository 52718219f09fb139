"""From timesteps to the rows the replay stores."""

from __future__ import annotations

from typing import Any, NamedTuple

import dm_env
import numpy as np
import tree

from tfagents_core import core, replay, specs, types

# As integers: NumPy compares with an enumeration's member five times as slowly.
_FIRST, _LAST = int(dm_env.StepType.FIRST), int(dm_env.StepType.LAST)


class Row(NamedTuple):
    """One timestep and the action that led to it.

    A row is complete the moment the environment answers, so K environments always
    append exactly one row each. In the first row of an episode there was no action:
    action, reward and extras are zeros and the discount is 1.

    Attributes:
        observation: o_t; of a stack of frames only the newest frame.
        action: a_{t-1}.
        reward: r_t, the reward of a_{t-1}.
        discount: 0 if the episode truly ended at t, else 1 (or the environment's own).
        extras: additional policy outputs stored with a_{t-1}.
    """

    observation: Any
    action: Any
    reward: Any
    discount: Any
    extras: Any = ()


def row_spec(spec: specs.EnvironmentSpec, extras_spec: types.NestedSpec = ()) -> Row:
    """The nest of array specs of one environment's rows."""
    return Row(
        observation=tree.map_structure(_stored_spec, spec.observations),
        action=spec.actions,
        reward=spec.rewards,
        discount=spec.discounts,
        extras=extras_spec,
    )


def compress_images(rows: Row) -> Row:
    """`rows` with observations of uint8 and two axes or more compressed in the replay.

    Real frames shrink to a tenth and less; drawing them takes about twice as long.
    """

    def convert(spec: types.NestedSpec) -> types.NestedSpec:
        is_image = np.dtype(spec.dtype) == np.uint8 and len(spec.shape) > 1
        if not is_image:
            return spec
        return replay.Column(spec.shape, spec.dtype, compression="lz4")

    return rows._replace(observation=tree.map_structure(convert, rows.observation))


def _stored_spec(spec: specs.Array) -> specs.Array:
    return spec.frame if isinstance(spec, specs.StackedArray) else spec


class RowAdder(core.Adder):
    """Appends one row for each environment at every tick.

    Tables decide what rows become: n-step transitions, sequences or episodes
    (`adders.n_step_table` and the functions beside it), so every agent shares this
    adder.
    Not thread-safe: one actor owns it.

    Args:
        spec: the environments' specs.
        client: where the rows go.
        extras_spec: nest of specs of the policy's additional outputs.
        max_abs_reward: rewards are clipped to plus or minus this before they are
            stored; None stores them as they are.
    """

    def __init__(
        self,
        spec: specs.EnvironmentSpec,
        client: core.ReplayClient,
        *,
        extras_spec: types.NestedSpec = (),
        max_abs_reward: float | None = None,
    ) -> None:
        self._client = client
        self._max_abs_reward = max_abs_reward
        self._is_stacked = tree.map_structure(
            lambda s: isinstance(s, specs.StackedArray), spec.observations
        )
        self._any_stacked = any(tree.flatten(self._is_stacked))
        self._zero_action = specs.zeros(spec.actions)
        self._zero_extras = specs.zeros(extras_spec)

    def add_first(self, timestep: dm_env.TimeStep) -> None:
        """Begins an episode in every environment."""
        size = len(timestep.step_type)

        def repeat(zero: np.ndarray) -> np.ndarray:
            return np.zeros((size, *zero.shape), zero.dtype)

        self.add(
            tree.map_structure(repeat, self._zero_action),
            timestep,
            tree.map_structure(repeat, self._zero_extras),
        )

    def add(
        self,
        action: types.NestedArray,
        next_timestep: dm_env.TimeStep,
        extras: types.NestedArray = (),
    ) -> None:
        """Appends the rows `[K, ...]` of one tick."""
        first = next_timestep.step_type == _FIRST
        if first.any():
            action, extras = tree.map_structure(
                lambda values: _zero_where(first, values), (action, extras)
            )
        reward = next_timestep.reward
        if self._max_abs_reward is not None:
            limit = self._max_abs_reward
            reward = tree.map_structure(lambda r: np.clip(r, -limit, limit), reward)
        row = Row(
            observation=self._newest_frames(next_timestep.observation),
            action=action,
            reward=reward,
            discount=next_timestep.discount,
            extras=extras,
        )
        last = next_timestep.step_type == _LAST
        self._client.append(row, first=first, last=last)

    def _newest_frames(self, observation: types.NestedArray) -> types.NestedArray:
        if not self._any_stacked:
            return observation
        return tree.map_structure(
            lambda values, stacked: values[:, -1] if stacked else values,
            observation,
            self._is_stacked,
        )


def _zero_where(mask: np.ndarray, values: np.ndarray) -> np.ndarray:
    """A copy of `values` `[K, ...]` with zeros in the rows that `mask` `[K]` marks."""
    values = values.copy()
    values[mask] = 0
    return values
