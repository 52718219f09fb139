"""How policies explore. K is the axis of environments, A of actions."""

from __future__ import annotations

import tensorflow as tf


def gaussian_noise(action: tf.Tensor, sigma: float, *, seed: tf.Tensor) -> tf.Tensor:
    """Actions with normal noise added, clipped to [-1, 1].

    Args:
        action: `[K, A]` float32 in [-1, 1].
        sigma: standard deviation, in units of action; 0 changes nothing.
        seed: `[2]` int32.

    Returns:
        `[K, A]` float32 in [-1, 1].
    """
    if sigma == 0:
        return action
    noise = tf.random.stateless_normal(tf.shape(action), seed)  # [K, A]
    return tf.clip_by_value(action + sigma * noise, -1, 1)


def uniform_at_first(
    action: tf.Tensor, *, num_steps: tf.Tensor, num_random_steps: int, seed: tf.Tensor
) -> tf.Tensor:
    """Uniform actions for the first steps of a run, the policy's own from then on.

    Args:
        action: `[K, A]` float32 in [-1, 1], the policy's.
        num_steps: `[]` int64, environment steps taken so far.
        num_random_steps: environment steps with uniform actions.
        seed: `[2]` int32.

    Returns:
        `[K, A]` float32 in [-1, 1].
    """
    if num_random_steps == 0:
        return action
    uniform = tf.random.stateless_uniform(tf.shape(action), seed, minval=-1, maxval=1)
    return tf.where(num_steps < num_random_steps, uniform, action)


def greedy(q: tf.Tensor, *, dtype: tf.DType = tf.int32) -> tf.Tensor:
    """The best action.

    Args:
        q: `[K, A]` float32, action values.
        dtype: of the actions.

    Returns:
        `[K]` actions in `[0, A)`. Of several best actions, the first.
    """
    return tf.cast(tf.argmax(q, axis=-1, output_type=tf.int32), dtype)


def epsilon_greedy(
    q: tf.Tensor, epsilon: tf.Tensor, *, seed: tf.Tensor, dtype: tf.DType = tf.int32
) -> tf.Tensor:
    """The best action, or with probability `epsilon` any action alike.

    Args:
        q: `[K, A]` float32, action values.
        epsilon: `[]` or `[K]` float32 in [0, 1].
        seed: `[2]` int32.
        dtype: of the actions.

    Returns:
        `[K]` actions in `[0, A)`. Of several best actions, the first.
    """
    size, num_actions = tf.unstack(tf.shape(q))
    seeds = tf.random.split(seed, 2)  # [2, 2]
    explores = tf.random.stateless_uniform([size], seeds[0]) < epsilon  # [K]
    anything = tf.random.stateless_uniform(
        [size], seeds[1], maxval=num_actions, dtype=tf.int32
    )  # [K]
    best = greedy(q)  # [K]
    return tf.cast(tf.where(explores, anything, best), dtype)
