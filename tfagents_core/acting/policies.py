"""Policies made of a function."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf

from tfagents_core import core, types

Act = Callable[[types.NestedTensor, core.PolicyContext], types.NestedTensor]
"""Maps observations `[K, ...]` and the context to actions `[K, ...]`."""


class FeedForwardPolicy(core.Policy):
    """A policy without memory and without extras.

    Args:
        act: chooses actions `[K, ...]` from observations `[K, ...]` and the context.
        variables: all variables that `act` reads; see `core.Policy.variables`.
    """

    def __init__(self, act: Act, variables: Sequence[tf.Variable]) -> None:
        self._act = act
        self.variables = tuple(variables)

    def __call__(
        self,
        observation: types.NestedTensor,
        state: types.NestedTensor,
        context: core.PolicyContext,
    ) -> core.PolicyOutput:
        """The actions of `act`."""
        del state
        return core.PolicyOutput(self._act(observation, context))
