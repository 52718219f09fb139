"""Categorical and normal policies, by hand, by counting and against SciPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf

from tfagents_core import networks

CATEGORICAL = networks.Categorical(
    tf.math.log(tf.constant([[0.1, 0.2, 0.7], [0.5, 0.25, 0.25]])) + 3.0
)
GAUSSIAN = networks.DiagonalGaussian(
    mean=tf.constant([[0.0, 1.0], [-2.0, 0.5]]),
    log_std=tf.math.log(tf.constant([1.0, 0.5])),
)
SEED = tf.constant([1, 2])


def tile(distribution: networks.Categorical, times: int) -> networks.Categorical:
    return networks.Categorical(tf.repeat(distribution.logits, times, axis=0))


def test_a_categorical_gives_the_values_computed_by_hand() -> None:
    log_prob = CATEGORICAL.log_prob(tf.constant([2, 1]))
    np.testing.assert_allclose(log_prob, np.log([0.7, 0.25]), rtol=1e-6)
    entropy = [
        -(0.1 * math.log(0.1) + 0.2 * math.log(0.2) + 0.7 * math.log(0.7)),
        1.5 * math.log(2),
    ]
    np.testing.assert_allclose(CATEGORICAL.entropy(), entropy, rtol=1e-6)
    np.testing.assert_array_equal(CATEGORICAL.mode(), [2, 0])


def test_actions_are_drawn_with_their_probabilities() -> None:
    drawn = tile(CATEGORICAL, 20_000).sample(SEED).numpy().reshape(2, -1)
    shares = [np.bincount(row, minlength=3) / row.size for row in drawn]
    np.testing.assert_allclose(shares, [[0.1, 0.2, 0.7], [0.5, 0.25, 0.25]], atol=0.015)


def test_a_categorical_with_a_certain_action_has_finite_entropy_and_gradient() -> None:
    logits = tf.constant([[0.0, -1e4]])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        entropy = networks.Categorical(logits).entropy()
    np.testing.assert_allclose(entropy, [0])
    np.testing.assert_allclose(tape.gradient(entropy, logits), [[0, 0]])


def test_a_gaussian_agrees_with_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    action = np.array([[0.3, 1.0], [-4.0, 2.0]], np.float32)
    normal = stats.norm(GAUSSIAN.mean, np.exp(GAUSSIAN.log_std))
    np.testing.assert_allclose(
        GAUSSIAN.log_prob(action), normal.logpdf(action).sum(-1), rtol=1e-5
    )
    np.testing.assert_allclose(GAUSSIAN.entropy(), normal.entropy().sum(-1), rtol=1e-5)
    np.testing.assert_array_equal(GAUSSIAN.mode(), GAUSSIAN.mean)


def test_gaussian_actions_have_the_mean_and_deviation_asked_for() -> None:
    many = GAUSSIAN._replace(mean=tf.repeat(GAUSSIAN.mean, 20_000, axis=0))
    drawn = many.sample(SEED).numpy().reshape(2, 20_000, 2)
    np.testing.assert_allclose(drawn.mean(1), GAUSSIAN.mean, atol=0.03)
    np.testing.assert_allclose(drawn.std(1), [[1, 0.5], [1, 0.5]], atol=0.03)


@pytest.mark.parametrize("distribution", [CATEGORICAL, GAUSSIAN])
def test_equal_seeds_draw_equal_actions_and_others_do_not(distribution) -> None:
    if isinstance(distribution, networks.Categorical):
        distribution = tile(distribution, 50)
    first, again = distribution.sample(SEED), distribution.sample(SEED)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, distribution.sample(SEED + 1))


def test_a_gaussian_head_starts_with_the_deviation_asked_for() -> None:
    w_init = networks.Orthogonal(np.random.default_rng(0), 0.01)
    head = networks.GaussianHead(3, w_init=w_init, initial_std=0.5)
    distribution = head(tf.ones((4, 7)))
    assert distribution.mean.shape == (4, 3)
    np.testing.assert_allclose(tf.exp(distribution.log_std), [0.5] * 3, rtol=1e-6)
    assert len(head.trainable_variables) == 3


def test_a_categorical_head_has_a_logit_for_each_action() -> None:
    w_init = networks.Orthogonal(np.random.default_rng(0), 0.01)
    head = networks.CategoricalHead(3, w_init=w_init)
    logits = head(tf.ones((4, 7))).logits
    assert logits.shape == (4, 3)
    assert np.abs(logits).max() < 0.1  # Nearly uniform.


@pytest.mark.parametrize("shape", [(7, 3), (3, 7), (5, 5), (2, 2, 3, 8)])
def test_orthogonal_weights_are_orthogonal_and_as_long_as_asked_for(
    shape: tuple[int, ...],
) -> None:
    initializer = networks.Orthogonal(np.random.default_rng(0), 1.5)
    weights = initializer(shape, tf.float32).numpy()
    assert weights.shape == shape
    flat = weights.reshape(-1, shape[-1])
    short = flat if flat.shape[0] <= flat.shape[1] else flat.T
    np.testing.assert_allclose(short @ short.T, 1.5**2 * np.eye(len(short)), atol=1e-5)


def test_orthogonal_weights_follow_from_the_generator() -> None:
    def draw(seed: int) -> np.ndarray:
        initializer = networks.Orthogonal(np.random.default_rng(seed))
        return initializer((4, 5), tf.float32).numpy()

    np.testing.assert_array_equal(draw(1), draw(1))
    assert not np.array_equal(draw(1), draw(2))
    with pytest.raises(ValueError, match="gain must be positive, not 0"):
        networks.Orthogonal(np.random.default_rng(0), 0)
