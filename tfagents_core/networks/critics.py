"""Critics: networks from observations and actions to values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import sonnet as snt
import tensorflow as tf

from tfagents_core.networks import initializers, torsos


class CriticEnsemble(snt.Module):
    """Several MLPs that each estimate the value of an action.

    With two of them and the minimum of both, the critic of clipped double Q-learning;
    Fujimoto et al. 2018, https://arxiv.org/abs/1802.09477.

    Args:
        layer_sizes: units of the hidden layers of each member.
        generator: source of the initial weights.
        num_critics: members, E.
    """

    def __init__(
        self,
        layer_sizes: Sequence[int],
        generator: np.random.Generator,
        *,
        num_critics: int = 2,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        w_init = initializers.VarianceScaling(generator, 1.0)
        self._members = [
            snt.Sequential(
                [torsos.MLP(layer_sizes, generator), snt.Linear(1, w_init=w_init)]
            )
            for _ in range(num_critics)
        ]

    def __call__(self, observation: tf.Tensor, action: tf.Tensor) -> tf.Tensor:
        """Values `[B, E]` of actions `[B, A]` given observations `[B, D]`."""
        inputs = tf.concat([observation, action], axis=-1)  # [B, D + A]
        return tf.concat([critic(inputs) for critic in self._members], axis=-1)
