"""Gradients to variables."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from tfagents_core import replicas


class Adam:
    """Adam with TensorFlow's fused kernel, one call a variable.

    `sonnet.optimizers.Adam` takes some ten passes over each variable instead of one,
    and corrects the second moment before it adds epsilon to its root; here the
    correction comes after. Source: Kingma and Ba 2015, Section 2 (the efficient order),
    https://arxiv.org/abs/1412.6980.

    Args:
        parameters: what to optimise; `apply` takes their gradients in this order.
        learning_rate: alpha.
        clip_norm: gradients are scaled down to this global norm; None for no limit.
        beta1: decay of the mean of gradients, per step.
        beta2: decay of the mean of squared gradients, per step.
        epsilon: added to the root of the second moment.
    """

    def __init__(
        self,
        parameters: Sequence[tf.Variable],
        learning_rate: float,
        *,
        clip_norm: float | None = None,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
    ) -> None:
        self._parameters = list(parameters)
        self._learning_rate = learning_rate
        self._clip_norm = clip_norm
        self._beta1, self._beta2, self._epsilon = beta1, beta2, epsilon
        # The running products beta^t, which correct the moments' start at zero.
        self._powers = [
            tf.Variable(beta, trainable=False, name=f"{name}_power")
            for name, beta in (("beta1", beta1), ("beta2", beta2))
        ]
        self._moments = [
            [
                tf.Variable(tf.zeros_like(p), trainable=False, name=f"{moment}_moment")
                for moment in ("first", "second")
            ]
            for p in self._parameters
        ]

    @property
    def variables(self) -> list[tf.Variable]:
        """The optimiser's own variables."""
        return [*self._powers, *(m for moments in self._moments for m in moments)]

    def apply(
        self,
        gradients: Sequence[tf.Tensor],
        *,
        learning_rate: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Moves the parameters against `gradients`; returns their global norm `[]`.

        `learning_rate`, `[]` float32, takes the place of the constructor's in this
        step, for schedules.

        Where several devices learn together, the gradients are averaged over them.
        """
        # Before the clip: replicas that clipped their own gradients would take
        # different steps, and the mean of clipped gradients is another one.
        gradients = replicas.mean(list(gradients))
        norm = tf.linalg.global_norm(gradients)
        if self._clip_norm is not None:
            gradients, _ = tf.clip_by_global_norm(gradients, self._clip_norm, norm)
        for parameter, (m, v), gradient in zip(
            self._parameters, self._moments, gradients, strict=True
        ):
            tf.raw_ops.ResourceApplyAdam(
                var=parameter.handle,
                m=m.handle,
                v=v.handle,
                beta1_power=self._powers[0],
                beta2_power=self._powers[1],
                lr=self._learning_rate if learning_rate is None else learning_rate,
                beta1=self._beta1,
                beta2=self._beta2,
                epsilon=self._epsilon,
                grad=gradient,
            )
        self._powers[0].assign(self._powers[0] * self._beta1)
        self._powers[1].assign(self._powers[1] * self._beta2)
        return norm
