"""Policies that draw their actions from a distribution."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import tensorflow as tf

from tfagents_core import core, specs, types


class ActionDistribution(Protocol):
    """A distribution over actions for each of K environments."""

    def sample(self, seed: tf.Tensor) -> types.NestedTensor:
        """Actions `[K, ...]`, drawn with `seed` `[2]` int32."""

    def mode(self) -> types.NestedTensor:
        """The likeliest actions, `[K, ...]`."""

    def log_prob(self, action: types.NestedTensor) -> tf.Tensor:
        """Log-probabilities or log-densities `[K]` of actions `[K, ...]`."""


class StochasticPolicy(core.Policy):
    """Draws actions, and stores their log-probabilities beside them.

    What learns from the actions later can so tell how likely they were when they were
    taken: `extras` are `{"log_prob": [K] float32}`. In evaluation the likeliest action
    is taken, and there are no extras.

    Args:
        distribution: maps observations `[K, ...]` to distributions over actions.
        variables: all variables that it reads; see `core.Policy.variables`.
        evaluation: whether to take the likeliest action.
    """

    def __init__(
        self,
        distribution: Callable[[types.NestedTensor], ActionDistribution],
        variables: Sequence[tf.Variable],
        *,
        evaluation: bool,
    ) -> None:
        self._distribution = distribution
        self._evaluation = evaluation
        self.variables = tuple(variables)
        if not evaluation:
            self.extras_spec = {"log_prob": specs.Array((), np.float32, "log_prob")}

    def __call__(
        self,
        observation: types.NestedTensor,
        state: types.NestedTensor,
        context: core.PolicyContext,
    ) -> core.PolicyOutput:
        """Drawn actions with their log-probabilities, or the likeliest ones."""
        del state
        distribution = self._distribution(observation)
        if self._evaluation:
            return core.PolicyOutput(distribution.mode())
        action = distribution.sample(context.seed)
        log_prob = distribution.log_prob(action)  # [K]
        return core.PolicyOutput(action, extras={"log_prob": log_prob})
