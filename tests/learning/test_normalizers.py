"""The normaliser's statistics are NumPy's over all that it has seen."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfagents_core import learning


def statistics(normalizer: learning.ObservationNormalizer) -> list[np.ndarray]:
    return [variable.numpy() for variable in normalizer.statistics]


def make_batches(*sizes: int) -> list[np.ndarray]:
    """Components of other means and scales, which drift from batch to batch."""
    rng = np.random.default_rng(0)
    scale, shift = np.array([1e-3, 1, 1e3]), np.array([5, -1, 300])
    return [
        (shift + scale * (drift + rng.normal(size=(size, 3)))).astype(np.float32)
        for drift, size in enumerate(sizes)
    ]


@pytest.mark.parametrize("sizes", [(100,), (1, 1, 1), (7, 100, 1, 1_000)])
def test_mean_and_variance_are_those_of_all_observations_at_once(
    sizes: tuple[int, ...],
) -> None:
    normalizer = learning.ObservationNormalizer((3,))
    for batch in make_batches(*sizes):
        normalizer.update(tf.constant(batch))
    everything = np.concatenate(make_batches(*sizes)).astype(np.float64)
    mean, variance = statistics(normalizer)
    np.testing.assert_allclose(mean, everything.mean(0), rtol=1e-5)
    np.testing.assert_allclose(variance, everything.var(0), rtol=1e-3, atol=1e-9)
    assert normalizer.count.numpy() == len(everything)


def test_before_the_first_update_nothing_is_shifted_or_scaled() -> None:
    normalizer = learning.ObservationNormalizer((2,))
    observation = tf.constant([[0.5, -3.0]])
    np.testing.assert_allclose(normalizer(observation), observation)


def test_observations_are_shifted_scaled_and_clipped() -> None:
    normalizer = learning.ObservationNormalizer((2,), max_abs=2.0)
    normalizer.update(tf.constant([[1.0, 10.0], [3.0, 30.0]]))
    # Means 2 and 20, deviations 1 and 10.
    normalised = normalizer(tf.constant([[3.0, 10.0], [9.0, -90.0]]))
    np.testing.assert_allclose(normalised, [[1, -1], [2, -2]], rtol=1e-5)


def test_a_component_that_never_changes_becomes_0_however_large_it_is() -> None:
    normalizer = learning.ObservationNormalizer((1,))
    constant = tf.fill([999, 1], 12345.678)
    for _ in range(3):
        normalizer.update(constant)
    np.testing.assert_array_equal(normalizer(constant), tf.zeros((999, 1)))


def test_small_changes_far_from_0_keep_their_variance() -> None:
    normalizer = learning.ObservationNormalizer((1,))
    rng = np.random.default_rng(0)
    values = (1e4 + rng.normal(size=(50, 200, 1))).astype(np.float32)
    for batch in values:
        normalizer.update(tf.constant(batch))
    _, variance = statistics(normalizer)
    np.testing.assert_allclose(variance, values.astype(float).var(), rtol=1e-2)


def test_the_count_is_exact_beyond_what_float32_can_count() -> None:
    normalizer = learning.ObservationNormalizer((1,))
    normalizer.count.assign(2**24)
    normalizer.update(tf.ones((1, 1)))
    assert normalizer.count.numpy() == 2**24 + 1


def test_observations_of_any_shape_and_dtype_have_statistics_of_their_shape() -> None:
    normalizer = learning.ObservationNormalizer((2, 3))
    images = tf.constant(np.arange(24).reshape(4, 2, 3), tf.uint8)
    normalizer.update(images)
    np.testing.assert_allclose(statistics(normalizer)[0], images.numpy().mean(0))
    assert normalizer(images).dtype == tf.float32


def test_no_statistic_is_trainable_and_updates_are_the_same_in_a_graph() -> None:
    eager, graph = (learning.ObservationNormalizer((3,)) for _ in range(2))
    assert not any(variable.trainable for variable in eager.variables)
    update = tf.function(graph.update, jit_compile=True)
    for batch in make_batches(50, 60):
        eager.update(tf.constant(batch))
        update(tf.constant(batch))
    for ours, theirs in zip(eager.variables, graph.variables, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)
