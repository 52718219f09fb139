"""What every loss returns, and the checks they share."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf


class LossOutput(NamedTuple):
    """A loss and what one may want to log or to use as a priority.

    Attributes:
        loss: `[B]` float32, one loss a transition, not yet averaged.
        td_error: `[B]` float32, target minus estimate; no gradient.
        target: what the estimate is drawn to, `[B]` or `[B, N]`; no gradient.
    """

    loss: tf.Tensor
    td_error: tf.Tensor
    target: tf.Tensor


def check_rank(name: str, tensor: tf.Tensor, rank: int) -> None:
    """Raises ValueError unless `tensor` has `rank` axes; `name` goes in the message."""
    if tensor.shape.rank != rank:
        raise ValueError(f"{name} must have rank {rank}, not shape {tensor.shape}.")
