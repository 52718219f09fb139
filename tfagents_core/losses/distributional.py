"""Distributional value losses. B is the batch axis, N the atom axis."""

from __future__ import annotations

import tensorflow as tf

from tfagents_core.losses import base


def project(probs: tf.Tensor, support: tf.Tensor, atoms: tf.Tensor) -> tf.Tensor:
    """Projects a distribution on `support` onto the fixed `atoms`.

    Each support point is clipped to the atoms' range, and its mass is split between its
    two neighbouring atoms by linear interpolation. So the mean is preserved unless mass
    is clipped. Source: Bellemare et al. 2017, Eq. 7, https://arxiv.org/abs/1707.06887.

    Args:
        probs: `[B, N]` float32, the mass at each point of `support`.
        support: `[B, N]` float32, in units of return; need not be sorted.
        atoms: `[N]` float32, evenly spaced and increasing.

    Returns:
        `[B, N]` float32, the mass at each of `atoms`; each row has the sum of its row
        of `probs`. Gradients reach all arguments.
    """
    spacing = atoms[1] - atoms[0]
    clipped = tf.clip_by_value(support, atoms[0], atoms[-1])  # [B, N]
    distance = tf.abs(clipped[:, None, :] - atoms[None, :, None])  # [B, N, N]
    # Interpolation weights: 1 at the point's own atom, 0 from the next one on.
    share = tf.nn.relu(1 - distance / spacing)  # [B, N, N]
    return tf.reduce_sum(share * probs[:, None, :], axis=-1)


def categorical_td(
    logits_tm1: tf.Tensor,
    atoms: tf.Tensor,
    *,
    r_t: tf.Tensor,
    discount_t: tf.Tensor,
    logits_t: tf.Tensor,
) -> base.LossOutput:
    """Distributional TD: cross-entropy to the projected Bellman target (C51).

    target = project(r_t + discount_t * atoms, softmax(logits_t))
    loss = - sum_i target_i log softmax(logits_tm1)_i
    Source: Bellemare et al. 2017, Algorithm 1; Barth-Maron et al. 2018, Eq. 3, with
    n-step returns. The cross-entropy is the KL divergence plus the target's entropy,
    which has no gradient.

    Args:
        logits_tm1: `[B, N]` float32, the online network's distribution at t-1.
        atoms: `[N]` float32, evenly spaced and increasing, in units of return.
        r_t: `[B]` float32, rewards (n-step returns).
        discount_t: `[B]` float32, gamma^n times the environment's discounts.
        logits_t: `[B, N]` float32, the target network's distribution at t.

    Returns:
        Loss `[B]`, TD error of the means `[B]`, target `[B, N]`. Gradients reach
        `logits_tm1` only.

    Raises:
        ValueError: an argument has the wrong rank.
    """
    for name, tensor, rank in (
        ("logits_tm1", logits_tm1, 2),
        ("atoms", atoms, 1),
        ("r_t", r_t, 1),
        ("discount_t", discount_t, 1),
        ("logits_t", logits_t, 2),
    ):
        base.check_rank(name, tensor, rank)

    support = r_t[:, None] + discount_t[:, None] * atoms[None, :]  # [B, N]
    target = project(tf.nn.softmax(logits_t), support, atoms)  # [B, N]
    target = tf.stop_gradient(target)
    loss = tf.nn.softmax_cross_entropy_with_logits(target, logits_tm1)  # [B]
    # By the unprojected mean: clipping to the atoms would hide large errors.
    td_error = mean(tf.nn.softmax(logits_t), support) - mean(
        tf.nn.softmax(logits_tm1), atoms
    )  # [B]
    return base.LossOutput(loss, tf.stop_gradient(td_error), target)


def mean(probs: tf.Tensor, atoms: tf.Tensor) -> tf.Tensor:
    """Mean `[B]` of distributions `probs` `[B, N]` over `atoms` `[N]` or `[B, N]`."""
    return tf.reduce_sum(probs * atoms, axis=-1)
