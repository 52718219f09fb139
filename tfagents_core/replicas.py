"""What an update must know of the other devices that learn with this one.

Where several devices learn together, each runs `UpdateRule.update` on its share of the
batch: a replica of the update. Whatever depends on the whole batch goes through these
functions, which every replica must call alike, and which return what they are given
where there is one replica alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import tensorflow as tf

NestT = TypeVar("NestT")


def count() -> int:
    """The number of replicas, inside an update and where its variables are made."""
    return int(tf.distribute.get_strategy().num_replicas_in_sync)


def mean(nest: NestT) -> NestT:
    """The mean of each tensor over the replicas; the same bits on all of them."""
    context = _context()
    if context is None:
        return nest
    averaged: NestT = context.all_reduce(tf.distribute.ReduceOp.MEAN, nest)
    return averaged


def maximum(value: tf.Tensor) -> tf.Tensor:
    """The largest of all replicas' scalars `[]`."""
    context = _context()
    if context is None:
        return value
    return tf.reduce_max(context.all_gather(value[tf.newaxis], axis=0))


def merge_moments(mean_: tf.Tensor, variance: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Mean and variance of all replicas' values, of which each has equally many.

    Chan et al. 1979, Eq. 2.1, for samples of one size.

    Args:
        mean_: of this replica's values, any shape.
        variance: of this replica's values, the biased one, the same shape.
    """
    if _context() is None:
        return mean_, variance
    joint = mean(mean_)
    return joint, mean(variance + tf.square(mean_ - joint))


def steps(num_steps: int) -> Iterable[int] | tf.Tensor:
    """What a loop over SGD steps goes over: a loop in the graph for one replica.

    For several it is unrolled, because replicas cannot meet inside of a loop.
    """
    return tf.range(num_steps) if count() == 1 else range(num_steps)


def _context() -> tf.distribute.ReplicaContext | None:
    """This replica among several; None where it is alone."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return None
    return context
