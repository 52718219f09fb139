"""SAC's three losses, computed by hand for a batch of two.

The networks are as small as can be. An observation and an action are one number each.
The policy always acts `a = w * o`, with the log-probability `p * o`; critic i gives the
value `c_i * (o + a)`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import sonnet as snt
import tensorflow as tf

from tfagents_core import replay
from tfagents_core.agents import sac

SEED = tf.constant([0, 1])
TEMPERATURE = 0.1


class KnownDistribution(NamedTuple):
    """What the policy gives, whatever the seed."""

    action: tf.Tensor
    log_pi: tf.Tensor

    def sample_and_log_prob(self, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        del seed
        return self.action, self.log_pi


class LinearPolicy(snt.Module):
    """`a = w * o`, `log_pi = p * o`."""

    def __init__(self, w: float, p: float) -> None:
        super().__init__()
        self.w, self.p = tf.Variable(w), tf.Variable(p)

    def __call__(self, observation: tf.Tensor) -> KnownDistribution:
        return KnownDistribution(self.w * observation, self.p * observation[:, 0])


class LinearCritic(snt.Module):
    """`c_i * (o + a)` for critic i."""

    def __init__(self, *c: float) -> None:
        super().__init__()
        self.c = tf.Variable(c)

    def __call__(self, observation: tf.Tensor, action: tf.Tensor) -> tf.Tensor:
        return self.c * (observation + action)  # [B, 2]


def make_networks() -> sac.SACNetworks:
    return sac.SACNetworks(LinearPolicy(w=0.5, p=-1.0), LinearCritic(1.0, 3.0))


def make_transition() -> replay.Transition:
    """The second transition is terminal."""
    return replay.Transition(
        observation=tf.constant([[1.0], [2.0]]),
        action=tf.constant([[1.0], [0.0]]),
        reward=tf.constant([0.25, 1.0]),
        discount=tf.constant([0.5, 0.0]),
        next_observation=tf.constant([[2.0], [5.0]]),
    )


def test_critic_loss_gives_the_values_computed_by_hand() -> None:
    output = sac.critic_loss(
        make_networks(),
        LinearCritic(4.0, 2.0),
        make_transition(),
        temperature=tf.constant(TEMPERATURE),
        seed=SEED,
    )
    # First: the policy acts 1 at o_t = 2, with log-probability -2. The target critics
    # value it 4 * 3 and 2 * 3, of which 6 is less: v_t = 6 - 0.1 * -2 = 6.2, and the
    # target is 0.25 + 0.5 * 6.2 = 3.35. Second: 1 + 0 * anything = 1.
    np.testing.assert_allclose(output.target, [3.35, 1], rtol=1e-6)
    # The critics estimate 2 and 6 in both; errors 1.35 and -2.65, and -1 and -5.
    np.testing.assert_allclose(output.td_error, [-0.65, -3], rtol=1e-5)
    np.testing.assert_allclose(output.loss, [4.4225, 13], rtol=1e-5)


def test_critic_loss_moves_the_online_critics_and_nothing_else() -> None:
    networks, target = make_networks(), LinearCritic(4.0, 2.0)
    temperature = tf.Variable(TEMPERATURE)
    with tf.GradientTape() as tape:
        output = sac.critic_loss(
            networks, target, make_transition(), temperature=temperature, seed=SEED
        )
        loss = tf.reduce_sum(output.loss)
    policy = networks.policy
    critic, *others = tape.gradient(
        loss, [networks.critic.c, target.c, policy.w, policy.p, temperature]
    )
    # Minus the errors times o + a = 2: (-1.35 + 1) * 2 and (2.65 + 5) * 2.
    np.testing.assert_allclose(critic, [-0.7, 15.3], rtol=1e-5)
    assert others == [None] * 4


def test_policy_loss_gives_the_values_computed_by_hand() -> None:
    loss, log_pi = sac.policy_loss(
        make_networks(),
        tf.constant([[1.0], [-2.0]]),
        temperature=tf.constant(TEMPERATURE),
        seed=SEED,
    )
    # The policy acts 0.5 and -1, so o + a is 1.5 and -3. The critics value that 1.5 and
    # 4.5, and -3 and -9; the lesser ones are 1.5 and -9.
    np.testing.assert_allclose(log_pi, [-1, 2])
    np.testing.assert_allclose(loss, [0.1 * -1 - 1.5, 0.1 * 2 + 9], rtol=1e-6)


def test_policy_loss_moves_actions_up_the_lesser_value_and_adds_entropy() -> None:
    networks, temperature = make_networks(), tf.Variable(TEMPERATURE)
    with tf.GradientTape() as tape:
        loss, _ = sac.policy_loss(
            networks,
            tf.constant([[1.0], [-2.0]]),
            temperature=temperature,
            seed=SEED,
        )
        total = tf.reduce_sum(loss)
    w, p, none = tape.gradient(
        total, [networks.policy.w, networks.policy.p, temperature]
    )
    # d a / d w = o; the lesser critic's c is 1 and 3: -1 * 1 - 3 * -2.
    np.testing.assert_allclose(w, 5, rtol=1e-6)
    np.testing.assert_allclose(p, TEMPERATURE * (1 - 2), rtol=1e-6)
    assert none is None


def test_temperature_loss_gives_the_values_computed_by_hand() -> None:
    loss = sac.temperature_loss(tf.constant(0.5), tf.constant([1.0, -3.0]), -1.0)
    np.testing.assert_allclose(loss, [0, 2])  # -0.5 * (1 - 1), -0.5 * (-3 - 1)


def test_temperature_loss_raises_the_temperature_where_the_entropy_is_too_low() -> None:
    for log_pi, expected in ((3.0, -2.0), (-1.0, 2.0)):  # Target: an entropy of -1.
        temperature, log_pi_t = tf.Variable(0.5), tf.Variable([log_pi])
        with tf.GradientTape() as tape:
            loss = sac.temperature_loss(temperature, log_pi_t, -1.0)
        gradient, none = tape.gradient(loss, [temperature, log_pi_t])
        np.testing.assert_allclose(gradient, expected)
        assert none is None


def test_losses_are_the_same_eagerly_and_in_a_graph() -> None:
    networks, target = make_networks(), LinearCritic(4.0, 2.0)

    def all_three() -> tuple[tf.Tensor, ...]:
        transition, temperature = make_transition(), tf.constant(TEMPERATURE)
        critic = sac.critic_loss(
            networks, target, transition, temperature=temperature, seed=SEED
        )
        loss, log_pi = sac.policy_loss(
            networks, transition.observation, temperature=temperature, seed=SEED
        )
        return (*critic, loss, sac.temperature_loss(temperature, log_pi, -1.0))

    for eager, graph in zip(all_three(), tf.function(all_three)(), strict=True):
        np.testing.assert_allclose(eager, graph, rtol=1e-5)
