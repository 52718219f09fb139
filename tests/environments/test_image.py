"""Shrinking by area."""

import math

import numpy as np
import pytest

from tfagents_core.environments import image


def _mean_by_area(frame, target):
    """The definition: split pixels until they fit the target's, then average."""
    parts = [t // math.gcd(s, t) for s, t in zip(frame.shape, target, strict=True)]
    fine = np.kron(frame.astype(np.int64), np.ones(parts, np.int64))
    height, width = fine.shape[0] // target[0], fine.shape[1] // target[1]
    sums = fine.reshape(target[0], height, target[1], width).sum(axis=(1, 3))
    return (sums + height * width // 2) // (height * width)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ((210, 160), (84, 84)),
        ((250, 160), (84, 84)),
        ((7, 5), (3, 2)),
        ((6, 6), (3, 3)),
        ((4, 9), (4, 1)),
    ],
)
def test_each_pixel_is_the_mean_of_the_area_it_covers(source, target):
    frame = np.random.default_rng(0).integers(0, 256, source, np.uint8)
    shrunk = image.AreaResize(source, target)(frame)
    assert shrunk.dtype == np.uint8
    np.testing.assert_array_equal(shrunk, _mean_by_area(frame, target))


@pytest.mark.parametrize("source", [(210, 160), (250, 160)])
def test_a_white_frame_stays_white(source):
    white = np.full(source, 255, np.uint8)
    assert image.AreaResize(source, (84, 84))(white).min() == 255


def test_frames_cannot_grow():
    with pytest.raises(ValueError, match="cannot shrink"):
        image.AreaResize((84, 84), (84, 85))
