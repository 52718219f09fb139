"""Losses of state and action values. B is the batch axis, A the action axis."""

from __future__ import annotations

import tensorflow as tf

from tfagents_core import replicas
from tfagents_core.losses import base


def select(q: tf.Tensor, a: tf.Tensor) -> tf.Tensor:
    """The value of one action in each row: `q[b, a[b]]`.

    Args:
        q: `[B, A]` float32.
        a: `[B]` int32 in `[0, A)`.

    Returns:
        `[B]` float32; gradients reach `q`.
    """
    return tf.gather(q, a, axis=1, batch_dims=1)


def huber(x: tf.Tensor, delta: float = 1.0) -> tf.Tensor:
    """Huber loss: quadratic up to `delta`, linear beyond.

    0.5 x^2 where |x| <= delta, else delta (|x| - 0.5 delta). Its gradient is `x`
    clipped to [-delta, delta]. Source: Mnih et al. 2015, Methods (the "clipped error").

    Args:
        x: float32 of any shape.
        delta: where the loss becomes linear, in the units of `x`.

    Returns:
        float32 of the shape of `x`; gradients reach `x`.
    """
    magnitude = tf.abs(x)
    quadratic = tf.minimum(magnitude, delta)
    return 0.5 * tf.square(quadratic) + delta * (magnitude - quadratic)


def double_q_learning(
    q_tm1: tf.Tensor,
    a_tm1: tf.Tensor,
    *,
    r_t: tf.Tensor,
    discount_t: tf.Tensor,
    q_t_value: tf.Tensor,
    q_t_selector: tf.Tensor,
    huber_delta: float = 1.0,
) -> base.LossOutput:
    """Double Q-learning: the online network selects, the target network evaluates.

    target = r_t + discount_t * q_t_value[argmax_a q_t_selector]
    loss = huber(target - q_tm1[a_tm1])
    Source: van Hasselt et al. 2016, Eq. 4, https://arxiv.org/abs/1509.06461. With
    `q_t_selector` the same tensor as `q_t_value` it is Q-learning.

    Args:
        q_tm1: `[B, A]` float32, online network at t-1.
        a_tm1: `[B]` int32, actions taken at t-1.
        r_t: `[B]` float32, rewards (n-step returns).
        discount_t: `[B]` float32, gamma^n times the environment's discounts.
        q_t_value: `[B, A]` float32, target network at t.
        q_t_selector: `[B, A]` float32, online network at t.
        huber_delta: `huber`'s delta, in units of reward.

    Returns:
        Loss, TD error and target, each `[B]`. Gradients reach `q_tm1` only.

    Raises:
        ValueError: an argument has the wrong rank.
    """
    for name, tensor, rank in (
        ("q_tm1", q_tm1, 2),
        ("a_tm1", a_tm1, 1),
        ("r_t", r_t, 1),
        ("discount_t", discount_t, 1),
        ("q_t_value", q_t_value, 2),
        ("q_t_selector", q_t_selector, 2),
    ):
        base.check_rank(name, tensor, rank)

    a_t = tf.argmax(q_t_selector, axis=1, output_type=tf.int32)  # [B]
    target = tf.stop_gradient(r_t + discount_t * select(q_t_value, a_t))  # [B]
    td_error = target - select(q_tm1, a_tm1)  # [B]
    return base.LossOutput(
        huber(td_error, huber_delta), tf.stop_gradient(td_error), target
    )


def ensemble_td(
    q_tm1: tf.Tensor, *, r_t: tf.Tensor, discount_t: tf.Tensor, v_t: tf.Tensor
) -> base.LossOutput:
    """TD learning of several critics that share one target.

    target = r_t + discount_t * v_t
    loss = sum_e 0.5 (target - q_tm1[e])^2
    Source: Fujimoto et al. 2018, Algorithm 1, https://arxiv.org/abs/1802.09477, where
    `v_t` is the minimum of two target critics; Haarnoja et al. 2018, Eq. 5,
    https://arxiv.org/abs/1812.05905, where it has an entropy bonus.

    Args:
        q_tm1: `[B, E]` float32, values of the action taken, one for each critic.
        r_t: `[B]` float32, rewards (n-step returns).
        discount_t: `[B]` float32, gamma^n times the environment's discounts.
        v_t: `[B]` float32, state values at t.

    Returns:
        Loss, TD error averaged over the critics, and target, each `[B]`. Gradients
        reach `q_tm1` only.

    Raises:
        ValueError: an argument has the wrong rank.
    """
    for name, tensor, rank in (
        ("q_tm1", q_tm1, 2),
        ("r_t", r_t, 1),
        ("discount_t", discount_t, 1),
        ("v_t", v_t, 1),
    ):
        base.check_rank(name, tensor, rank)

    target = tf.stop_gradient(r_t + discount_t * v_t)  # [B]
    td_errors = target[:, None] - q_tm1  # [B, E]
    loss = 0.5 * tf.reduce_sum(tf.square(td_errors), axis=-1)  # [B]
    td_error = tf.stop_gradient(tf.reduce_mean(td_errors, axis=-1))  # [B]
    return base.LossOutput(loss, td_error, target)


def importance_weights(probability: tf.Tensor, exponent: tf.Tensor) -> tf.Tensor:
    """Importance weights that correct the bias of prioritised sampling.

    w_i = (N P(i))^-beta / max_j w_j, from which N cancels.
    Source: Schaul et al. 2016, Section 3.4, https://arxiv.org/abs/1511.05952; the
    maximum is taken over the batch, with the shares of all devices that learn together.

    Args:
        probability: `[B]` float, probability with which each item was drawn; positive.
        exponent: `[]` float32, beta: 0 for no correction, 1 for a full one.

    Returns:
        `[B]` float32 in (0, 1], with no gradient.
    """
    # In logarithms, small probabilities cannot overflow before the division.
    log_weights = -exponent * tf.math.log(tf.cast(probability, tf.float32))
    log_max = replicas.maximum(tf.reduce_max(log_weights))
    return tf.stop_gradient(tf.exp(log_weights - log_max))


def clipped_value(
    v: tf.Tensor, *, v_old: tf.Tensor, target: tf.Tensor, epsilon: float | None
) -> tf.Tensor:
    """Squared error of state values that may be held near their old ones.

    loss = 0.5 * (target - v)^2, or with a limit the greater of that and
    0.5 * (target - v_old - clip(v - v_old, -epsilon, epsilon))^2
    Source: OpenAI Baselines' `ppo2`; Engstrom et al. 2020, Section 3,
    https://arxiv.org/abs/2005.12729. It is not in the paper on PPO.

    Args:
        v: `[B]` float32, estimates.
        v_old: `[B]` float32, estimates when the targets were made.
        target: `[B]` float32.
        epsilon: how far an estimate may usefully move, in units of return; None for
            no limit.

    Returns:
        `[B]` float32. Gradients reach `v` only.

    Raises:
        ValueError: an argument has the wrong rank.
    """
    for name, tensor in (("v", v), ("v_old", v_old), ("target", target)):
        base.check_rank(name, tensor, 1)

    target, v_old = tf.stop_gradient(target), tf.stop_gradient(v_old)
    loss = 0.5 * tf.square(target - v)  # [B]
    if epsilon is None:
        return loss
    clipped = v_old + tf.clip_by_value(v - v_old, -epsilon, epsilon)  # [B]
    return tf.maximum(loss, 0.5 * tf.square(target - clipped))
