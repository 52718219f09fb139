"""Several passes over one batch, in minibatches."""

from __future__ import annotations

import tensorflow as tf


def shuffle_minibatches(
    num_samples: int, *, num_epochs: int, num_minibatches: int, seed: tf.Tensor
) -> tf.Tensor:
    """Which samples each SGD step takes: in every epoch each of them once.

    Args:
        num_samples: N.
        num_epochs: E; each has an order of its own.
        num_minibatches: M, which divides N.
        seed: `[2]` int32.

    Returns:
        `[E * M, N / M]` int32 in `[0, N)`, epoch by epoch.
    """
    keys = tf.random.stateless_uniform(
        [num_epochs, num_samples], seed, minval=None, maxval=None, dtype=tf.int32
    )
    order = tf.argsort(keys, axis=-1)  # [E, N]
    return tf.reshape(order, [num_epochs * num_minibatches, -1])
