"""The record that losses return, and a check that they share."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf


class LossOutput(NamedTuple):
    """A loss, with the TD error for priorities and the target for logging.

    Attributes:
        loss: `[B]` float32, one loss for each transition, not averaged.
        td_error: `[B]` float32, target minus estimate; no gradient.
        target: the regression target, `[B]` or `[B, N]` float32; no gradient.
    """

    loss: tf.Tensor
    td_error: tf.Tensor
    target: tf.Tensor


def check_rank(name: str, tensor: tf.Tensor, rank: int) -> None:
    """Raises ValueError unless `tensor` has `rank` axes; `name` goes in the message."""
    if tensor.shape.rank != rank:
        raise ValueError(f"{name} must have rank {rank}, not shape {tensor.shape}.")
