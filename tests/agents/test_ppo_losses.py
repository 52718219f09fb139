"""PPO's samples and loss, computed by hand.

Observations are one-hot, so that a linear layer without bias is a table: row s of its
weights holds the logits, or the value, of state s.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import sonnet as snt
import tensorflow as tf

from tfagents_core import networks, replay
from tfagents_core.agents import ppo

CONFIG = ppo.PPOConfig(
    clip_epsilon=0.2,
    value_clip_epsilon=None,
    value_coefficient=0.5,
    entropy_coefficient=0.01,
    normalize_advantages=True,
)


class Table(snt.Module):
    """One row for each state."""

    def __init__(self, rows: list[list[float]], *, logits: bool) -> None:
        super().__init__()
        self.rows = tf.Variable(rows, dtype=tf.float32)
        self._logits = logits

    def __call__(self, states: tf.Tensor) -> Any:
        rows = states @ self.rows
        return networks.Categorical(rows) if self._logits else rows


def make_networks(values: list[float]) -> ppo.PPONetworks:
    """pi(1 | 0) is 3/4, and everything else is even."""
    logits = [[0.0, math.log(3)]] + [[0.0, 0.0]] * (len(values) - 1)
    return ppo.PPONetworks(
        torso=snt.allow_empty_variables(snt.Flatten()),
        policy=Table(logits, logits=True),
        value=Table([[value] for value in values], logits=False),
    )


def make_samples() -> ppo.Samples:
    """State 0 with action 1, whose ratio is 1.5, and state 1 with action 0, 1."""
    return ppo.Samples(
        observation=tf.eye(2),
        action=tf.constant([1, 0]),
        log_mu=tf.math.log([0.5, 0.5]),
        advantage=tf.constant([3.0, -1.0]),
        value=tf.constant([1.0, 2.0]),
        target=tf.constant([2.0, 0.0]),
    )


ENTROPY = (math.log(2) - 0.75 * math.log(0.75) - 0.25 * math.log(0.25)) / 2


def test_the_loss_is_what_was_computed_by_hand() -> None:
    metrics = ppo.ppo_loss(make_networks([1, 2]), make_samples(), CONFIG)
    # Normalised, the advantages are 1 and -1; the first ratio counts as 1.2.
    np.testing.assert_allclose(metrics.policy_loss, -(1.2 - 1) / 2, rtol=1e-5)
    # Errors 1 and -2: half of 1 and half of 4.
    np.testing.assert_allclose(metrics.value_loss, (0.5 + 2) / 2)
    np.testing.assert_allclose(metrics.entropy, ENTROPY, rtol=1e-5)
    np.testing.assert_allclose(
        metrics.loss, -0.1 + 0.5 * 1.25 - 0.01 * ENTROPY, rtol=1e-5
    )
    np.testing.assert_allclose(metrics.kl, (0.5 - math.log(1.5)) / 2, rtol=1e-5)
    np.testing.assert_allclose(metrics.clip_fraction, 0.5)


def test_advantages_may_be_left_as_they_are() -> None:
    config = dataclasses.replace(CONFIG, normalize_advantages=False)
    metrics = ppo.ppo_loss(make_networks([1, 2]), make_samples(), config)
    np.testing.assert_allclose(metrics.policy_loss, -(3 * 1.2 - 1) / 2, rtol=1e-5)


def test_values_may_be_clipped() -> None:
    config = dataclasses.replace(CONFIG, value_clip_epsilon=0.5)
    metrics = ppo.ppo_loss(make_networks([2, 2]), make_samples(), config)
    # The first value has reached its target, but is held at 1.5: half of a quarter.
    np.testing.assert_allclose(metrics.value_loss, (0.125 + 2) / 2)


def test_a_minibatch_of_equal_advantages_gives_no_nan() -> None:
    samples = make_samples()._replace(advantage=tf.constant([2.0, 2.0]))
    metrics = ppo.ppo_loss(make_networks([1, 2]), samples, CONFIG)
    assert metrics.policy_loss == 0


def test_gradients_move_policy_and_value_as_computed_by_hand() -> None:
    nets = make_networks([1, 2])
    config = dataclasses.replace(CONFIG, entropy_coefficient=0.0)
    with tf.GradientTape() as tape:
        loss = ppo.ppo_loss(nets, make_samples(), config).loss
    logits, values = tape.gradient(loss, [nets.policy.rows, nets.value.rows])
    # State 0: the clip is active. State 1: rho / 2 times (1, 0) - (1/2, 1/2).
    np.testing.assert_allclose(logits, [[0, 0], [0.25, -0.25]], atol=1e-6)
    # Half of each error (value minus target), times the coefficient.
    np.testing.assert_allclose(values, [[0.5 * -1 / 2], [0.5 * 2 / 2]])


def test_the_entropy_bonus_makes_the_policy_more_even() -> None:
    nets = make_networks([1, 2])
    samples = make_samples()._replace(advantage=tf.zeros(2))
    with tf.GradientTape() as tape:
        loss = ppo.ppo_loss(nets, samples, CONFIG).loss
    gradient = tape.gradient(loss, nets.policy.rows).numpy()
    assert gradient[0, 0] < 0 < gradient[0, 1]  # Action 1 was the likelier.
    np.testing.assert_allclose(gradient[1], [0, 0], atol=1e-7)


def make_unroll(discount: float) -> replay.Unroll:
    """States 0, 1 and 2; the second step ends its episode in state 3."""
    states = tf.eye(4)
    return replay.Unroll(
        observation=tf.gather(states, [[0, 1, 2]]),
        action=tf.constant([[1, 0, 1]]),
        reward=tf.constant([[1.0, 0.0, 2.0]]),
        discount=tf.constant([[1.0, discount, 1.0]]),
        next_observation=tf.gather(states, [[1, 3, 0]]),
        is_first=tf.constant([[False, False, True]]),
        extras={"log_prob": tf.constant([[-1.0, -2.0, -3.0]])},
    )


@pytest.mark.parametrize(
    ("discount", "advantage"),
    [
        # By a time limit. TD errors: 1 + 1 - 1, 0 + 5 - 2, 2 + 0.5 - 3.
        (1.0, [1 + 0.25 * 3, 3, -0.5]),
        # For good. TD errors: the same, but 0 - 2.
        (0.0, [1 + 0.25 * -2, -2, -0.5]),
    ],
)
def test_samples_are_what_was_computed_by_hand(
    discount: float, advantage: list[float]
) -> None:
    nets = make_networks([1, 2, 3, 10])
    samples = ppo.make_samples(nets, make_unroll(discount), discount=0.5, lambda_=0.5)
    np.testing.assert_allclose(samples.advantage, advantage)
    np.testing.assert_allclose(samples.value, [1, 2, 3])
    np.testing.assert_allclose(samples.target, np.add(advantage, [1, 2, 3]))
    np.testing.assert_array_equal(samples.action, [1, 0, 1])
    np.testing.assert_array_equal(samples.log_mu, [-1, -2, -3])
    np.testing.assert_array_equal(samples.observation, tf.eye(4)[:3])


def test_no_gradient_reaches_the_values_through_samples() -> None:
    nets = make_networks([1, 2, 3, 10])
    with tf.GradientTape() as tape:
        samples = ppo.make_samples(nets, make_unroll(1.0), discount=0.5, lambda_=0.5)
        total = tf.reduce_sum(samples.advantage + samples.value + samples.target)
    assert tape.gradient(total, nets.value.rows) is None


def test_loss_and_samples_are_the_same_eagerly_and_in_a_graph() -> None:
    nets = make_networks([1, 2, 3, 10])

    def both() -> tuple[tf.Tensor, ...]:
        samples = ppo.make_samples(nets, make_unroll(1.0), discount=0.5, lambda_=0.5)
        return (*samples, *ppo.ppo_loss(nets, samples, CONFIG))

    for eager, graph in zip(both(), tf.function(both)(), strict=True):
        np.testing.assert_allclose(eager, graph, rtol=1e-5)
