"""DQN's learner.

Mnih et al. 2015, Human-level control through deep reinforcement learning, Algorithm 1,
with double Q-learning (van Hasselt et al. 2016, Eq. 4), prioritised replay (Schaul et
al. 2016, Algorithm 1) and n-step returns (Hessel et al. 2018, Section 3). For a batch
of n-step transitions drawn with probabilities P:

    a*       = argmax_a q(o_t, a)                              the online network chooses
    target   = r_t + discount_t * q'(o_t, a*)                  the target network values
    td_error = target - q(o_tm1, a_tm1)
    minimise   mean(P^-beta / max P^-beta * huber(td_error))
    priority = |td_error| + priority_epsilon
    every target_update_period steps: q' <- q
"""

from __future__ import annotations

import copy

import tensorflow as tf

from tfagents_core import adders, core, learning, losses, replay
from tfagents_core.agents.dqn import config as dqn_config
from tfagents_core.agents.dqn import networks as dqn_networks


def dqn_loss(
    online: dqn_networks.DQNNetworks,
    target: dqn_networks.DQNNetworks,
    transition: replay.Transition,
    *,
    huber_delta: float,
) -> losses.LossOutput:
    """Double Q-learning loss of a batch, `[B]`.

    Args:
        online: its values at t-1 are what gradients reach.
        target: values the online network's choice at t.
        transition: batch of n-step transitions, `[B, ...]`.
        huber_delta: where the loss becomes linear, in units of reward.
    """
    o_tm1, a_tm1, r_t, discount_t, o_t, _ = transition
    return losses.double_q_learning(
        online.q(o_tm1),  # [B, A]
        a_tm1,
        r_t=r_t,
        discount_t=discount_t,
        q_t_value=target.q(o_t),  # [B, A]
        q_t_selector=online.q(o_t),  # [B, A]
        huber_delta=huber_delta,
    )


class DQN(core.UpdateRule):
    """Updates the action values from prioritised batches of n-step transitions.

    Args:
        networks: changed in place.
        config: the hyper-parameters.
    """

    def __init__(
        self, networks: dqn_networks.DQNNetworks, config: dqn_config.DQNConfig
    ) -> None:
        self._config = config
        self._online = networks
        self._target = copy.deepcopy(networks)
        self._online_variables = networks.q.trainable_variables
        self._target_variables = self._target.q.trainable_variables
        self._optimizer = learning.Adam(
            self._online_variables,
            config.learning_rate,
            clip_norm=config.gradient_clip_norm,
            epsilon=config.adam_epsilon,
        )
        self.variables = {
            "policy": self._online_variables,
            "target": self._target_variables,
            "optimizer": self._optimizer.variables,
        }

    def update(
        self, batch: replay.Sample, *, seed: tf.Tensor, num_steps: tf.Tensor
    ) -> core.Update:
        """One step of the action values; see the module's pseudo-code."""
        del seed  # Nothing here is random.
        config = self._config
        learning.update_periodically(
            self._target_variables,
            self._online_variables,
            num_steps=num_steps,
            period=config.target_update_period,
        )
        beta = learning.linear(
            num_steps,
            config.importance_exponent_initial,
            config.importance_exponent_final,
            num_steps=config.importance_annealing_steps,
        )
        weights = losses.importance_weights(batch.info.probability, beta)  # [B]

        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(self._online_variables)
            td = dqn_loss(
                self._online,
                self._target,
                batch.data,
                huber_delta=config.huber_delta,
            )
            loss = tf.reduce_mean(weights * td.loss)  # []
        gradients = tape.gradient(loss, self._online_variables)
        norm = self._optimizer.apply(gradients)

        metrics = {
            "loss": loss,
            "td_error": tf.reduce_mean(tf.abs(td.td_error)),
            "gradient_norm": norm,
            "importance_exponent": beta,
        }
        priorities = tf.abs(td.td_error) + config.priority_epsilon  # [B]
        return core.Update(metrics, {adders.TRANSITIONS: priorities})
