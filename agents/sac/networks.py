"""SAC's networks: a stochastic policy and two critics."""

from __future__ import annotations

import dataclasses

import numpy as np
import sonnet as snt
import tensorflow as tf

from tfagents_core import networks, specs
from tfagents_core.agents.sac import config as sac_config

# Range of the policy's log_std, from the authors' code: beyond it, log-probabilities
# overflow or samples all lie at the bounds.
MIN_LOG_STD, MAX_LOG_STD = -20.0, 2.0


@dataclasses.dataclass(frozen=True)
class SACNetworks:
    """The networks, with their variables created.

    Attributes:
        policy: observations `[B, D]` to a `networks.TanhGaussian` over actions
            `[B, A]` in [-1, 1].
        critic: observations `[B, D]` and actions `[B, A]` to values `[B, 2]`, one for
            each of two critics.
    """

    policy: snt.Module
    critic: snt.Module


class Policy(snt.Module):
    """MLP with a linear layer to the mean and the log_std of a squashed Gaussian."""

    def __init__(
        self,
        num_dimensions: int,
        layer_sizes: tuple[int, ...],
        *,
        generator: np.random.Generator,
    ) -> None:
        super().__init__(name="policy")
        self._torso = networks.MLP(layer_sizes, generator)
        self._head = snt.Linear(
            2 * num_dimensions, w_init=networks.VarianceScaling(generator, 1.0)
        )

    def __call__(self, observation: tf.Tensor) -> networks.TanhGaussian:
        """The distribution over actions `[B, A]` given observations `[B, D]`."""
        outputs = self._head(self._torso(observation))  # [B, 2A]
        mean, log_std = tf.split(outputs, 2, axis=-1)  # [B, A] each
        log_std = tf.clip_by_value(log_std, MIN_LOG_STD, MAX_LOG_STD)  # [B, A]
        return networks.TanhGaussian(mean, log_std)


def make_networks(
    spec: specs.EnvironmentSpec, config: sac_config.SACConfig, *, seed: int
) -> SACNetworks:
    """The networks for `spec`, initialised from `seed` alone."""
    generator = np.random.default_rng(seed)
    (num_dimensions,) = spec.actions.shape
    policy = Policy(num_dimensions, config.policy_layer_sizes, generator=generator)
    critic = networks.CriticEnsemble(
        config.critic_layer_sizes, generator, num_critics=2, name="critic"
    )
    observation = tf.zeros((1, *spec.observations.shape))
    critic(observation, policy(observation).mode())  # Creates the variables.
    return SACNetworks(policy, critic)
