"""Policies that draw actions and say how likely they were."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfagents_core import acting, core, networks

LOGITS = tf.math.log([[0.2, 0.8], [0.9, 0.1], [0.5, 0.5]])


def make_policy(*, evaluation: bool) -> acting.StochasticPolicy:
    def distribution(observation: tf.Tensor) -> networks.Categorical:
        return networks.Categorical(LOGITS + observation)

    return acting.StochasticPolicy(distribution, [], evaluation=evaluation)


def call(policy: core.Policy, seed: int) -> core.PolicyOutput:
    context = core.PolicyContext(
        seed=tf.constant([0, seed]),
        num_steps=tf.constant(0, tf.int64),
        stream=tf.range(3),
        num_streams=3,
    )
    return policy(tf.zeros((3, 1)), (), context)


def test_extras_are_the_log_probabilities_of_the_actions_drawn() -> None:
    policy = make_policy(evaluation=False)
    probs = np.exp(LOGITS)
    drawn = set()
    for seed in range(20):
        output = call(policy, seed)
        action = output.action.numpy()
        drawn.add(tuple(action))
        np.testing.assert_allclose(
            output.extras["log_prob"], np.log(probs[range(3), action]), rtol=1e-5
        )
    assert len(drawn) > 1


def test_extras_are_of_the_spec_that_the_policy_gives() -> None:
    policy = make_policy(evaluation=False)
    spec, extras = policy.extras_spec["log_prob"], call(policy, 0).extras["log_prob"]
    assert extras.shape == (3, *spec.shape)
    assert extras.dtype == spec.dtype


def test_an_evaluation_takes_the_likeliest_action_and_stores_nothing() -> None:
    policy = make_policy(evaluation=True)
    for seed in range(5):
        output = call(policy, seed)
        np.testing.assert_array_equal(output.action, [1, 0, 0])
        assert output.extras == policy.extras_spec == ()
