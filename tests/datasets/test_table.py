"""Tables as `tf.data` pipelines."""

import threading
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tfagents_core import datasets, replay

STEPS = {
    "observation": replay.Column((3,), np.float32),
    "action": replay.Column((), np.int32),
    "reward": replay.Column((), np.float32),
    "discount": replay.Column((), np.float32),
}


def make_buffer(num_rows: int, **table_arguments) -> replay.Replay:
    arguments = {
        "sampler": replay.Uniform(),
        "max_size": 100,
        "rate_limiter": replay.MinSize(1),
        "pattern": replay.NStep(1),
        "outputs": replay.n_step_transition(STEPS, 0.9),
        **table_arguments,
    }
    table = replay.Table("t", **arguments)
    buffer = replay.Replay(STEPS, [table], seed=0)
    for t in range(num_rows):
        row = {
            "observation": np.full(3, t, np.float32),
            "action": np.int32(t),
            "reward": np.float32(t),
            "discount": np.float32(1),
        }
        buffer.append_one(row, first=t == 0)
    return buffer


def test_batches_have_static_shapes_and_the_tables_values() -> None:
    table = make_buffer(20).tables["t"]
    dataset = datasets.from_table(table, batch_size=4)
    spec = dataset.element_spec
    assert spec.data.observation == tf.TensorSpec((4, 3), tf.float32)
    assert spec.info.key == tf.TensorSpec((4,), tf.int64)
    sample = next(iter(dataset))
    assert isinstance(sample, replay.Sample)
    # In these rows everything at step t is t.
    np.testing.assert_array_equal(sample.data.reward, sample.data.action)
    np.testing.assert_array_equal(
        sample.data.next_observation[:, 0], sample.data.reward
    )
    np.testing.assert_allclose(sample.info.probability, 1 / 19)


def test_without_prefetch_nothing_is_drawn_ahead() -> None:
    table = make_buffer(20).tables["t"]
    iterator = iter(datasets.from_table(table, batch_size=4))
    for number in range(1, 4):
        next(iterator)
        assert table.stats().num_sampled == 4 * number


@pytest.mark.parametrize("prefetch", [1, 3])
def test_with_prefetch_so_many_elements_are_drawn_ahead(prefetch: int) -> None:
    """While nobody asks for them; a batch is drawn or not, there is no time to it."""
    table = make_buffer(20).tables["t"]
    drawn = threading.Semaphore(0)

    class Counting:
        """The table, with its draws counted."""

        def __getattr__(self, name: str) -> Any:
            return getattr(table, name)

        def sample(self, *arguments: Any, **options: Any) -> Any:
            drawn.release()
            return table.sample(*arguments, **options)

    dataset = datasets.from_table(Counting(), batch_size=4, prefetch=prefetch)
    iterator = iter(dataset)
    next(iterator)
    for _ in range(1 + prefetch):  # The one asked for, and those ahead of it.
        assert drawn.acquire(timeout=20)


def test_a_batch_keeps_its_values_while_others_are_drawn() -> None:
    table = make_buffer(60).tables["t"]
    iterator = iter(datasets.from_table(table, batch_size=16))
    kept = next(iterator)
    before = kept.data.observation.numpy().copy()
    for _ in range(50):
        next(iterator)
    np.testing.assert_array_equal(kept.data.observation, before)


def test_arrays_reach_tensorflow_without_a_copy() -> None:
    table = make_buffer(60).tables["t"]
    sample = table.sample(16)

    @tf.function
    def take() -> tf.Tensor:
        return tf.numpy_function(lambda: sample.data.observation, [], tf.float32)

    tensor = take()
    assert np.shares_memory(np.asarray(memoryview(tensor)), sample.data.observation)


def test_the_same_seed_draws_the_same_batches() -> None:
    keys = []
    for _ in range(2):
        iterator = iter(datasets.from_table(make_buffer(20).tables["t"], batch_size=8))
        keys.append([next(iterator).info.key.numpy() for _ in range(3)])
    np.testing.assert_array_equal(*keys)


def test_a_batch_that_can_never_be_drawn_is_refused() -> None:
    buffer = make_buffer(0, rate_limiter=replay.Queue(4), sampler=replay.Fifo())
    with pytest.raises(ValueError, match="8"):
        datasets.from_table(buffer.tables["t"], batch_size=8)


def test_waiting_too_long_says_what_for() -> None:
    table = make_buffer(3, rate_limiter=replay.MinSize(10)).tables["t"]
    iterator = iter(datasets.from_table(table, batch_size=2, timeout_s=0.01))
    with pytest.raises(tf.errors.OpError, match="min_size 10"):
        next(iterator)


def test_the_weights_of_a_dataset_are_not_all_ones() -> None:
    """They were, whatever the reader expected, for there was no beta to give."""
    buffer = make_buffer(20, sampler=replay.Prioritized(1.0))
    table = buffer.tables["t"]
    keys = np.unique(table.sample(1000).info.key)
    table.update_priorities(keys, np.arange(1.0, len(keys) + 1))
    dataset = datasets.from_table(table, batch_size=8, num_batches=3, beta=0.5)
    info = next(iter(dataset)).info
    raw = info.probability.numpy() ** -0.5
    np.testing.assert_allclose(info.weight, raw / raw.max(1, keepdims=True))
    assert len(np.unique(info.weight)) > 3

    dataset = datasets.from_table(table, batch_size=8, beta=0.5, normalize="table")
    info = next(iter(dataset)).info
    least = 1 / np.arange(1.0, len(keys) + 1).sum()
    np.testing.assert_allclose(info.weight, (least / info.probability.numpy()) ** 0.5)


def test_several_batches_of_a_time_major_table_are_not_cut_along_time() -> None:
    """They were, without a word: the second SGD step learned from later time steps."""
    table = make_buffer(
        40,
        pattern=replay.Sequence(length=4, period=1),
        outputs=replay.sequence(STEPS, 3),
        time_major=True,
        sampler=replay.Fifo(),
        max_times_sampled=1,
    ).tables["t"]
    dataset = datasets.from_table(table, batch_size=5, num_batches=2)
    spec = dataset.element_spec
    assert spec.data.observation == tf.TensorSpec((2, 3, 5, 3), tf.float32)
    assert spec.info.key == tf.TensorSpec((2, 5), tf.int64)
    sample = next(iter(dataset))
    # In these rows everything at step t is t; item i begins with step i + 1.
    time, item = np.arange(3)[:, None], np.arange(5)
    np.testing.assert_array_equal(sample.data.reward[0], 1 + item + time)
    np.testing.assert_array_equal(sample.data.reward[1], 6 + item + time)


def test_several_batches_that_can_never_be_drawn_at_once_are_refused() -> None:
    buffer = make_buffer(0, rate_limiter=replay.Queue(4), sampler=replay.Fifo())
    datasets.from_table(buffer.tables["t"], batch_size=2, num_batches=2)
    with pytest.raises(ValueError, match="6"):
        datasets.from_table(buffer.tables["t"], batch_size=2, num_batches=3)


def test_batches_of_a_time_major_table_have_the_time_axis_first() -> None:
    table = make_buffer(
        20,
        pattern=replay.Sequence(length=4, period=1),
        outputs=replay.sequence(STEPS, 3),
        time_major=True,
    ).tables["t"]
    dataset = datasets.from_table(table, batch_size=5)
    assert dataset.element_spec.data.observation.shape == (3, 5, 3)
    sample = next(iter(dataset))
    np.testing.assert_array_equal(np.diff(sample.data.reward, axis=0), 1)
