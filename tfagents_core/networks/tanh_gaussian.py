"""Gaussian policies over bounded actions. A is the dimension of an action."""

from __future__ import annotations

import math
from typing import NamedTuple

import tensorflow as tf

# The largest |a| whose inverse tanh is taken: float32 rounds larger samples to 1.
_MAX_ABS_ACTION = 1 - 1e-6


class TanhGaussian(NamedTuple):
    """The distribution of `a = tanh(u)`, where `u` is Gaussian with a diagonal variance.

    log_prob(a) = log N(u; mean, std) - sum_i log(1 - tanh(u_i)^2)
    Source: Haarnoja et al. 2018, App. C, https://arxiv.org/abs/1812.05905.

    Attributes:
        mean: `[B, A]` float32, of `u`.
        log_std: `[B, A]` float32, logarithm of the standard deviation of `u`.
    """

    mean: tf.Tensor
    log_std: tf.Tensor

    def mode(self) -> tf.Tensor:
        """The deterministic action `tanh(mean)`, `[B, A]`: the median, strictly."""
        return tf.tanh(self.mean)

    def sample(self, seed: tf.Tensor) -> tf.Tensor:
        """Actions `[B, A]`; see `sample_and_log_prob`."""
        return self.sample_and_log_prob(seed)[0]

    def sample_and_log_prob(self, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Reparameterised samples, with their log-densities.

        Args:
            seed: int32 `[2]`; the only source of randomness.

        Returns:
            Actions `[B, A]` float32 in [-1, 1], and their log-densities `[B]` float32,
            in nats. Gradients reach `mean` and `log_std`, also by way of the actions.
        """
        noise = tf.random.stateless_normal(tf.shape(self.mean), seed)  # [B, A]
        u = self.mean + tf.exp(self.log_std) * noise  # [B, A]
        # From u itself: the inverse tanh of a rounded action would be far off.
        return tf.tanh(u), self._log_prob(u, noise)

    def log_prob(self, action: tf.Tensor) -> tf.Tensor:
        """Log-densities `[B]`, in nats, of actions `[B, A]` in [-1, 1].

        Gradients reach `mean`, `log_std` and `action`. An action at a bound, where the
        density has no value, counts as one that is 1e-6 inside.
        """
        inside = tf.clip_by_value(action, -_MAX_ABS_ACTION, _MAX_ABS_ACTION)
        u = tf.atanh(inside)  # [B, A]
        return self._log_prob(u, (u - self.mean) * tf.exp(-self.log_std))

    def _log_prob(self, u: tf.Tensor, z: tf.Tensor) -> tf.Tensor:
        """Log-densities `[B]` of `tanh(u)`, where `u` is `z` deviations off the mean."""
        log_normal = -0.5 * (tf.square(z) + math.log(2 * math.pi)) - self.log_std
        return tf.reduce_sum(log_normal - log_tanh_derivative(u), axis=-1)


def log_tanh_derivative(u: tf.Tensor) -> tf.Tensor:
    """The logarithm of the derivative of tanh, `log(1 - tanh(u)^2)`.

    = 2 (log 2 - u - softplus(-2 u)), which stays exact where `|u|` is large; there
    `1 - tanh(u)^2` rounds to 0.

    Args:
        u: float32 of any shape.

    Returns:
        float32 of the shape of `u`; gradients reach `u`.
    """
    return 2 * (math.log(2) - u - tf.math.softplus(-2 * u))
