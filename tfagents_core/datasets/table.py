"""A table of the replay as a `tf.data` pipeline."""

from __future__ import annotations

from typing import Literal

import numpy as np
import tensorflow as tf
import tree

from tfagents_core import replay


def from_table(
    table: replay.TableHandle,
    *,
    batch_size: int,
    num_batches: int | None = None,
    beta: float = 0.0,
    normalize: Literal["batch", "table"] = "batch",
    prefetch: int = 0,
    timeout_s: float | None = None,
) -> tf.data.Dataset:
    """An endless dataset of batches drawn from `table`.

    TensorFlow takes the replay's 64-byte-aligned arrays as they are, without a copy.
    With `prefetch` 0 a batch is drawn when the learner asks for it and not before, so
    that what is learned depends on nothing but the seeds.

    Args:
        table: the sampled table.
        batch_size: items per batch, B.
        num_batches: batches per element, N, drawn together as a new first axis: an
            element of several costs little more than one, since most of the time of a
            fetch is that of the call. None: one batch, without that axis.
        beta: exponent of the importance weights `info.weight`; 0 gives weights of 1.
        normalize: maximum by which the weights are divided, as in
            `replay.TableHandle.sample`.
        prefetch: elements drawn ahead, on a thread of the dataset's own.
        timeout_s: longest wait for an element, in seconds; None waits for ever.

    Returns:
        A dataset of `replay.Sample(info, data)` of tensors with static shapes; see
        `replay.SampleInfo` for what `info` holds. Tensors are `[B, ...]`, or
        `[N, B, ...]` with `num_batches`; those with a time axis are `[T, B, ...]`, or
        `[N, T, B, ...]`, where the table is `time_major`.

    Raises:
        ValueError: no such element can ever be drawn under the table's rate limiter.
    """
    table.check_batch_size(batch_size * (num_batches or 1), num_prefetched=prefetch)
    structure = _describe(table, batch_size, num_batches)
    columns = tree.flatten(structure)

    def draw() -> list[np.ndarray]:
        arrays: list[np.ndarray] = tree.flatten(
            table.sample(
                batch_size,
                num_batches=num_batches,
                beta=beta,
                normalize=normalize,
                timeout=timeout_s,
            )
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


def _describe(
    table: replay.TableHandle, batch_size: int, num_batches: int | None
) -> replay.Sample:
    """The nest of `replay.Column`s of an element."""
    data = table.describe_output(batch_size, num_batches=num_batches)
    batches = () if num_batches is None else (num_batches,)
    info = tree.map_structure(
        lambda column: replay.Column((*batches, batch_size), column.dtype),
        replay.SampleInfo.columns(),
    )
    return replay.Sample(info, data)
