"""PPO's networks: a policy and a value, from frames or vectors."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import sonnet as snt
import tensorflow as tf

from tfagents_core import learning, networks, specs
from tfagents_core.agents.ppo import config as ppo_config

Distribution: TypeAlias = networks.Categorical | networks.DiagonalGaussian


@dataclasses.dataclass(frozen=True)
class PPONetworks:
    """The networks, with their variables created.

    Attributes:
        torso: observations `[B, ...]` to what policy and value share, `[B, D]`.
        policy: `[B, D]` to distributions over actions.
        value: `[B, D]` to values `[B, 1]`.
        normalizer: what observations go through first, if anything.
    """

    torso: snt.Module
    policy: snt.Module
    value: snt.Module
    normalizer: learning.ObservationNormalizer | None = None

    @property
    def policy_variables(self) -> tuple[tf.Variable, ...]:
        """All that acting reads: statistics first, then the parameters."""
        statistics = self.normalizer.statistics if self.normalizer else ()
        modules = (self.torso, self.policy)
        return (*statistics, *(v for m in modules for v in m.trainable_variables))

    @property
    def parameters(self) -> tuple[tf.Variable, ...]:
        """All that is learned by gradients."""
        modules = (self.torso, self.policy, self.value)
        return tuple(v for m in modules for v in m.trainable_variables)

    def act(self, observation: tf.Tensor) -> Distribution:
        """The policy at observations `[B, ...]`."""
        distribution: Distribution = self.policy(self._features(observation))
        return distribution

    def evaluate(self, observation: tf.Tensor) -> tf.Tensor:
        """Values `[B]` of observations `[B, ...]`."""
        return tf.squeeze(self.value(self._features(observation)), axis=-1)

    def __call__(self, observation: tf.Tensor) -> tuple[Distribution, tf.Tensor]:
        """The policy at observations `[B, ...]`, and their values `[B]`."""
        features = self._features(observation)  # [B, D]
        return self.policy(features), tf.squeeze(self.value(features), axis=-1)

    def _features(self, observation: tf.Tensor) -> tf.Tensor:
        if self.normalizer is not None:
            observation = self.normalizer(observation)
        return self.torso(observation)


def make_networks(
    spec: specs.EnvironmentSpec, config: ppo_config.PPOConfig, *, seed: int
) -> PPONetworks:
    """The networks for `spec`, initialised from `seed` alone.

    Policy and value share the Nature convolutions and rectified layers where there are
    frames, and nothing but the observation otherwise. Weights are orthogonal, those of
    the policy's last layer nearly zero, as in OpenAI's Baselines.
    """
    generator = np.random.default_rng(seed)
    observation = spec.observations
    sizes = config.layer_sizes
    torso: list[Any]
    if isinstance(observation, specs.StackedArray):
        rectified = _layers(sizes, tf.nn.relu, generator)
        torso = [networks.AtariTorso(generator), *rectified]
        policy, value = [], []
    else:
        torso = [snt.Flatten(), lambda values: tf.cast(values, tf.float32)]
        policy, value = (_layers(sizes, tf.tanh, generator) for _ in range(2))
    policy.append(_make_head(spec, config, generator))
    value.append(snt.Linear(1, w_init=networks.Orthogonal(generator)))

    made = PPONetworks(
        # Without frames it has no variables, which Sonnet wants to be told.
        torso=snt.allow_empty_variables(snt.Sequential(torso, name="torso")),
        policy=snt.Sequential(policy, name="policy"),
        value=snt.Sequential(value, name="value"),
        normalizer=learning.ObservationNormalizer(
            observation.shape, max_abs=config.max_abs_observation
        )
        if config.normalize_observations
        else None,
    )
    made(tf.zeros((1, *observation.shape), observation.dtype))  # Creates the variables.
    return made


def _make_head(
    spec: specs.EnvironmentSpec,
    config: ppo_config.PPOConfig,
    generator: np.random.Generator,
) -> snt.Module:
    w_init = networks.Orthogonal(generator, 0.01)
    if spec.is_discrete:
        return networks.CategoricalHead(spec.actions.num_values, w_init=w_init)
    return networks.GaussianHead(
        spec.actions.shape[0], w_init=w_init, initial_std=config.initial_std
    )


def _layers(
    sizes: tuple[int, ...],
    activation: Callable[[tf.Tensor], tf.Tensor],
    generator: np.random.Generator,
) -> list[Any]:
    layers: list[Any] = []
    for size in sizes:
        w_init = networks.Orthogonal(generator, np.sqrt(2))
        layers += [snt.Linear(size, w_init=w_init), activation]
    return layers
