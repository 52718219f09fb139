"""Uniform actions at the beginning of a run."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfagents_core import acting

ACTION = tf.fill([5_000, 2], 0.25)


def explore(
    num_steps: int, seed: tuple[int, int] = (3, 4), *, num_random_steps: int = 10
) -> np.ndarray:
    explored = acting.uniform_at_first(
        ACTION,
        num_steps=tf.constant(num_steps, tf.int64),
        num_random_steps=num_random_steps,
        seed=tf.constant(seed),
    )
    return explored.numpy()


@pytest.mark.parametrize("num_steps", [0, 9])
def test_the_first_actions_are_uniform_over_their_range(num_steps: int) -> None:
    actions = explore(num_steps)
    quarters, _ = np.histogram(actions, bins=4, range=(-1, 1))
    assert quarters.sum() == actions.size
    np.testing.assert_allclose(quarters / actions.size, 0.25, atol=0.02)


@pytest.mark.parametrize("num_steps", [10, 11, 10_000_000_000])
def test_later_actions_are_the_policys(num_steps: int) -> None:
    np.testing.assert_array_equal(explore(num_steps), ACTION)


def test_with_no_random_steps_all_actions_are_the_policys() -> None:
    np.testing.assert_array_equal(explore(0, num_random_steps=0), ACTION)


def test_equal_seeds_draw_equal_actions_and_others_do_not() -> None:
    np.testing.assert_array_equal(explore(0, (1, 2)), explore(0, (1, 2)))
    assert np.mean(explore(0, (1, 2)) != explore(0, (1, 3))) > 0.99
