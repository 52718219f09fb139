"""Statistics of what an agent has seen, to bring its inputs to a common scale."""

from __future__ import annotations

from collections.abc import Sequence

import sonnet as snt
import tensorflow as tf

from tfagents_core import replicas


class ObservationNormalizer(snt.Module):
    """Shifts and scales each component of an observation by all that were seen.

    clip((o - mean) / sqrt(variance + epsilon), -max_abs, max_abs)
    Mean and variance are those of all observations that `update` was given, as if it
    had been given them at once: Chan et al. 1979, Eq. 2.1. Before the first update
    they are 0 and 1. All is float32: what is kept are a mean and a variance, never
    sums that grow.

    Args:
        shape: of one observation.
        max_abs: largest magnitude of a normalised component.
        epsilon: added to the variance, so that a component that never changes is 0.

    Attributes:
        statistics: mean and variance, the two variables that normalising reads.
        count: int64 `[]`, observations seen; a variable.
    """

    def __init__(
        self,
        shape: Sequence[int],
        *,
        max_abs: float = 10.0,
        epsilon: float = 1e-8,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self._max_abs = max_abs
        self._epsilon = epsilon
        self._mean = tf.Variable(tf.zeros(shape), trainable=False, name="mean")
        self._variance = tf.Variable(tf.ones(shape), trainable=False, name="variance")
        self.statistics = (self._mean, self._variance)
        self.count = tf.Variable(0, dtype=tf.int64, trainable=False, name="count")

    def __call__(self, observation: tf.Tensor) -> tf.Tensor:
        """Normalised observations, float32, for observations `[B, ...]`."""
        centred = tf.cast(observation, tf.float32) - self._mean  # [B, ...]
        normalised = centred * tf.math.rsqrt(self._variance + self._epsilon)
        return tf.clip_by_value(normalised, -self._max_abs, self._max_abs)

    def update(self, observations: tf.Tensor) -> None:
        """Takes a batch of observations `[N, ...]` into mean and variance.

        Where several devices learn together, N of each, all their batches are taken.
        """
        values = tf.cast(observations, tf.float32)  # [N, ...]
        # Far from zero, differences to one of them are exact where a sum is not.
        differences = values - values[0]  # [N, ...]
        mean = values[0] + tf.reduce_mean(differences, axis=0)  # [...]
        variance = tf.math.reduce_variance(differences, axis=0)  # [...]
        mean, variance = replicas.merge_moments(mean, variance)

        size = tf.shape(values, out_type=tf.int64)[0] * replicas.count()
        self.count.assign_add(size)
        share = tf.cast(size, tf.float32) / tf.cast(
            self.count, tf.float32
        )  # The batch's of all that was seen; 1 at first, and the start is forgotten.
        delta = mean - self._mean  # [...]
        self._mean.assign_add(share * delta)
        self._variance.assign(
            (1 - share) * self._variance
            + share * variance
            + share * (1 - share) * tf.square(delta)
        )
