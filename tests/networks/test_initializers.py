"""Initial weights: their variance, and that one generator decides them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf

from tfagents_core import networks


def draw(
    shape: tuple[int, ...], scale: float = 1.0, mode: str = "fan_in", *, seed: int = 0
) -> np.ndarray:
    initializer = networks.VarianceScaling(np.random.default_rng(seed), scale, mode)
    return initializer(shape, tf.float32).numpy()


@pytest.mark.parametrize(
    ("shape", "scale", "mode", "variance"),
    [
        ((200, 300), 1, "fan_in", 1 / 200),
        ((200, 300), 1, "fan_out", 1 / 300),
        ((200, 300), 1, "fan_avg", 1 / 250),
        ((200, 300), 2, "fan_in", 2 / 200),
        ((200, 300), 1 / 3, "fan_out", 1 / 900),
        ((8, 8, 4, 32), 1, "fan_in", 1 / 256),  # 8 * 8 * 4 inputs a unit.
        ((3, 3, 16, 64), 1, "fan_out", 1 / 576),  # 3 * 3 * 64
    ],
)
def test_weights_have_the_variance_asked_for(
    shape: tuple[int, ...], scale: float, mode: str, variance: float
) -> None:
    weights = draw(shape, scale, mode)
    assert weights.shape == shape
    assert weights.var() == pytest.approx(variance, rel=0.05)
    assert abs(weights.mean()) < 4 * math.sqrt(variance / weights.size)


def test_weights_fill_the_range_of_a_uniform_distribution_and_no_more() -> None:
    limit = math.sqrt(3 / 100)  # Variance limit^2 / 3 = 1 / fan_in.
    weights = draw((100, 100))
    assert limit * 0.99 < np.abs(weights).max() <= limit


def test_equal_seeds_draw_equal_weights_and_others_do_not() -> None:
    np.testing.assert_array_equal(draw((4, 5), seed=1), draw((4, 5), seed=1))
    assert not np.array_equal(draw((4, 5), seed=1), draw((4, 5), seed=2))


def test_one_initializer_draws_new_weights_at_every_call() -> None:
    initializer = networks.VarianceScaling(np.random.default_rng(0))
    first, second = (initializer((4, 5), tf.float32) for _ in range(2))
    assert not np.array_equal(first, second)


def test_tensorflows_global_seed_has_no_say() -> None:
    draws = []
    for global_seed in (1, 2):
        tf.random.set_seed(global_seed)
        draws.append(draw((4, 5)))
    np.testing.assert_array_equal(*draws)


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
def test_weights_have_the_dtype_asked_for(dtype: tf.DType) -> None:
    initializer = networks.VarianceScaling(np.random.default_rng(0))
    assert initializer((2, 3), dtype).dtype == dtype


def test_an_unknown_mode_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="mode must be .* not 'fan_on'"):
        networks.VarianceScaling(np.random.default_rng(0), 1.0, "fan_on")


@pytest.mark.parametrize("scale", [0, -1, math.nan])
def test_a_scale_that_is_not_positive_is_refused(scale: float) -> None:
    with pytest.raises(ValueError, match=f"scale must be positive, not {scale}"):
        networks.VarianceScaling(np.random.default_rng(0), scale)
