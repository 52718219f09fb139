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
