"""Values that fit specs."""

from __future__ import annotations

import numpy as np
import tree

from tfagents_core import specs, types

_UNBOUNDED = 10.0
"""Stands for infinity where a value is drawn."""


def sample(
    spec: types.NestedSpec,
    generator: np.random.Generator,
    *,
    batch: tuple[int, ...] = (),
) -> types.NestedArray:
    """Random values that fit a nest of specs.

    Args:
        spec: nest of array specs.
        generator: draws them.
        batch: leading axes of every array.
    """

    def draw(leaf: specs.Array) -> np.ndarray:
        shape = (*batch, *leaf.shape)
        if isinstance(leaf, specs.DiscreteArray):
            return np.asarray(
                generator.integers(leaf.num_values, size=shape), leaf.dtype
            )
        low, high = np.float64(-_UNBOUNDED), np.float64(_UNBOUNDED)
        if isinstance(leaf, specs.BoundedArray):
            low, high = np.maximum(leaf.minimum, low), np.minimum(leaf.maximum, high)
        drawn = generator.uniform(low, high, size=shape)
        return drawn.astype(leaf.dtype)

    return tree.map_structure(draw, spec)


def check_fits(
    spec: types.NestedSpec,
    values: types.Nest,
    *,
    batch: tuple[int, ...] = (),
    may_exceed: bool = False,
) -> None:
    """Makes sure that values have the structure, shapes, dtypes and bounds of specs.

    Args:
        spec: nest of array specs.
        values: nest of arrays or tensors.
        batch: leading axes that every array has beside the spec's.
        may_exceed: whether floats may lie outside their bounds.

    Raises:
        AssertionError: naming the first leaf that does not fit.
    """
    tree.assert_same_structure(spec, values, check_types=False)
    leaves = tree.flatten(values)
    for (path, leaf), value in zip(tree.flatten_with_path(spec), leaves, strict=True):
        array = np.asarray(value)
        name = "/".join(map(str, path)) or "the value"
        assert array.shape == (*batch, *leaf.shape), (
            f"{name} has shape {array.shape}, not {(*batch, *leaf.shape)}"
        )
        assert array.dtype == leaf.dtype, f"{name} is {array.dtype}, not {leaf.dtype}"
        is_free = may_exceed and np.issubdtype(leaf.dtype, np.floating)
        if isinstance(leaf, specs.BoundedArray) and not is_free:
            is_inside = (array >= leaf.minimum) & (array <= leaf.maximum)
            assert is_inside.all(), f"{name} is outside its bounds: {array}"
