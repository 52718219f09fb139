"""Heads: networks from features to values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import sonnet as snt
import tensorflow as tf

from tfagents_core.networks import initializers, torsos


class DuelingHead(snt.Module):
    """Dueling head: action values from a state value and advantages.

    q(s, a) = v(s) + adv(s, a) - mean_a' adv(s, a').
    Source: Wang et al. 2016, Eq. 9, https://arxiv.org/abs/1511.06581.

    Args:
        num_actions: number of actions, A.
        hidden_sizes: units of the hidden layers of each of the two streams.
        generator: source of the initial weights.
    """

    def __init__(
        self,
        num_actions: int,
        hidden_sizes: Sequence[int],
        *,
        generator: np.random.Generator,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        w_init = initializers.VarianceScaling(generator, 1.0)
        self._value = snt.Sequential(
            [torsos.MLP(hidden_sizes, generator), snt.Linear(1, w_init=w_init)]
        )
        self._advantage = snt.Sequential(
            [
                torsos.MLP(hidden_sizes, generator),
                snt.Linear(num_actions, w_init=w_init),
            ]
        )

    def __call__(self, features: tf.Tensor) -> tf.Tensor:
        """Action values `[B, A]` of features `[B, D]`, both float32."""
        advantage = self._advantage(features)  # [B, A]
        # Without the mean, v and adv would be determined up to a constant only.
        advantage -= tf.reduce_mean(advantage, axis=-1, keepdims=True)
        return self._value(features) + advantage
