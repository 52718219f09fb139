"""Generalized advantage estimation, by hand, by a loop and against trfl."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfagents_core import losses

from . import helpers

floats = helpers.floats


def make_unroll() -> dict[str, tf.Tensor]:
    """Three steps of one episode, which goes on."""
    return {
        "v_tm1": floats([1, 2, 3]),
        "r_t": floats([1, 0, 2]),
        "discount_t": floats([0.5, 0.5, 0.5]),
        "v_t": floats([2, 3, 4]),
        "is_first_tm1": tf.constant([[False, False, False]]),
    }


def gae(lambda_: float = 0.5, **unroll: tf.Tensor) -> tf.Tensor:
    return losses.generalized_advantage_estimation(
        unroll.pop("v_tm1"), lambda_=lambda_, **unroll
    )


def random_unroll(seed: int, size: int = 4, length: int = 20) -> dict[str, tf.Tensor]:
    """Unrolls with several episodes each; some end for good, some by a time limit."""
    rng = np.random.default_rng(seed)

    def normal() -> np.ndarray:
        return rng.normal(size=(size, length)).astype(np.float32)

    is_first = rng.uniform(size=(size, length)) < 0.2
    ends = np.roll(is_first, -1, axis=1) & (rng.uniform(size=is_first.shape) < 0.5)
    v_tm1, v_t = normal(), normal()
    # But for the ends of episodes, a step leads to where the next one starts.
    v_t[:, :-1] = np.where(is_first[:, 1:], v_t[:, :-1], v_tm1[:, 1:])
    arrays = {
        "v_tm1": v_tm1,
        "r_t": normal(),
        "discount_t": np.where(ends, 0, 0.9).astype(np.float32),
        "v_t": v_t,
        "is_first_tm1": is_first,
    }
    return {name: tf.constant(array) for name, array in arrays.items()}


def loop(unroll: dict[str, tf.Tensor], lambda_: float) -> np.ndarray:
    """Sums the TD errors of each step's own episode one by one, as Eq. 16 has them."""
    v_tm1, r_t, discount_t, v_t, is_first = (np.asarray(v) for v in unroll.values())
    advantages = np.zeros(v_tm1.shape)
    for b, start in np.ndindex(v_tm1.shape):
        weight = 1.0
        for t in range(start, v_tm1.shape[1]):
            if t > start and is_first[b, t]:
                break
            td_error = r_t[b, t] + discount_t[b, t] * v_t[b, t] - v_tm1[b, t]
            advantages[b, start] += weight * td_error
            weight *= discount_t[b, t] * lambda_
    return advantages


def test_advantages_are_the_values_computed_by_hand() -> None:
    # TD errors: 1 + 1 - 1, 0 + 1.5 - 2, 2 + 2 - 3; each step back counts a quarter.
    np.testing.assert_allclose(gae(**make_unroll()), [[0.9375, -0.25, 1]])


def test_a_time_limit_bootstraps_from_its_own_last_observation_and_cuts_the_trace() -> (
    None
):
    unroll = make_unroll()
    unroll["v_t"] = floats([2, 10, 4])  # Of step 1's own last observation.
    unroll["is_first_tm1"] = tf.constant([[False, False, True]])
    # TD errors 1, 0 + 5 - 2 and 1; nothing of the last reaches the first two.
    np.testing.assert_allclose(gae(**unroll), [[1.75, 3, 1]])


def test_a_true_end_does_not_bootstrap_and_cuts_the_trace() -> None:
    unroll = make_unroll()
    unroll["v_t"] = floats([2, 10, 4])
    unroll["discount_t"] = floats([0.5, 0, 0.5])
    unroll["is_first_tm1"] = tf.constant([[False, False, True]])
    # TD errors 1, 0 - 2 and 1.
    np.testing.assert_allclose(gae(**unroll), [[0.5, -2, 1]])


def test_the_first_step_of_an_unroll_may_begin_an_episode() -> None:
    unroll = make_unroll()
    unroll["is_first_tm1"] = tf.constant([[True, False, False]])
    np.testing.assert_allclose(gae(**unroll), [[0.9375, -0.25, 1]])


def test_lambda_0_gives_the_td_errors_and_1_returns_minus_values() -> None:
    np.testing.assert_allclose(gae(0.0, **make_unroll()), [[1, -0.5, 1]])
    # Returns 1 + 0 + 0.5, 0 + 1 + 1 + ..., each bootstrapped from 4 at the end.
    returns = np.array([1 + 0.5 * (0 + 0.5 * (2 + 2)), 0 + 0.5 * (2 + 2), 2 + 2])
    np.testing.assert_allclose(gae(1.0, **make_unroll()), [returns - [1, 2, 3]])


@pytest.mark.parametrize("lambda_", [0.0, 0.95, 1.0])
def test_advantages_agree_with_a_loop_over_each_steps_own_episode(
    lambda_: float,
) -> None:
    for seed in range(5):
        unroll = random_unroll(seed)
        np.testing.assert_allclose(
            gae(lambda_, **unroll), loop(unroll, lambda_), atol=1e-5
        )


def test_advantages_agree_with_trfl() -> None:
    trfl = pytest.importorskip("trfl")
    rng = np.random.default_rng(0)
    values = tf.constant(rng.normal(size=(21, 4)), tf.float32)  # [T + 1, B]
    rewards = tf.constant(rng.normal(size=(20, 4)), tf.float32)
    discounts = tf.constant(rng.choice([0, 0.9], size=(20, 4)), tf.float32)
    returns = trfl.generalized_lambda_returns(
        rewards, discounts, values[:-1], values[-1], lambda_=0.8
    )
    ours = gae(
        0.8,
        v_tm1=tf.transpose(values[:-1]),
        r_t=tf.transpose(rewards),
        discount_t=tf.transpose(discounts),
        v_t=tf.transpose(values[1:]),
        is_first_tm1=tf.zeros((4, 20), tf.bool),
    )
    np.testing.assert_allclose(tf.transpose(ours), returns - values[:-1], atol=1e-5)


def test_no_gradient_passes_through_advantages() -> None:
    unroll = make_unroll()
    is_first = unroll.pop("is_first_tm1")
    gradients = helpers.gradients(
        lambda **floating: gae(**floating, is_first_tm1=is_first), unroll
    )
    assert all(gradient is None for gradient in gradients.values())


@pytest.mark.parametrize("name", list(make_unroll()))
def test_a_wrong_rank_is_refused_by_name(name: str) -> None:
    unroll = make_unroll()
    unroll[name] = unroll[name][0]
    with pytest.raises(ValueError, match=f"^{name} must have rank 2"):
        gae(**unroll)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_advantages_are_the_same_eagerly_and_in_a_graph(jit_compile: bool) -> None:
    unroll = random_unroll(0)
    graph = tf.function(gae, jit_compile=jit_compile)
    np.testing.assert_allclose(gae(**unroll), graph(**unroll), atol=1e-5)
