"""How policies explore: the frequencies of what they do, from fixed seeds."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf

from tfagents_core import acting

NUM_DRAWS = 20_000
SEED = tf.constant([3, 4])
Q = tf.constant([[1.0, 5.0, 2.0, 0.0]])
BEST, NUM_ACTIONS = 1, 4


def greedy_frequencies(epsilon: float) -> np.ndarray:
    """How often each action is chosen in NUM_DRAWS equal environments."""
    q = tf.tile(Q, (NUM_DRAWS, 1))
    actions = acting.epsilon_greedy(q, tf.constant(epsilon), seed=SEED).numpy()
    return np.bincount(actions, minlength=NUM_ACTIONS) / NUM_DRAWS


def test_with_epsilon_0_every_action_is_the_best() -> None:
    np.testing.assert_array_equal(greedy_frequencies(0.0), [0, 1, 0, 0])


@pytest.mark.parametrize("epsilon", [0.05, 0.3, 1.0])
def test_each_action_is_chosen_as_often_as_epsilon_says(epsilon: float) -> None:
    expected = np.full(NUM_ACTIONS, epsilon / NUM_ACTIONS)
    expected[BEST] += 1 - epsilon
    four_sigma = 4 * np.sqrt(expected * (1 - expected) / NUM_DRAWS)
    assert np.all(np.abs(greedy_frequencies(epsilon) - expected) < four_sigma)


def test_each_environment_may_have_its_own_epsilon() -> None:
    q = tf.tile(Q, (NUM_DRAWS, 1))
    epsilon = tf.repeat(tf.constant([0.0, 1.0]), NUM_DRAWS // 2)
    actions = acting.epsilon_greedy(q, epsilon, seed=SEED).numpy()
    greedy, random = np.split(actions == BEST, 2)
    assert greedy.all()
    assert random.mean() == pytest.approx(1 / NUM_ACTIONS, abs=0.02)


def test_of_several_best_actions_the_first_is_chosen() -> None:
    q = tf.constant([[0.0, 2.0, 2.0], [3.0, 3.0, 3.0]])
    actions = acting.epsilon_greedy(q, tf.constant(0.0), seed=SEED)
    np.testing.assert_array_equal(actions, [1, 0])


@pytest.mark.parametrize("dtype", [tf.int32, tf.int64])
def test_actions_have_the_dtype_asked_for(dtype: tf.DType) -> None:
    actions = acting.epsilon_greedy(Q, tf.constant(0.5), seed=SEED, dtype=dtype)
    assert actions.dtype == dtype
    assert actions.shape == (1,)


def test_equal_seeds_explore_alike_and_others_do_not() -> None:
    q = tf.tile(Q, (100, 1))
    first, same, other = (
        acting.epsilon_greedy(q, tf.constant(1.0), seed=tf.constant(seed)).numpy()
        for seed in ([1, 2], [1, 2], [1, 3])
    )
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)


def test_epsilon_greedy_is_the_same_eagerly_and_in_a_graph() -> None:
    q, epsilon = tf.tile(Q, (100, 1)), tf.constant(0.5)
    np.testing.assert_array_equal(
        acting.epsilon_greedy(q, epsilon, seed=SEED),
        tf.function(acting.epsilon_greedy)(q, epsilon, seed=SEED),
    )


def test_sigma_0_changes_no_action() -> None:
    action = tf.constant([[0.1, -1.0]])
    np.testing.assert_array_equal(acting.gaussian_noise(action, 0.0, seed=SEED), action)


@pytest.mark.parametrize("sigma", [0.05, 0.2])
def test_noise_is_normal_around_the_action(sigma: float) -> None:
    middle = tf.fill((NUM_DRAWS, 1), 0.1)
    noise = (acting.gaussian_noise(middle, sigma, seed=SEED) - middle).numpy()
    assert abs(noise.mean()) < 4 * sigma / math.sqrt(NUM_DRAWS)
    assert noise.std() == pytest.approx(sigma, rel=0.03)
    within_one_sigma = np.mean(np.abs(noise) < sigma)
    assert within_one_sigma == pytest.approx(0.6827, abs=0.015)


def test_each_number_of_an_action_gets_its_own_noise() -> None:
    noisy = acting.gaussian_noise(tf.zeros((50, 3)), 0.1, seed=SEED).numpy()
    assert len(np.unique(noisy)) == noisy.size


def test_noisy_actions_stay_in_their_range() -> None:
    noisy = acting.gaussian_noise(tf.fill((1000, 2), 0.9), 1.0, seed=SEED).numpy()
    assert noisy.min() == -1
    assert noisy.max() == 1


def test_equal_seeds_make_equal_noise_and_others_do_not() -> None:
    first, same, other = (
        acting.gaussian_noise(tf.zeros((4, 2)), 0.1, seed=tf.constant(seed)).numpy()
        for seed in ([1, 2], [1, 2], [2, 2])
    )
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)
