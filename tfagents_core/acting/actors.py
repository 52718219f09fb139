"""The actor that runs a policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dm_env
import numpy as np
import tensorflow as tf
import tree

from tfagents_core import core, functions, types

# As integers: NumPy compares with an enumeration's member five times as slowly.
_FIRST = int(dm_env.StepType.FIRST)


class PolicyActor(core.Actor):
    """Acts with any policy, feed-forward or recurrent. Not thread-safe.

    Where an episode begins, the policy's state is set to `Policy.initial_state`.

    Args:
        policy: compiled with `tf.function`, for one K; another K gives a warning.
        seed: with the number of calls so far, the policy's only randomness.
        adder: takes what the actor observes; None for an actor nobody learns from.
        variable_client: fetches newer variables; None where the policy shares its
            variables with the learner.
        streams: index of each environment among all of the run; None for 0..K-1.
        num_streams: environments of the whole run; None for K.
    """

    def __init__(
        self,
        policy: core.Policy,
        *,
        seed: int,
        adder: core.Adder | None = None,
        variable_client: core.VariableClient | None = None,
        streams: Sequence[int] | None = None,
        num_streams: int | None = None,
    ) -> None:
        self._policy = policy
        self._act = functions.Function(self._act_once, "An actor's policy")
        # The seed's first word tells actors apart, its second their calls.
        self._seed = np.array([seed % 2**31, 0], np.int32)
        self._num_steps = np.zeros((), np.int64)
        self._adder = adder
        self._variable_client = variable_client
        self._streams = streams
        self._num_streams = num_streams
        # A policy without memory has an empty nest here, and nothing to reset.
        self._has_state = bool(tree.flatten(policy.initial_state(1)))
        self._state: types.NestedArray = ()
        self._is_first: np.ndarray | tuple[()] = ()
        self._extras: types.NestedArray = ()

    def select_action(self, observation: types.NestedArray) -> types.NestedArray:
        """Actions `[K, ...]` for observations `[K, ...]`."""
        if self._has_state and not tree.flatten(self._state):
            self._begin(len(tree.flatten(observation)[0]))
        action, self._state, self._extras = self._act(
            observation, self._state, self._is_first, self._seed, self._num_steps
        )
        self._seed[1] += 1
        return action

    def _begin(self, size: int) -> None:
        self._state = _to_numpy(self._policy.initial_state(size))
        self._is_first = np.ones(size, bool)

    def _act_once(
        self,
        observation: types.NestedTensor,
        state: types.NestedTensor,
        is_first: tf.Tensor,
        seed: tf.Tensor,
        num_steps: tf.Tensor,
    ) -> core.PolicyOutput:
        size = tree.flatten(observation)[0].shape[0]
        if self._has_state:
            initial = self._policy.initial_state(size)
            state = tree.map_structure(
                lambda new, old: _where(is_first, new, old), initial, state
            )
        context = core.PolicyContext(
            seed=seed,
            num_steps=num_steps,
            stream=tf.constant(self._streams or list(range(size)), tf.int32),
            num_streams=self._num_streams or size,
        )
        return self._policy(observation, state, context)

    def observe_first(self, timestep: dm_env.TimeStep) -> None:
        """Resets the policy's state and hands the first timesteps to the adder."""
        if self._has_state:
            self._begin(len(timestep.step_type))
        if self._adder is not None:
            self._adder.add_first(timestep)

    def observe(
        self, action: types.NestedArray, next_timestep: dm_env.TimeStep
    ) -> None:
        """Counts the steps and hands one tick to the adder."""
        is_first = next_timestep.step_type == _FIRST
        # A reset is a tick, but no step: exploration schedules count what was acted.
        self._num_steps += len(is_first) - np.count_nonzero(is_first)
        if self._has_state:
            self._is_first = is_first
        if self._adder is not None:
            self._adder.add(action, next_timestep, self._extras)

    def update(self) -> None:
        """Fetches newer variables where the actor has a client and it is time to."""
        if self._variable_client is not None:
            self._variable_client.update()

    def state(self) -> dict[str, np.ndarray]:
        """The seed with the number of calls, the step count, the policy's state."""
        state: dict[str, Any] = {
            "seed": self._seed.copy(),
            "num_steps": self._num_steps.copy(),
        }
        if tree.flatten(self._state):
            state["is_first"] = np.array(self._is_first)
            for index, leaf in enumerate(tree.flatten(self._state)):
                state[f"policy/{index}"] = leaf
        return state

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Resumes from a `state`."""
        self._seed[:] = state["seed"]
        self._num_steps[()] = state["num_steps"]
        if "is_first" not in state:
            return
        self._is_first = state["is_first"].copy()
        structure = self._policy.initial_state(1)
        leaves = [
            state[f"policy/{index}"] for index in range(len(tree.flatten(structure)))
        ]
        self._state = tree.unflatten_as(structure, leaves)


def _where(mask: tf.Tensor, new: tf.Tensor, old: tf.Tensor) -> tf.Tensor:
    """`new` in the rows that `mask` `[K]` marks, `old` in the others; `[K, ...]`."""
    expanded = tf.reshape(mask, [-1] + [1] * (old.shape.rank - 1))
    return tf.where(expanded, new, old)


def _to_numpy(nest: types.NestedTensor) -> types.NestedArray:
    return tree.map_structure(lambda tensor: tensor.numpy(), nest)
