"""Values that change in the course of a run."""

from __future__ import annotations

import tensorflow as tf


def linear(step: tf.Tensor, start: float, end: float, *, num_steps: float) -> tf.Tensor:
    """From `start` at step 0 to `end` at `num_steps`, and `end` ever after.

    Args:
        step: `[]` of any number type, in the same unit as `num_steps`.
        start: value at step 0.
        end: value from `num_steps` on.
        num_steps: length of the slope; with 0 the value is `end` from the start.

    Returns:
        `[]` float32.
    """
    if num_steps == 0:
        return tf.constant(end, tf.float32)
    progress = tf.minimum(tf.cast(step, tf.float32) / num_steps, 1.0)
    return start + progress * (end - start)
