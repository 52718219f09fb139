"""Batches as a learner gets them: inside a `tf.function`, out of a `tf.data` pipeline."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf
import tree

from tfagents_core import datasets, replay


def consumer(
    table: replay.TableHandle, batch_size: int, *, prefetch: int
) -> Callable[[], object]:
    """A call that takes one batch out of the pipeline of `datasets.from_table`."""
    dataset = datasets.from_table(table, batch_size=batch_size, prefetch=prefetch)
    return consume(dataset)


def consume(dataset: tf.data.Dataset) -> Callable[[], object]:
    """A call of a `tf.function` that takes one element and looks at each tensor of it."""
    iterator = iter(dataset)

    @tf.function
    def take() -> list[tf.Tensor]:
        return [tf.reshape(leaf, [-1])[0] for leaf in tree.flatten(next(iterator))]

    return take
