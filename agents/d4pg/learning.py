"""D4PG's learner.

Barth-Maron et al. 2018, Distributed Distributional Deterministic Policy Gradients,
https://arxiv.org/abs/1804.08617, Algorithm 1. For a batch of n-step transitions
(o_tm1, a_tm1, r_t, discount_t, o_t) from the replay, with r_t and discount_t summed
and multiplied over the n steps:

    Z'      = critic'(o_t, policy'(o_t))                         primes: targets
    Y       = project(r_t + discount_t * Z')                     Eq. 3
    critic  : minimise cross-entropy(Y, critic(o_tm1, a_tm1))
    policy  : follow d E[critic(o_tm1, a)] / da * d a / d theta  at a = policy(o_tm1)
    every target_update_period steps: policy', critic' <- policy, critic

Departures, both Acme's: the replay is sampled uniformly (the paper's ablation finds
little use in priorities here), and the gradient of the value in the action is clipped.
"""

from __future__ import annotations

import copy

import tensorflow as tf

from tfagents_core import core, learning, losses, replay
from tfagents_core.agents.d4pg import config as d4pg_config
from tfagents_core.agents.d4pg import networks as d4pg_networks


def critic_loss(
    online: d4pg_networks.D4PGNetworks,
    target: d4pg_networks.D4PGNetworks,
    transition: replay.Transition,
) -> losses.LossOutput:
    """Distributional n-step TD loss of the critic, `[B]`; Eq. 3.

    Args:
        online: its critic is what gradients reach.
        target: gives the distribution at t.
        transition: batch of n-step transitions, `[B, ...]`.
    """
    o_tm1, a_tm1, r_t, discount_t, o_t, _ = transition
    logits_tm1 = online.critic(o_tm1, a_tm1)  # [B, N]
    logits_t = target.critic(o_t, target.policy(o_t))  # [B, N]
    return losses.categorical_td(
        logits_tm1, online.atoms, r_t=r_t, discount_t=discount_t, logits_t=logits_t
    )


def policy_loss(
    online: d4pg_networks.D4PGNetworks,
    o_tm1: tf.Tensor,
    dqda_clip_norm: float | None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Deterministic policy gradient loss; Eq. 5.

    Args:
        online: its policy is what gradients reach.
        o_tm1: observations `[B, D]`.
        dqda_clip_norm: the norm of dQ/da is clipped to this; None for no limit.

    Returns:
        The loss `[B]` and the value of the policy's actions `[B]`.
    """
    action = online.policy(o_tm1)  # [B, A]
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(action)
        probs = tf.nn.softmax(online.critic(o_tm1, action))  # [B, N]
        value = losses.mean(probs, online.atoms)  # [B]
    dqda = tape.gradient(value, action)  # [B, A]
    return losses.dpg(action, dqda, dqda_clip_norm), tf.stop_gradient(value)


class D4PG(core.UpdateRule):
    """Updates the critic and the policy from batches of n-step transitions.

    Args:
        networks: changed in place.
        config: the hyper-parameters.
    """

    def __init__(
        self, networks: d4pg_networks.D4PGNetworks, config: d4pg_config.D4PGConfig
    ) -> None:
        self._config = config
        self._online = networks
        self._target = copy.deepcopy(networks)
        self._policy_variables = networks.policy.trainable_variables
        self._critic_variables = networks.critic.trainable_variables
        self._target_variables = (
            *self._target.policy.trainable_variables,
            *self._target.critic.trainable_variables,
        )
        self._policy_optimizer = learning.Adam(
            self._policy_variables,
            config.policy_learning_rate,
            clip_norm=config.gradient_clip_norm,
        )
        self._critic_optimizer = learning.Adam(
            self._critic_variables,
            config.critic_learning_rate,
            clip_norm=config.gradient_clip_norm,
        )
        self.variables = {
            "policy": self._policy_variables,
            "critic": self._critic_variables,
            "target": self._target_variables,
            "policy_optimizer": self._policy_optimizer.variables,
            "critic_optimizer": self._critic_optimizer.variables,
        }

    def update(
        self, batch: replay.Sample, *, seed: tf.Tensor, num_steps: tf.Tensor
    ) -> core.Update:
        """One step of both networks; see the module's pseudo-code."""
        del seed  # Nothing here is random.
        learning.update_periodically(
            self._target_variables,
            (*self._policy_variables, *self._critic_variables),
            num_steps=num_steps,
            period=self._config.target_update_period,
        )
        transition = batch.data

        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(self._critic_variables)
            critic = critic_loss(self._online, self._target, transition)
            mean_critic_loss = tf.reduce_mean(critic.loss)  # []
        critic_gradients = tape.gradient(mean_critic_loss, self._critic_variables)

        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(self._policy_variables)
            loss, value = policy_loss(
                self._online, transition.observation, self._config.dqda_clip_norm
            )
            mean_policy_loss = tf.reduce_mean(loss)  # []
        policy_gradients = tape.gradient(mean_policy_loss, self._policy_variables)

        return core.Update(
            {
                "critic_loss": mean_critic_loss,
                "policy_loss": mean_policy_loss,
                "value": tf.reduce_mean(value),
                "td_error": tf.reduce_mean(tf.abs(critic.td_error)),
                "critic_gradient_norm": self._critic_optimizer.apply(critic_gradients),
                "policy_gradient_norm": self._policy_optimizer.apply(policy_gradients),
            }
        )
