"""The ensemble of critics."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfagents_core import networks

OBSERVATION = tf.constant(np.random.default_rng(7).normal(size=(5, 3)), tf.float32)
ACTION = tf.constant(np.random.default_rng(8).uniform(-1, 1, (5, 2)), tf.float32)


def make_critics(num_critics: int) -> networks.CriticEnsemble:
    critics = networks.CriticEnsemble(
        (8, 4), np.random.default_rng(0), num_critics=num_critics
    )
    critics(OBSERVATION, ACTION)  # Creates the variables.
    return critics


@pytest.mark.parametrize("num_critics", [1, 2, 5])
def test_each_critic_has_its_own_value(num_critics: int) -> None:
    values = make_critics(num_critics)(OBSERVATION, ACTION).numpy()
    assert values.shape == (5, num_critics)
    assert len(np.unique(values)) == values.size


def test_a_value_depends_on_observation_and_action() -> None:
    critics = make_critics(2)
    values = critics(OBSERVATION, ACTION)
    assert np.any(values != critics(OBSERVATION + 1, ACTION))
    assert np.any(values != critics(OBSERVATION, -ACTION))


def test_critics_share_no_variable() -> None:
    critics = make_critics(2)
    variables = critics.trainable_variables
    assert len(variables) == 12  # Weights and biases of three layers each.
    with tf.GradientTape() as tape:
        value = tf.reduce_sum(critics(OBSERVATION, ACTION)[:, 0])
    gradients = tape.gradient(
        value, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO
    )
    assert sum(bool(np.any(gradient != 0)) for gradient in gradients) == 6
