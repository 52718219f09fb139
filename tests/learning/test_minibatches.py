"""Shuffled minibatches."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfagents_core import learning


def test_every_sample_is_used_once_in_each_epoch() -> None:
    order = learning.shuffle_minibatches(
        60, num_epochs=5, num_minibatches=4, seed=tf.constant([1, 2])
    ).numpy()
    assert order.shape == (20, 15)
    epochs = order.reshape(5, 60)
    for epoch in epochs:
        np.testing.assert_array_equal(np.sort(epoch), range(60))
    assert len({tuple(epoch) for epoch in epochs}) == 5  # Each in its own order.


def test_shuffles_follow_from_the_seed() -> None:
    def shuffle(seed: int) -> np.ndarray:
        seeds = tf.constant([1, seed])
        return learning.shuffle_minibatches(
            60, num_epochs=2, num_minibatches=4, seed=seeds
        ).numpy()

    np.testing.assert_array_equal(shuffle(0), shuffle(0))
    assert not np.array_equal(shuffle(0), shuffle(1))
