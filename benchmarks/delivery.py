"""Batches as a learner takes them: in a `tf.function`, from a `tf.data` pipeline."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf
import tree

from tfagents_core import datasets, replay


def consumer(
    table: replay.TableHandle, batch_size: int, *, prefetch: int, num_batches: int = 1
) -> Callable[[], object]:
    """Returns a call that takes batches from the pipeline of `datasets.from_table`.

    The call does what a learner does that takes `num_batches` SGD steps in one call of
    a `tf.function`: one element of the pipeline holds all of its batches.
    """
    dataset = datasets.from_table(
        table, batch_size=batch_size, num_batches=num_batches, prefetch=prefetch
    )
    iterator = iter(dataset)

    @tf.function
    def take() -> tf.Tensor:
        element = next(iterator)
        # One number of each tensor of each batch, so that none is pruned from the graph.
        seen = [
            tf.reshape(leaf[index], [-1])[0]
            for index in range(num_batches)
            for leaf in tree.flatten(element)
        ]
        with tf.control_dependencies(seen):
            return tf.identity(element.info.key[-1])

    return take
