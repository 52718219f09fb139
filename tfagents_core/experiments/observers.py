"""Figures of episodes that say more than their returns."""

from __future__ import annotations

from collections.abc import Mapping

import dm_env
import numpy as np

from tfagents_core import core, specs, types


class ContinuousActionObserver(core.Observer):
    """How an agent uses its continuous actions, over each episode.

    A policy stuck at the edge of its actions shows as a magnitude near 1 with hardly
    any deviation.

    Args:
        spec: the environments' specs; actions are one array in [-1, 1].
    """

    def __init__(self, spec: specs.EnvironmentSpec) -> None:
        if not spec.is_continuous:
            raise ValueError(
                "ContinuousActionObserver needs continuous actions, and this "
                f"environment has {specs.describe(spec.actions)}."
            )
        self._actions: list[list[np.ndarray]] = []

    def observe_first(self, timestep: dm_env.TimeStep) -> None:
        """Begins K episodes."""
        self._actions = [[] for _ in timestep.step_type]

    def observe(
        self, action: types.NestedArray, next_timestep: dm_env.TimeStep
    ) -> None:
        """Keeps the actions, or begins anew where an episode did."""
        for index, step_type in enumerate(next_timestep.step_type):
            if step_type == dm_env.StepType.FIRST:
                self._actions[index] = []
            else:
                self._actions[index].append(action[index])

    def metrics(self, environment: int) -> Mapping[str, float]:
        """`action_magnitude`, mean of |a|, and `action_deviation`, std over time."""
        actions = np.stack(self._actions[environment])  # [T, A]
        return {
            "action_magnitude": float(np.abs(actions).mean()),
            "action_deviation": float(actions.std(axis=0).mean()),
        }
