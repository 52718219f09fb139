"""Policy losses. B is the batch axis, A the dimension of an action."""

from __future__ import annotations

import tensorflow as tf

from tfagents_core.losses import base


def dpg(
    a_t: tf.Tensor, dqda_t: tf.Tensor, dqda_clip_norm: float | None = None
) -> tf.Tensor:
    """Deterministic policy gradient: moves actions along dQ/da.

    loss = 0.5 * ||stop_gradient(a_t + dqda_t) - a_t||^2, so that d loss / d a_t is
    -dqda_t. Source: Silver et al. 2014, Theorem 1; Barth-Maron et al. 2018, Eq. 5.

    Args:
        a_t: `[B, A]` float32, the policy's actions.
        dqda_t: `[B, A]` float32, gradient dQ/da of the critic at `a_t`.
        dqda_clip_norm: maximum norm of each row of `dqda_t`, in units of value per unit
            of action; None for no clipping. (A safeguard of Acme's; not in the papers.)

    Returns:
        `[B]` float32. Gradients reach `a_t` only.

    Raises:
        ValueError: an argument has the wrong rank.
    """
    base.check_rank("a_t", a_t, 2)
    base.check_rank("dqda_t", dqda_t, 2)
    if dqda_clip_norm is not None:
        dqda_t = tf.clip_by_norm(dqda_t, dqda_clip_norm, axes=-1)
    # d loss / d a_t is -dqda_t, and the critic's variables receive no gradient.
    target = tf.stop_gradient(a_t + dqda_t)  # [B, A]
    return 0.5 * tf.reduce_sum(tf.square(target - a_t), axis=-1)


def clipped_surrogate(
    log_pi: tf.Tensor, *, log_mu: tf.Tensor, advantage: tf.Tensor, epsilon: float
) -> tf.Tensor:
    """PPO's objective, negated: no gain from moving far from the behaviour policy.

    rho = exp(log_pi - log_mu)
    loss = - min(rho * advantage, clip(rho, 1 - epsilon, 1 + epsilon) * advantage)
    Source: Schulman et al. 2017, Eq. 7, https://arxiv.org/abs/1707.06347.

    Args:
        log_pi: `[B]` float32, log-probabilities of the actions under the policy.
        log_mu: `[B]` float32, the same under the policy that chose them.
        advantage: `[B]` float32.
        epsilon: how far a probability ratio may leave 1 with gain.

    Returns:
        `[B]` float32. Gradients reach `log_pi` only, and not where the clip is active.

    Raises:
        ValueError: an argument has the wrong rank.
    """
    for name, tensor in (
        ("log_pi", log_pi),
        ("log_mu", log_mu),
        ("advantage", advantage),
    ):
        base.check_rank(name, tensor, 1)

    advantage = tf.stop_gradient(advantage)
    rho = tf.exp(log_pi - tf.stop_gradient(log_mu))  # [B]
    clipped = tf.clip_by_value(rho, 1 - epsilon, 1 + epsilon)  # [B]
    return -tf.minimum(rho * advantage, clipped * advantage)
