"""The contract of policies."""

from __future__ import annotations

import abc

import numpy as np
import tensorflow as tf
import tree

from tfagents_core import core, specs, types
from tfagents_core.testing import values


class PolicyContract(abc.ABC):
    """Tests that a policy is pure, batched, and says what it reads."""

    @abc.abstractmethod
    def make_policy(self) -> core.Policy:
        """The policy, its variables created."""

    @abc.abstractmethod
    def make_spec(self) -> specs.EnvironmentSpec:
        """Specs of the environments that it acts in."""

    def test_outputs_have_a_row_for_each_environment(self) -> None:
        """For any number of environments."""
        check_output(self.make_policy(), self.make_spec())

    def test_a_call_gives_a_state_like_the_initial_one(self) -> None:
        """So that it can be passed to the next call."""
        policy, spec = self.make_policy(), self.make_spec()
        initial = policy.initial_state(3)
        state = call(policy, spec, 3).state
        tree.assert_same_structure(initial, state)
        for before, after in zip(
            tree.flatten(initial), tree.flatten(state), strict=True
        ):
            assert before.shape == after.shape
            assert before.dtype == after.dtype
            assert before.shape[0] == 3

    def test_the_same_seed_gives_the_same_output(self) -> None:
        """The context's seed is the only source of randomness."""
        policy, spec = self.make_policy(), self.make_spec()
        outputs = [call(policy, spec, 3, seed=7) for _ in range(2)]
        tree.map_structure(np.testing.assert_array_equal, *outputs)

    def test_a_call_changes_no_variable(self) -> None:
        """What a policy remembers goes through its state."""
        policy, spec = self.make_policy(), self.make_spec()
        before = [variable.numpy() for variable in policy.variables]
        call(policy, spec, 3)
        for old, variable in zip(before, policy.variables, strict=True):
            np.testing.assert_array_equal(old, variable.numpy())

    def test_the_policy_lists_every_variable_that_it_reads(self) -> None:
        """Actors elsewhere would otherwise act with old ones."""
        policy, spec = self.make_policy(), self.make_spec()

        act = tf.function(lambda: call(policy, spec, 2))
        listed = {variable.ref() for variable in policy.variables}
        read = act.get_concrete_function().variables
        missing = [v.name for v in read if v.ref() not in listed]
        assert not missing, f"not in Policy.variables: {missing}"
        assert len(listed) == len(policy.variables), "a variable is listed twice"


def check_output(policy: core.Policy, spec: specs.EnvironmentSpec) -> None:
    """Makes sure that actions and extras fit their specs, for several sizes."""
    for size in (1, 3):
        output = call(policy, spec, size)
        # Environments clip continuous actions: a Gaussian's sample may be anywhere, and
        # the replay must have it as it was drawn.
        values.check_fits(spec.actions, output.action, batch=(size,), may_exceed=True)
        values.check_fits(policy.extras_spec, output.extras, batch=(size,))


def call(
    policy: core.Policy, spec: specs.EnvironmentSpec, size: int, *, seed: int = 0
) -> core.PolicyOutput:
    """One call of a policy on random observations, from its initial state."""
    observation = values.sample(
        spec.observations, np.random.default_rng(1), batch=(size,)
    )
    context = core.PolicyContext(
        seed=tf.constant([seed, 1], tf.int32),
        num_steps=tf.constant(5, tf.int64),
        stream=tf.range(size),
        num_streams=size,
    )
    tensors: types.NestedTensor = tree.map_structure(tf.constant, observation)
    return policy(tensors, policy.initial_state(size), context)
