"""Values that change in the course of a run."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfagents_core.learning import schedules


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (0, 1.0),
        (25, 0.775),  # A quarter of the way down from 1 to 0.1: 1 - 0.25 * 0.9.
        (50, 0.55),
        (100, 0.1),
        (101, 0.1),
        (10**9, 0.1),
    ],
)
@pytest.mark.parametrize("dtype", [tf.int32, tf.int64, tf.float32])
def test_a_linear_schedule_goes_from_start_to_end_and_stays_there(
    step: int, expected: float, dtype: tf.DType
) -> None:
    value = schedules.linear(tf.constant(step, dtype), 1.0, 0.1, num_steps=100)
    assert value.dtype == tf.float32
    assert value.shape == ()
    np.testing.assert_allclose(value, expected, rtol=1e-6)


def test_a_linear_schedule_may_rise() -> None:
    value = schedules.linear(tf.constant(5), 0.4, 1.0, num_steps=10)
    np.testing.assert_allclose(value, 0.7, rtol=1e-6)  # Half of the way from 0.4 to 1.


@pytest.mark.parametrize("step", [0, 1, 100])
def test_a_schedule_of_no_steps_is_at_its_end_from_the_start(step: int) -> None:
    value = schedules.linear(tf.constant(step), 1.0, 0.25, num_steps=0)
    np.testing.assert_array_equal(value, 0.25)


@pytest.mark.parametrize("num_steps", [0, 100])
def test_a_schedule_is_the_same_eagerly_and_in_a_graph(num_steps: int) -> None:
    def schedule(step: tf.Tensor) -> tf.Tensor:
        return schedules.linear(step, 1.0, 0.1, num_steps=num_steps)

    step = tf.constant(33, tf.int64)
    np.testing.assert_allclose(schedule(step), tf.function(schedule)(step), rtol=1e-6)
