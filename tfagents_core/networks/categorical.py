"""Policies over discrete actions. B is the batch axis, A the number of actions."""

from __future__ import annotations

from typing import NamedTuple

import sonnet as snt
import tensorflow as tf


class Categorical(NamedTuple):
    """A distribution over actions for each element of a batch.

    Attributes:
        logits: `[B, A]` float32, log-probabilities up to a constant of each row.
    """

    logits: tf.Tensor

    def sample(self, seed: tf.Tensor) -> tf.Tensor:
        """Actions `[B]` int32, drawn with `seed` `[2]` int32."""
        drawn = tf.random.stateless_categorical(self.logits, 1, seed, dtype=tf.int32)
        return tf.squeeze(drawn, axis=1)

    def mode(self) -> tf.Tensor:
        """The likeliest actions, `[B]` int32; of several, the first."""
        return tf.argmax(self.logits, axis=-1, output_type=tf.int32)

    def log_prob(self, action: tf.Tensor) -> tf.Tensor:
        """Log-probabilities `[B]` of actions `[B]` int32; gradients reach `logits`."""
        return -tf.nn.sparse_softmax_cross_entropy_with_logits(action, self.logits)

    def entropy(self) -> tf.Tensor:
        """Entropies `[B]`, in nats; gradients reach `logits`."""
        log_probs = tf.nn.log_softmax(self.logits)  # [B, A]
        return -tf.reduce_sum(tf.exp(log_probs) * log_probs, axis=-1)


class CategoricalHead(snt.Module):
    """A linear layer to the logits.

    Args:
        num_actions: A.
        w_init: initial weights.
    """

    def __init__(
        self,
        num_actions: int,
        *,
        w_init: snt.initializers.Initializer,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self._linear = snt.Linear(num_actions, w_init=w_init)

    def __call__(self, features: tf.Tensor) -> Categorical:
        """The policy at features `[B, D]`."""
        return Categorical(self._linear(features))
