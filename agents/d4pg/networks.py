"""D4PG's networks: a policy and a critic of return distributions."""

from __future__ import annotations

import dataclasses

import numpy as np
import sonnet as snt
import tensorflow as tf

from tfagents_core import networks, specs
from tfagents_core.agents.d4pg import config as d4pg_config


@dataclasses.dataclass(frozen=True)
class D4PGNetworks:
    """The two networks, with their variables created.

    Attributes:
        policy: observations `[B, D]` to actions `[B, A]` in [-1, 1].
        critic: observations `[B, D]` and actions `[B, A]` to logits `[B, N]`.
        atoms: `[N]` float32, the returns that the logits are of.
    """

    policy: snt.Module
    critic: snt.Module
    atoms: tf.Tensor


class Policy(snt.Module):
    """Layer-norm MLP, a nearly zero linear layer, tanh.

    Actions start near the middle of their range, where tanh is steepest.
    """

    def __init__(
        self,
        num_dimensions: int,
        layer_sizes: tuple[int, ...],
        *,
        generator: np.random.Generator,
    ) -> None:
        super().__init__(name="policy")
        self._torso = networks.LayerNormMLP(layer_sizes, generator)
        self._head = snt.Linear(
            num_dimensions, w_init=networks.VarianceScaling(generator, 1e-4)
        )

    def __call__(self, observation: tf.Tensor) -> tf.Tensor:
        """Actions `[B, A]` in [-1, 1] for observations `[B, D]`."""
        return tf.tanh(self._head(self._torso(observation)))


class Critic(snt.Module):
    """Layer-norm MLP over observation and action, and a linear layer to the atoms."""

    def __init__(
        self,
        num_atoms: int,
        layer_sizes: tuple[int, ...],
        *,
        generator: np.random.Generator,
    ) -> None:
        super().__init__(name="critic")
        self._torso = networks.LayerNormMLP(layer_sizes, generator)
        # As wide as the hidden layers', as in Acme: with a nearly zero head the first
        # dQ/da are alike in all states and hold the policy at one bound for long.
        w_init = networks.VarianceScaling(generator, 1 / 3, mode="fan_out")
        self._head = snt.Linear(num_atoms, w_init=w_init)

    def __call__(self, observation: tf.Tensor, action: tf.Tensor) -> tf.Tensor:
        """Logits `[B, N]` for observations `[B, D]` and actions `[B, A]`."""
        inputs = tf.concat([observation, action], axis=-1)  # [B, D + A]
        return self._head(self._torso(inputs))


def make_networks(
    spec: specs.EnvironmentSpec, config: d4pg_config.D4PGConfig, *, seed: int
) -> D4PGNetworks:
    """The networks for `spec`, initialised from `seed` alone."""
    generator = np.random.default_rng(seed)
    (num_dimensions,) = spec.actions.shape
    policy = Policy(num_dimensions, config.policy_layer_sizes, generator=generator)
    critic = Critic(config.num_atoms, config.critic_layer_sizes, generator=generator)
    observation = tf.zeros((1, *spec.observations.shape))
    critic(observation, policy(observation))  # Creates the variables.
    atoms = tf.linspace(config.vmin, config.vmax, config.num_atoms)
    return D4PGNetworks(policy, critic, tf.cast(atoms, tf.float32))
