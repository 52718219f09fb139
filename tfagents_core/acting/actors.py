"""Actors: a policy, and where what it sees goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import dm_env
import numpy as np
import tensorflow as tf
import tree

from tfagents_core import core, tracing, types
from tfagents_core.acting import variables

Policy: TypeAlias = Callable[
    [types.NestedTensor, tf.Tensor, tf.Tensor], types.NestedTensor
]
"""Maps observations `[K, ...]`, a seed and a step count to actions `[K, ...]`.

The seed, int32 `[2]`, is new at every call and the only source of randomness, through
TensorFlow's stateless operations. The step count, int64 `[]`, is how many environment
steps the actor has chosen actions for before; exploration schedules follow it.
"""


class FeedForwardActor(core.Actor):
    """Acts with a policy that remembers nothing between steps. Not thread-safe.

    Args:
        policy: compiled with `tf.function`, for one K; another K gives a warning.
        seed: with the number of calls so far, the policy's only randomness.
        adder: takes what the actor sees; None for an actor nobody learns from.
        variable_client: fetches newer variables; None where the policy shares its
            variables with the learner.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        seed: int,
        adder: core.Adder | None = None,
        variable_client: variables.VariableClient | None = None,
    ) -> None:
        self._policy = tracing.function(policy, "An actor's policy")
        # The seed's first word tells actors apart, its second their calls.
        self._seed = np.array([seed % 2**31, 0], np.int32)
        self._num_steps = np.int64(0)
        self._adder = adder
        self._variable_client = variable_client

    def select_action(self, observation: types.NestedArray) -> types.NestedArray:
        """Actions `[K, ...]` for observations `[K, ...]`."""
        action = self._policy(
            tree.map_structure(tf.constant, observation),
            tf.constant(self._seed),
            tf.constant(self._num_steps),
        )
        self._seed[1] += 1
        self._num_steps += len(tree.flatten(observation)[0])
        return tree.map_structure(lambda tensor: tensor.numpy(), action)

    def observe_first(self, timestep: dm_env.TimeStep) -> None:
        """Hands the first timesteps to the adder."""
        if self._adder is not None:
            self._adder.add_first(timestep)

    def observe(
        self, action: types.NestedArray, next_timestep: dm_env.TimeStep
    ) -> None:
        """Hands one tick to the adder."""
        if self._adder is not None:
            self._adder.add(action, next_timestep)

    def update(self) -> None:
        """Fetches newer variables where the actor has a client and it is time to."""
        if self._variable_client is not None:
            self._variable_client.update()

    def state(self) -> dict[str, np.ndarray]:
        """The seed with the number of calls, and the number of steps."""
        return {"seed": self._seed.copy(), "num_steps": np.array(self._num_steps)}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Goes on from a `state`."""
        self._seed[:] = state["seed"]
        self._num_steps = np.int64(state["num_steps"])
