"""Normal policies over unbounded actions. B is the batch axis, A an action's size."""

from __future__ import annotations

import math
from typing import NamedTuple

import sonnet as snt
import tensorflow as tf


class DiagonalGaussian(NamedTuple):
    """A normal distribution of independent components for each element of a batch.

    Actions have no bounds: environments clip them (`wrappers.CanonicalActions`), and
    what is stored and scored is the action before that.

    Attributes:
        mean: `[B, A]` float32.
        log_std: `[B, A]` or `[A]` float32, logarithms of the standard deviations.
    """

    mean: tf.Tensor
    log_std: tf.Tensor

    def sample(self, seed: tf.Tensor) -> tf.Tensor:
        """Actions `[B, A]`, drawn with `seed` `[2]` int32."""
        noise = tf.random.stateless_normal(tf.shape(self.mean), seed)  # [B, A]
        return self.mean + tf.exp(self.log_std) * noise

    def mode(self) -> tf.Tensor:
        """The likeliest actions, `[B, A]`."""
        return self.mean

    def log_prob(self, action: tf.Tensor) -> tf.Tensor:
        """Log-densities `[B]` of actions `[B, A]`; gradients reach all three."""
        z = (action - self.mean) * tf.exp(-self.log_std)  # [B, A]
        log_density = -0.5 * tf.square(z) - self.log_std - 0.5 * math.log(2 * math.pi)
        return tf.reduce_sum(log_density, axis=-1)

    def entropy(self) -> tf.Tensor:
        """Differential entropies `[B]`, in nats; gradients reach `log_std`."""
        entropy = self.log_std + 0.5 * math.log(2 * math.pi * math.e)
        return tf.reduce_sum(tf.zeros_like(self.mean) + entropy, axis=-1)


class GaussianHead(snt.Module):
    """A linear layer to the mean; deviations that are the same in every state.

    Args:
        num_dimensions: A.
        w_init: initial weights.
        initial_std: the standard deviations at the start, in units of action.
    """

    def __init__(
        self,
        num_dimensions: int,
        *,
        w_init: snt.initializers.Initializer,
        initial_std: float,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self._linear = snt.Linear(num_dimensions, w_init=w_init)
        self._log_std = tf.Variable(
            tf.fill([num_dimensions], math.log(initial_std)), name="log_std"
        )

    def __call__(self, features: tf.Tensor) -> DiagonalGaussian:
        """The policy at features `[B, D]`."""
        return DiagonalGaussian(self._linear(features), self._log_std)
