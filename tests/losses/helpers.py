"""What the tests of losses share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
import tree


def floats(*values: Any) -> tf.Tensor:
    """A float32 tensor of the values."""
    return tf.constant(values, tf.float32)


def gradients(
    function: Callable[..., Any], arguments: Mapping[str, tf.Tensor]
) -> dict[str, tf.Tensor | None]:
    """Gradient of the sum of `function(**arguments)` in each argument, or None."""
    with tf.GradientTape() as tape:
        for tensor in arguments.values():
            tape.watch(tensor)
        total = tf.reduce_sum(function(**arguments))
    values = tape.gradient(total, list(arguments.values()))
    return dict(zip(arguments, values, strict=True))


def assert_eager_equals_graph(
    function: Callable[..., Any], arguments: Mapping[str, Any]
) -> None:
    """Fails unless `tf.function` changes nothing but rounding."""
    tree.map_structure(
        lambda eager, graph: np.testing.assert_allclose(eager, graph, rtol=1e-6),
        function(**arguments),
        tf.function(function)(**arguments),
    )
