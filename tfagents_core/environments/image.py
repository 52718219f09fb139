"""Downscaling of grayscale frames by area averaging, in integer arithmetic."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

_Pixels = npt.NDArray[np.uint8]


class AreaResize:
    """Downscales frames of one size: each pixel is the mean of the area it covers.

    An input pixel is weighted by the fraction of it that an output pixel covers. All
    weights are integer multiples of one unit, so sums are exact and rounding (half up)
    happens once: the result is the same on every machine. Immutable, so thread-safe. A
    frame of 210x160 to 84x84 takes about 30 microseconds.
    """

    def __init__(self, source: tuple[int, int], target: tuple[int, int]) -> None:
        """Prepares the weights.

        Args:
            source: height and width of the input frames, in pixels.
            target: height and width of the output frames, in pixels.

        Raises:
            ValueError: if `target` is empty, or larger than `source` in either
                direction.
        """
        if not all(0 < t <= s for s, t in zip(source, target, strict=True)):
            raise ValueError(f"Frames of {source} pixels cannot shrink to {target}.")
        row_index, row_weight, row_total = _bands(source[0], target[0])
        column_index, column_weight, column_total = _bands(source[1], target[1])
        self._total = row_total * column_total
        largest = np.iinfo(np.uint8).max * self._total + self._total // 2
        # 16 bits where no sum can overflow them: half the memory traffic of 32.
        is_small = largest <= np.iinfo(np.uint16).max
        dtype = np.uint16 if is_small else np.uint32
        self._rows = list(
            zip(row_index, row_weight[:, :, np.newaxis].astype(dtype), strict=True)
        )
        self._columns = list(
            zip(column_index, column_weight.astype(dtype), strict=True)
        )

    def __call__(self, frame: _Pixels) -> _Pixels:
        """Downscales `frame`, uint8 of shape `source`, to a new array."""
        rows = sum(frame[index] * weight for index, weight in self._rows)
        sums = sum(rows[:, index] * weight for index, weight in self._columns)
        mean: npt.NDArray[Any] = (sums + self._total // 2) // self._total
        return mean.astype(np.uint8)


def _bands(
    source: int, target: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], int]:
    """The input pixels that each output pixel covers along one axis, and their weights.

    Returns:
        Indices [K, target], weights [K, target] and the sum of an output pixel's
        weights. K is the largest number of input pixels that one output pixel touches.
    """
    unit = math.gcd(source, target)
    begins = np.arange(target) * source  # In units of 1/target input pixels.
    first = begins // target
    last = (begins + source - 1) // target
    index = first + np.arange((last - first).max() + 1)[:, np.newaxis]
    overlap = np.minimum((index + 1) * target, begins + source) - np.maximum(
        index * target, begins
    )
    weight = np.maximum(overlap, 0) // unit
    # An index past the end has weight 0; it only has to be valid.
    return np.minimum(index, source - 1), weight, source // unit
