"""PPO's learner.

Schulman et al. 2017, Proximal Policy Optimization Algorithms,
https://arxiv.org/abs/1707.06347, Algorithm 1, with generalized advantage estimation
(Schulman et al. 2016, https://arxiv.org/abs/1506.02438). For unrolls of T steps that
were gathered with the policy mu:

    delta     = r_t + discount_t * v(o_t) - v(o_tm1)                        Eq. 12
    advantage = delta + discount_t * lambda * advantage of the next step    Eq. 11
    target    = advantage + v(o_tm1)
    for each epoch, for each minibatch of a new shuffle of all steps:
        rho      = pi(a_tm1 | o_tm1) / mu(a_tm1 | o_tm1)
        L_clip   = mean(min(rho * advantage,
                            clip(rho, 1 - epsilon, 1 + epsilon) * advantage))   Eq. 7
        L_vf     = mean(0.5 * (v(o_tm1) - target)^2)
        minimise   -L_clip + c1 * L_vf - c2 * mean(entropy(pi(. | o_tm1)))      Eq. 9

Advantages and targets are made once, before the first epoch. Departures: mu's
log-probabilities are those the actor stored, since an unroll may have begun before the
last update; at a time limit the value of the last observation is bootstrapped from,
where OpenAI's Baselines take it for an end; the squared error has a factor of a half.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf
import tree

from tfagents_core import core, learning, losses, replay, replicas
from tfagents_core.agents.ppo import config as ppo_config
from tfagents_core.agents.ppo import networks as ppo_networks


class Samples(NamedTuple):
    """Steps to learn from, in whatever order.

    Attributes:
        observation: `[N, ...]`.
        action: `[N, ...]`, taken there.
        log_mu: `[N]`, its log-probability when it was taken.
        advantage: `[N]`.
        value: `[N]`, v(observation) before the first epoch.
        target: `[N]`, what the value is drawn to.
    """

    observation: tf.Tensor
    action: tf.Tensor
    log_mu: tf.Tensor
    advantage: tf.Tensor
    value: tf.Tensor
    target: tf.Tensor


class Metrics(NamedTuple):
    """Scalars of one SGD step.

    Attributes:
        loss: what is minimised.
        policy_loss: -L_clip.
        value_loss: L_vf.
        entropy: of the policy, in nats.
        kl: estimate of the divergence of pi from mu, in nats: mean(rho - 1 - log rho).
        clip_fraction: share of steps whose ratio has left [1 - epsilon, 1 + epsilon].
        gradient_norm: before the clip.
    """

    loss: tf.Tensor
    policy_loss: tf.Tensor
    value_loss: tf.Tensor
    entropy: tf.Tensor
    kl: tf.Tensor
    clip_fraction: tf.Tensor
    gradient_norm: tf.Tensor


def make_samples(
    networks: ppo_networks.PPONetworks,
    unroll: replay.Unroll,
    *,
    discount: float,
    lambda_: float,
) -> Samples:
    """The `B * T` steps of a batch of unrolls with advantages and targets; Eqs. 11, 12.

    Args:
        networks: whose values the advantages are made of; no gradient reaches them.
        unroll: `[B, T, ...]`, with the extra `"log_prob"`.
        discount: gamma, per environment step.
        lambda_: of the advantages.
    """
    size = unroll.reward.shape  # [B, T]
    observation = _merge(unroll.observation)  # [B * T, ...]
    v_tm1 = tf.reshape(networks.evaluate(observation), size)  # [B, T]
    v_t = tf.reshape(networks.evaluate(_merge(unroll.next_observation)), size)  # [B, T]
    advantage = losses.generalized_advantage_estimation(
        v_tm1,
        r_t=unroll.reward,
        discount_t=discount * unroll.discount,
        v_t=v_t,
        is_first_tm1=unroll.is_first,
        lambda_=lambda_,
    )  # [B, T]
    return Samples(
        observation=observation,
        action=_merge(unroll.action),
        log_mu=_merge(unroll.extras["log_prob"]),
        advantage=_merge(advantage),
        value=tf.stop_gradient(_merge(v_tm1)),
        target=tf.stop_gradient(_merge(advantage + v_tm1)),
    )


def _merge(tensor: tf.Tensor) -> tf.Tensor:
    """`[B, T, ...]` as `[B * T, ...]`."""
    return tf.reshape(tensor, [-1, *tensor.shape[2:]])


def ppo_loss(
    networks: ppo_networks.PPONetworks,
    samples: Samples,
    config: ppo_config.PPOConfig,
) -> Metrics:
    """The loss of a minibatch and what it is made of; Eqs. 7 and 9.

    Args:
        networks: what gradients reach.
        samples: the minibatch, `[N, ...]`.
        config: epsilons and coefficients.

    Returns:
        Scalars, with gradients; the gradient's norm is left at 0.
    """
    policy, value = networks(samples.observation)
    log_pi = policy.log_prob(samples.action)  # [N]
    advantage = samples.advantage  # [N]
    if config.normalize_advantages:
        mean, variance = replicas.merge_moments(*tf.nn.moments(advantage, axes=0))
        advantage = (advantage - mean) / (tf.sqrt(variance) + 1e-8)
    policy_loss = losses.clipped_surrogate(
        log_pi,
        log_mu=samples.log_mu,
        advantage=advantage,
        epsilon=config.clip_epsilon,
    )  # [N]
    value_loss = losses.clipped_value(
        value,
        v_old=samples.value,
        target=samples.target,
        epsilon=config.value_clip_epsilon,
    )  # [N]
    policy_loss, value_loss, entropy = (
        tf.reduce_mean(term) for term in (policy_loss, value_loss, policy.entropy())
    )
    log_rho = log_pi - samples.log_mu  # [N]
    has_left = tf.abs(tf.exp(log_rho) - 1) > config.clip_epsilon  # [N]
    return Metrics(
        loss=policy_loss
        + config.value_coefficient * value_loss
        - config.entropy_coefficient * entropy,
        policy_loss=policy_loss,
        value_loss=value_loss,
        entropy=entropy,
        kl=tf.reduce_mean(tf.exp(log_rho) - 1 - log_rho),
        clip_fraction=tf.reduce_mean(tf.cast(has_left, tf.float32)),
        gradient_norm=tf.zeros([]),
    )


class PPO(core.UpdateRule):
    """Updates policy and value from unrolls, each of which is used in one update only.

    On several devices each shuffles its own unrolls; a minibatch is made of an equal
    share from each, and has one mean and variance of advantages.

    Args:
        networks: changed in place.
        config: the hyper-parameters.

    Raises:
        ValueError: a device's steps cannot be split into the minibatches.
    """

    def __init__(
        self, networks: ppo_networks.PPONetworks, config: ppo_config.PPOConfig
    ) -> None:
        num_steps = config.num_unrolls * config.unroll_length // replicas.count()
        if num_steps % config.num_minibatches:
            raise ValueError(
                f"num_minibatches ({config.num_minibatches}) must divide the steps of "
                f"an update on each of the {replicas.count()} devices, {num_steps:,}."
            )
        self._config = config
        self._networks = networks
        self._parameters = networks.parameters
        self._optimizer = learning.Adam(
            self._parameters,
            config.learning_rate,
            clip_norm=config.gradient_clip_norm,
            epsilon=config.adam_epsilon,
        )
        self.num_sgd_steps = config.num_epochs * config.num_minibatches
        self.variables = {
            "policy": networks.policy_variables,
            "value": networks.value.trainable_variables,
            "optimizer": self._optimizer.variables,
        }
        if networks.normalizer is not None:
            self.variables["normalizer"] = [networks.normalizer.count]

    def update(
        self, batch: replay.Sample, *, seed: tf.Tensor, num_steps: tf.Tensor
    ) -> core.Update:
        """All epochs on one batch of unrolls; see the module's pseudo-code."""
        config = self._config
        samples = make_samples(
            self._networks,
            batch.data,
            discount=config.discount,
            lambda_=config.gae_lambda,
        )
        order = learning.shuffle_minibatches(
            samples.advantage.shape[0],
            num_epochs=config.num_epochs,
            num_minibatches=config.num_minibatches,
            seed=seed,
        )  # [E * M, N / M]
        learning_rate = tf.constant(config.learning_rate)
        if config.learning_rate_decay_updates is not None:
            learning_rate = learning.linear(
                num_steps,
                config.learning_rate,
                0.0,
                num_steps=config.learning_rate_decay_updates,
            )
        sums = Metrics(*[tf.zeros([]) for _ in Metrics._fields])
        for step in replicas.steps(self.num_sgd_steps):
            indices = tf.gather(order, step)  # [N / M]
            minibatch = tree.map_structure(
                lambda leaf, chosen=indices: tf.gather(leaf, chosen), samples
            )
            metrics = self._sgd_step(minibatch, learning_rate)
            sums = tree.map_structure(tf.add, sums, metrics)
        # Only now: actions were chosen, and have been valued, by the old statistics.
        if self._networks.normalizer is not None:
            self._networks.normalizer.update(samples.observation)
        means = tree.map_structure(lambda total: total / self.num_sgd_steps, sums)
        return core.Update(means._asdict())

    def _sgd_step(self, minibatch: Samples, learning_rate: tf.Tensor) -> Metrics:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(self._parameters)
            metrics = ppo_loss(self._networks, minibatch, self._config)
        gradients = tape.gradient(metrics.loss, self._parameters)
        norm = self._optimizer.apply(gradients, learning_rate=learning_rate)
        return metrics._replace(gradient_norm=norm)
