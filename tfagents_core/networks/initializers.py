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
