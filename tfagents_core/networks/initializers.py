"""Weight initialisers drawn from an explicit generator, never from global state."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import sonnet as snt
import tensorflow as tf


class VarianceScaling(snt.initializers.Initializer):
    """Uniform weights whose variance is `scale / fan`.

    Sonnet's own initialisers draw from TensorFlow's global generator; this one draws
    from `generator`, so that networks built in the same order from the same seed have
    equal weights on every machine. Weights are uniform in `[-limit, limit]` with
    `limit = sqrt(3 * scale / fan)`; Glorot and Bengio 2010, He et al. 2015.

    Args:
        generator: source of the weights; shared by the layers of one network.
        scale: variance times fan; 1 with `"fan_in"` preserves the variance of the
            inputs of a linear layer.
        mode: the fan to use: `"fan_in"`, `"fan_out"` or `"fan_avg"`.

    Raises:
        ValueError: `mode` is none of these, or `scale` is not positive.
    """

    def __init__(
        self, generator: np.random.Generator, scale: float = 1.0, mode: str = "fan_in"
    ) -> None:
        if mode not in ("fan_in", "fan_out", "fan_avg"):
            raise ValueError(f"mode must be fan_in, fan_out or fan_avg, not {mode!r}.")
        if not scale > 0:
            raise ValueError(f"scale must be positive, not {scale}.")
        self._generator = generator
        self._scale = scale
        self._mode = mode

    def __call__(self, shape: Sequence[int], dtype: tf.DType) -> tf.Tensor:
        """Draws weights `[..., fan_in, fan_out]` of the given shape and dtype."""
        receptive_field = int(np.prod(shape[:-2]))
        fan_in, fan_out = (receptive_field * int(size) for size in shape[-2:])
        fans = {
            "fan_in": fan_in,
            "fan_out": fan_out,
            "fan_avg": (fan_in + fan_out) / 2,
        }
        limit = np.sqrt(3 * self._scale / fans[self._mode])
        return tf.constant(self._generator.uniform(-limit, limit, shape), dtype)


class Orthogonal(snt.initializers.Initializer):
    """Weights whose columns, or rows where there are fewer, are orthogonal.

    Source: Saxe et al. 2014, https://arxiv.org/abs/1312.6120; drawn from `generator`
    as `VarianceScaling` is.

    Args:
        generator: where the values come from; shared by the layers of one network.
        gain: length of each of those columns or rows.

    Raises:
        ValueError: `gain` is not positive.
    """

    def __init__(self, generator: np.random.Generator, gain: float = 1.0) -> None:
        if not gain > 0:
            raise ValueError(f"gain must be positive, not {gain}.")
        self._generator = generator
        self._gain = gain

    def __call__(self, shape: Sequence[int], dtype: tf.DType) -> tf.Tensor:
        """Draws weights `[..., fan_out]` of the given shape and dtype."""
        rows, columns = int(np.prod(shape[:-1])), int(shape[-1])
        normal = self._generator.normal(size=(max(rows, columns), min(rows, columns)))
        q, r = np.linalg.qr(normal)
        # The factorisation is unique, and so the draw uniform, if r's diagonal is > 0.
        q *= np.sign(np.diag(r))
        weights = q if rows >= columns else q.T
        return tf.constant(self._gain * weights.reshape(shape), dtype)
