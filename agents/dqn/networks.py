"""DQN's network: action values from frames or vectors."""

from __future__ import annotations

import dataclasses

import numpy as np
import sonnet as snt
import tensorflow as tf

from tfagents_core import networks, specs
from tfagents_core.agents.dqn import config as dqn_config


@dataclasses.dataclass(frozen=True)
class DQNNetworks:
    """The network, with its variables created.

    Attributes:
        q: observations `[B, ...]` to action values `[B, A]`.
    """

    q: snt.Module


def make_networks(
    spec: specs.EnvironmentSpec, config: dqn_config.DQNConfig, *, seed: int
) -> DQNNetworks:
    """The network for `spec`, initialised from `seed` alone.

    A stack of frames goes through the Nature convolutions and then, like any other
    observation at once, through rectified layers to the action values.
    """
    generator = np.random.default_rng(seed)
    num_actions = spec.actions.num_values
    sizes = config.layer_sizes
    layers: list[snt.Module] = []
    if isinstance(spec.observations, specs.StackedArray):
        layers.append(networks.AtariTorso(generator))
    if config.dueling:
        shared, own = sizes[:-1], sizes[-1:]
        if shared:
            layers.append(networks.MLP(shared, generator))
        elif not layers:
            layers.append(snt.Flatten())
        layers.append(networks.DuelingHead(num_actions, own, generator=generator))
    else:
        w_init = networks.VarianceScaling(generator)
        layers += [
            networks.MLP(sizes, generator),
            snt.Linear(num_actions, w_init=w_init),
        ]

    q = snt.Sequential(layers, name="q")
    observation = spec.observations
    q(tf.zeros((1, *observation.shape), observation.dtype))  # Creates the variables.
    return DQNNetworks(q)
