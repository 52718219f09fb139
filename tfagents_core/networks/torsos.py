"""Torsos: networks from an observation to features."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import sonnet as snt
import tensorflow as tf

from tfagents_core.networks import initializers


class LayerNormMLP(snt.Module):
    """Linear, layer norm, tanh, then ELU layers: Acme's torso for control from state.

    The layer norm and tanh of the first layer bound its features whatever the units of
    the observation. Source: Hoffman et al. 2020, https://arxiv.org/abs/2006.00979, App.
    A.

    Args:
        layer_sizes: units of each layer.
        generator: source of the initial weights.
    """

    def __init__(
        self,
        layer_sizes: Sequence[int],
        generator: np.random.Generator,
        *,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        # As in Acme: variance 1 / (3 fan_out), so that the limit is 1 / sqrt(fan_out).
        w_init = initializers.VarianceScaling(generator, 1 / 3, mode="fan_out")
        self._first = snt.Linear(layer_sizes[0], w_init=w_init)
        self._norm = snt.LayerNorm(axis=-1, create_scale=True, create_offset=True)
        self._rest = [snt.Linear(size, w_init=w_init) for size in layer_sizes[1:]]

    def __call__(self, inputs: tf.Tensor) -> tf.Tensor:
        """Features `[B, layer_sizes[-1]]` of inputs `[B, D]`, both float32."""
        features = tf.tanh(self._norm(self._first(inputs)))
        for linear in self._rest:
            features = tf.nn.elu(linear(features))
        return features


class MLP(snt.Module):
    """Linear layers, each followed by a ReLU, on a flattened observation.

    Args:
        layer_sizes: units of each layer.
        generator: source of the initial weights.
    """

    def __init__(
        self,
        layer_sizes: Sequence[int],
        generator: np.random.Generator,
        *,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        w_init = initializers.VarianceScaling(generator, 1.0)
        self._layers = [snt.Linear(size, w_init=w_init) for size in layer_sizes]

    def __call__(self, inputs: tf.Tensor) -> tf.Tensor:
        """Features `[B, layer_sizes[-1]]` float32 of inputs `[B, ...]`."""
        features = snt.flatten(tf.cast(inputs, tf.float32))  # [B, D]
        for linear in self._layers:
            features = tf.nn.relu(linear(features))
        return features


class AtariTorso(snt.Module):
    """The three convolutions of the Nature DQN.

    32 filters 8x8 stride 4, 64 4x4 stride 2, 64 3x3 stride 1, no padding, ReLU.
    Source: Mnih et al. 2015, Methods, "Model architecture".

    Args:
        generator: source of the initial weights.
    """

    def __init__(
        self, generator: np.random.Generator, *, name: str | None = None
    ) -> None:
        super().__init__(name=name)
        w_init = initializers.VarianceScaling(generator, 1.0)
        self._convolutions = [
            snt.Conv2D(channels, kernel, stride, padding="VALID", w_init=w_init)
            for channels, kernel, stride in ((32, 8, 4), (64, 4, 2), (64, 3, 1))
        ]

    def __call__(self, frames: tf.Tensor) -> tf.Tensor:
        """Features `[B, 3136]` float32 of `frames` `[B, 4, 84, 84]` uint8.

        Frames are stacked along axis 1, oldest first, as the replay stores them. They
        are transposed to the channel axis as uint8: a quarter of the bytes of float32.
        """
        pixels = tf.transpose(frames, (0, 2, 3, 1))  # [B, 84, 84, 4]
        features = tf.cast(pixels, tf.float32) / 255
        for convolution in self._convolutions:
            features = tf.nn.relu(convolution(features))
        return snt.flatten(features)  # [B, 7 * 7 * 64]
