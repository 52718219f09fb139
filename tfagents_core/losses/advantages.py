"""Estimates of advantages. B is the batch axis, T the time axis."""

from __future__ import annotations

import tensorflow as tf

from tfagents_core.losses import base


def generalized_advantage_estimation(
    v_tm1: tf.Tensor,
    *,
    r_t: tf.Tensor,
    discount_t: tf.Tensor,
    v_t: tf.Tensor,
    is_first_tm1: tf.Tensor,
    lambda_: float,
) -> tf.Tensor:
    """Advantages of the actions of an unroll that may run over ends of episodes.

    delta_i = r_i + discount_i * v_i - v_{i-1}
    advantage_{i-1} = delta_i + discount_i * lambda_ * advantage_i
    Source: Schulman et al. 2016, Eqs. 11, 12 and 16, https://arxiv.org/abs/1506.02438.

    The sum ends with the unroll, and with each episode. `v_t` is the value of the
    observation that the step itself led to: at a time limit, where `discount_t` is not
    0, it is bootstrapped from; the steps after the limit are another episode's.

    Args:
        v_tm1: `[B, T]` float32, values of the observations that actions were taken at.
        r_t: `[B, T]` float32, rewards.
        discount_t: `[B, T]` float32, gamma times the environment's discounts.
        v_t: `[B, T]` float32, values of the observations that actions led to.
        is_first_tm1: `[B, T]` bool, whether a step is the first of its episode.
        lambda_: in [0, 1]; 0 gives the TD errors, 1 discounted returns minus values.

    Returns:
        `[B, T]` float32, with no gradient.

    Raises:
        ValueError: an argument has the wrong rank.
    """
    for name, tensor in (
        ("v_tm1", v_tm1),
        ("r_t", r_t),
        ("discount_t", discount_t),
        ("v_t", v_t),
        ("is_first_tm1", is_first_tm1),
    ):
        base.check_rank(name, tensor, 2)

    td_error = r_t + discount_t * v_t - v_tm1  # [B, T]
    goes_on = 1 - tf.cast(is_first_tm1[:, 1:], tf.float32)  # [B, T - 1]
    trace = lambda_ * discount_t * tf.pad(goes_on, [[0, 0], [0, 1]])  # [B, T]
    advantages = tf.scan(
        lambda later, step: step[0] + step[1] * later,
        (tf.transpose(td_error), tf.transpose(trace)),
        initializer=tf.zeros_like(td_error[:, 0]),
        reverse=True,
    )  # [T, B]
    return tf.stop_gradient(tf.transpose(advantages))
