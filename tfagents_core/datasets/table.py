"""A table of the replay as a `tf.data` pipeline."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
import tree

from tfagents_core import replay


def from_table(
    table: replay.TableHandle,
    *,
    batch_size: int,
    prefetch: int = 0,
    timeout_s: float | None = None,
) -> tf.data.Dataset:
    """An endless dataset of batches drawn from `table`.

    TensorFlow takes the replay's 64-byte-aligned arrays as they are, without a copy.
    With `prefetch` 0 a batch is drawn when the learner asks for it and not before, so
    that what is learned depends on nothing but the seeds.

    Args:
        table: where to sample.
        batch_size: items a batch, B.
        prefetch: batches drawn ahead, on a thread of the dataset's own.
        timeout_s: longest wait for a batch, in seconds; None waits for ever.

    Returns:
        A dataset of `replay.Sample(info, data)` of tensors with static shapes; see
        `replay.SampleInfo` for what `info` holds.

    Raises:
        ValueError: no such batch can ever be drawn under the table's rate limiter.
    """
    table.check_batch_size(batch_size, num_prefetched=prefetch)
    info = tree.map_structure(
        lambda column: replay.Column((batch_size,), column.dtype),
        replay.SampleInfo.columns(),
    )
    structure = replay.Sample(info, table.describe_output(batch_size))
    columns = tree.flatten(structure)

    def draw() -> list[np.ndarray]:
        arrays: list[np.ndarray] = tree.flatten(
            table.sample(batch_size, timeout=timeout_s)
        )
        return arrays

    def sample(_: tf.Tensor) -> replay.Sample:
        tensors = tf.numpy_function(draw, [], [column.dtype for column in columns])
        for tensor, column in zip(tensors, columns, strict=True):
            tensor.set_shape(column.shape)
        batch: replay.Sample = tree.unflatten_as(structure, tensors)
        return batch

    dataset = tf.data.Dataset.range(np.iinfo(np.int64).max)
    options = tf.data.Options()
    if prefetch:
        # Calls that are begun ahead, one after another on the pipeline's own thread: one
        # of TensorFlow's, which waits for items, might be the one that is to make them.
        dataset = dataset.map(sample, num_parallel_calls=prefetch, deterministic=True)
        options.threading.private_threadpool_size = 1
    else:
        dataset = dataset.map(sample)
    options.autotune.enabled = False
    options.experimental_optimization.apply_default_optimizations = False
    return dataset.with_options(options)


def split(sample: replay.Sample, num_batches: int) -> list[replay.Sample]:
    """An element's items as batches of equal size, in their order, not copied.

    An element of several batches costs TensorFlow little more than one of a single
    batch: most of the time of a fetch is that of the call.

    Args:
        sample: tensors with a leading axis of a known size.
        num_batches: batches to make of it.

    Raises:
        ValueError: the size is not a multiple of `num_batches`.
    """
    size = sample.info.key.shape[0]
    if size % num_batches:
        raise ValueError(f"{size} items do not make {num_batches} equal batches.")
    batch_size = size // num_batches
    return [
        tree.map_structure(lambda tensor, at=at: tensor[at : at + batch_size], sample)
        for at in range(0, size, batch_size)
    ]
