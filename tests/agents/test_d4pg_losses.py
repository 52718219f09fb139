"""D4PG's two losses, computed by hand for a batch of two transitions.

The networks are as small as can be. An observation and an action are one number each;
the policy is `a = w * o`, and the critic has the two atoms 0 and 1 with logits
`(0, c * (o + a))`, so that the mass of atom 1 and the mean return are both
`p = sigmoid(c * (o + a))`. With `c = 1` that is 1/4, 1/2 or 3/4 where `o + a` is
-ln 3, 0 or ln 3.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import sonnet as snt
import tensorflow as tf

from tfagents_core import replay
from tfagents_core.agents import d4pg

LN3 = math.log(3)


class LinearPolicy(snt.Module):
    """`a = w * o`."""

    def __init__(self, w: float) -> None:
        super().__init__()
        self.w = tf.Variable(w)

    def __call__(self, observation: tf.Tensor) -> tf.Tensor:
        return self.w * observation  # [B, 1]


class TwoAtomCritic(snt.Module):
    """Logits `(0, c * (o + a))`."""

    def __init__(self, c: float) -> None:
        super().__init__()
        self.c = tf.Variable(c)

    def __call__(self, observation: tf.Tensor, action: tf.Tensor) -> tf.Tensor:
        z = self.c * (observation + action)  # [B, 1]
        return tf.concat([tf.zeros_like(z), z], axis=-1)  # [B, 2]


def make_networks(w: float, c: float) -> d4pg.D4PGNetworks:
    return d4pg.D4PGNetworks(LinearPolicy(w), TwoAtomCritic(c), tf.constant([0.0, 1.0]))


def make_transition() -> replay.Transition:
    """The second transition is terminal."""
    return replay.Transition(
        observation=tf.constant([[0.0], [-LN3]]),
        action=tf.constant([[0.0], [0.0]]),
        reward=tf.constant([0.25, 1.0]),
        discount=tf.constant([0.5, 0.0]),
        next_observation=tf.constant([[LN3 / 2], [5.0]]),
    )


def test_critic_loss_gives_the_values_computed_by_hand() -> None:
    online, target = make_networks(w=-9.0, c=1.0), make_networks(w=1.0, c=1.0)
    output = d4pg.critic_loss(online, target, make_transition())

    # First transition. Target: the target policy acts ln 3 / 2 at o_t = ln 3 / 2, so
    # the target critic puts 3/4 on atom 1. Atoms 0 and 1 move to 0.25 + 0.5 * 0 = 0.25
    # and 0.25 + 0.5 * 1 = 0.75; of a point in between, atom 1 gets as much as the
    # point's value: 1/4 * 0.25 + 3/4 * 0.75 = 0.625.
    # Second: r_t + 0 * anything = 1, so all mass is on atom 1.
    np.testing.assert_allclose(output.target, [[0.375, 0.625], [0, 1]], atol=1e-6)
    # Estimates: sigmoid(0) = 1/2, sigmoid(-ln 3) = 1/4. Cross-entropies:
    # -0.375 ln 1/2 - 0.625 ln 1/2 = ln 2, and -ln 1/4 = ln 4.
    np.testing.assert_allclose(output.loss, [math.log(2), math.log(4)], rtol=1e-5)
    # Means: 0.625 - 0.5, 1 - 0.25.
    np.testing.assert_allclose(output.td_error, [0.125, 0.75], rtol=1e-5)


def test_critic_loss_moves_the_online_critic_and_nothing_else() -> None:
    online, target = make_networks(w=0.5, c=1.0), make_networks(w=1.0, c=1.0)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(d4pg.critic_loss(online, target, make_transition()).loss)
    critic, *others = tape.gradient(
        loss, [online.critic.c, online.policy.w, target.critic.c, target.policy.w]
    )
    # d loss / d z is p - target, and d z / d c is o + a:
    # (0.5 - 0.625) * 0 + (0.25 - 1) * -ln 3.
    np.testing.assert_allclose(critic, 0.75 * LN3, rtol=1e-5)
    assert others == [None, None, None]


def test_policy_loss_gives_the_values_computed_by_hand() -> None:
    online = make_networks(w=1.0, c=1.0)
    loss, value = d4pg.policy_loss(online, tf.constant([[0.0], [LN3 / 2]]), None)

    # The policy acts 0 and ln 3 / 2, so o + a is 0 and ln 3.
    np.testing.assert_allclose(value, [0.5, 0.75], rtol=1e-6)
    # The value's slope p (1 - p) is 1/4 and 3/16; the loss is half its square.
    np.testing.assert_allclose(loss, [1 / 32, 9 / 512], rtol=1e-5)


@pytest.mark.parametrize(
    ("clip_norm", "expected"),
    [
        # d loss / d w is minus the slope times d a / d w = o: -1/4 * 0 - 3/16 * ln 3/2.
        (None, -3 / 16 * LN3 / 2),
        (1.0, -3 / 16 * LN3 / 2),  # No slope is longer than 1.
        (0.1, -0.1 * LN3 / 2),  # Both are longer than 0.1.
    ],
)
def test_policy_loss_moves_the_online_policy_up_the_critics_slope_and_nothing_else(
    clip_norm: float | None, expected: float
) -> None:
    online = make_networks(w=1.0, c=1.0)
    with tf.GradientTape() as tape:
        loss, _ = d4pg.policy_loss(online, tf.constant([[0.0], [LN3 / 2]]), clip_norm)
        total = tf.reduce_sum(loss)
    policy, critic = tape.gradient(total, [online.policy.w, online.critic.c])
    np.testing.assert_allclose(policy, expected, rtol=1e-5)
    assert critic is None


def test_the_logged_value_has_no_gradient() -> None:
    online = make_networks(w=1.0, c=1.0)
    with tf.GradientTape() as tape:
        _, value = d4pg.policy_loss(online, tf.constant([[1.0]]), None)
    assert tape.gradient(value, online.policy.w) is None


def test_losses_are_the_same_eagerly_and_in_a_graph() -> None:
    online, target = make_networks(w=0.5, c=1.0), make_networks(w=1.0, c=2.0)

    def both() -> tuple[tf.Tensor, ...]:
        transition = make_transition()
        critic = d4pg.critic_loss(online, target, transition)
        policy = d4pg.policy_loss(online, transition.observation, 0.1)
        return (*critic, *policy)

    for eager, graph in zip(both(), tf.function(both)(), strict=True):
        np.testing.assert_allclose(eager, graph, rtol=1e-5, atol=1e-7)
