"""SAC's update rule.

Haarnoja et al. 2018, Soft Actor-Critic Algorithms and Applications,
https://arxiv.org/abs/1812.05905, Algorithm 1. For a batch of transitions
(o_tm1, a_tm1, r_t, discount_t, o_t) from the replay, with two critics Q_1 and Q_2,
their targets Q'_1 and Q'_2, the temperature alpha and the target entropy H:

    a_t    ~ policy(o_t)
    v_t      = min_i Q'_i(o_t, a_t) - alpha log pi(a_t | o_t)             Eq. 3
    critics: minimise sum_i 1/2 (r_t + discount_t v_t - Q_i(o_tm1, a_tm1))^2   Eq. 5
    a      ~ policy(o_tm1), reparameterised                               Eq. 8
    policy : minimise alpha log pi(a | o_tm1) - min_i Q_i(o_tm1, a)       Eq. 9
    alpha  : minimise -alpha (log pi(a | o_tm1) + H)                      Eq. 18
    targets: Q'_i <- (1 - tau) Q'_i + tau Q_i

The temperature is learned by its logarithm, which keeps it positive; so do the authors.
"""

from __future__ import annotations

import copy
import math

import sonnet as snt
import tensorflow as tf

from tfagents_core import core, learning, losses, replay
from tfagents_core.agents.sac import config as sac_config
from tfagents_core.agents.sac import networks as sac_networks


def critic_loss(
    networks: sac_networks.SACNetworks,
    target_critic: snt.Module,
    transition: replay.Transition,
    *,
    temperature: tf.Tensor,
    seed: tf.Tensor,
) -> losses.LossOutput:
    """Soft TD loss of both critics, `[B]`; Eq. 3 and 5.

    Args:
        networks: the critics, which gradients reach, and the policy, which they do not.
        target_critic: evaluates the policy's action at t.
        transition: batch of transitions, `[B, ...]`.
        temperature: alpha, `[]`.
        seed: int32 `[2]`, draws the policy's action at t.
    """
    o_tm1, a_tm1, r_t, discount_t, o_t, _ = transition
    q_tm1 = networks.critic(o_tm1, a_tm1)  # [B, 2]
    a_t, log_pi_t = networks.policy(o_t).sample_and_log_prob(seed)  # [B, A], [B]
    q_t = tf.reduce_min(target_critic(o_t, a_t), axis=-1)  # [B]
    v_t = q_t - temperature * log_pi_t  # [B]
    return losses.ensemble_td(q_tm1, r_t=r_t, discount_t=discount_t, v_t=v_t)


def policy_loss(
    networks: sac_networks.SACNetworks,
    o_tm1: tf.Tensor,
    *,
    temperature: tf.Tensor,
    seed: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Soft value of the policy's own actions, negated; Eq. 9.

    Args:
        networks: the policy, which gradients reach, and the critics that evaluate it;
            only the policy's variables may be watched.
        o_tm1: observations `[B, D]`.
        temperature: alpha, `[]`; no gradient.
        seed: int32 `[2]`, draws the actions.

    Returns:
        The loss `[B]` and the actions' log-probabilities `[B]`.
    """
    action, log_pi = networks.policy(o_tm1).sample_and_log_prob(seed)  # [B, A], [B]
    q = tf.reduce_min(networks.critic(o_tm1, action), axis=-1)  # [B]
    return tf.stop_gradient(temperature) * log_pi - q, log_pi


def temperature_loss(
    temperature: tf.Tensor, log_pi: tf.Tensor, target_entropy: float
) -> tf.Tensor:
    """Raises the temperature where the entropy is below its target; Eq. 18.

    Args:
        temperature: alpha, `[]`; what gradients reach.
        log_pi: log-probabilities of the policy's actions, `[B]`; no gradient.
        target_entropy: in nats.

    Returns:
        The loss `[B]`.
    """
    return -temperature * tf.stop_gradient(log_pi + target_entropy)


class SAC(core.UpdateRule):
    """Updates critics, policy and temperature from batches of transitions.

    Args:
        networks: changed in place.
        config: the hyper-parameters.
        target_entropy: in nats.
    """

    def __init__(
        self,
        networks: sac_networks.SACNetworks,
        config: sac_config.SACConfig,
        *,
        target_entropy: float,
    ) -> None:
        self._networks = networks
        self._target_critic = copy.deepcopy(networks.critic)
        self._target_entropy = target_entropy
        self._tau = config.tau
        self._log_temperature = tf.Variable(
            math.log(config.initial_temperature), name="log_temperature"
        )
        self._critic = networks.critic.trainable_variables
        self._target = self._target_critic.trainable_variables
        self._policy = networks.policy.trainable_variables
        rate = config.learning_rate
        self._critic_optimizer = learning.Adam(self._critic, rate)
        self._policy_optimizer = learning.Adam(self._policy, rate)
        self._temperature_optimizer = learning.Adam(
            [self._log_temperature], config.temperature_learning_rate
        )
        self.variables = {
            "policy": self._policy,
            "critic": self._critic,
            "target": self._target,
            "temperature": [self._log_temperature],
            "policy_optimizer": self._policy_optimizer.variables,
            "critic_optimizer": self._critic_optimizer.variables,
            "temperature_optimizer": self._temperature_optimizer.variables,
        }

    def update(
        self, batch: replay.Sample, *, seed: tf.Tensor, num_steps: tf.Tensor
    ) -> core.Update:
        """One step of each; see the module's pseudo-code."""
        del num_steps  # Every update is the same.
        transition = batch.data
        o_tm1 = transition.observation  # [B, D]
        temperature = tf.exp(self._log_temperature)  # []
        seed_t, seed_tm1 = tf.unstack(tf.random.split(seed, 2))  # [2] each

        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(self._critic)
            critic = critic_loss(
                self._networks,
                self._target_critic,
                transition,
                temperature=temperature,
                seed=seed_t,
            )
            mean_critic_loss = tf.reduce_mean(critic.loss)  # []
        gradients = tape.gradient(mean_critic_loss, self._critic)
        critic_gradient_norm = self._critic_optimizer.apply(gradients)

        # As in Algorithm 1, the policy follows the critics as they are from here on.
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(self._policy)
            loss, log_pi = policy_loss(
                self._networks, o_tm1, temperature=temperature, seed=seed_tm1
            )
            mean_policy_loss = tf.reduce_mean(loss)  # []
        gradients = tape.gradient(mean_policy_loss, self._policy)
        policy_gradient_norm = self._policy_optimizer.apply(gradients)

        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(self._log_temperature)
            mean_temperature_loss = tf.reduce_mean(
                temperature_loss(
                    tf.exp(self._log_temperature), log_pi, self._target_entropy
                )
            )  # []
        gradients = tape.gradient(mean_temperature_loss, [self._log_temperature])
        self._temperature_optimizer.apply(gradients)

        learning.update_softly(self._target, self._critic, tau=self._tau)

        return core.Update(
            {
                "critic_loss": mean_critic_loss,
                "policy_loss": mean_policy_loss,
                "temperature_loss": mean_temperature_loss,
                "temperature": temperature,
                "entropy": -tf.reduce_mean(log_pi),
                "value": tf.reduce_mean(critic.target),
                "td_error": tf.reduce_mean(tf.abs(critic.td_error)),
                "critic_gradient_norm": critic_gradient_norm,
                "policy_gradient_norm": policy_gradient_norm,
            }
        )
