"""When target networks are copied."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import tensorflow as tf

from tfagents_core import learning


def as_is(function: Callable) -> Callable:
    return function


@pytest.mark.parametrize("compiled", [as_is, tf.function], ids=["eager", "graph"])
@pytest.mark.parametrize("period", [1, 3])
def test_targets_are_copied_whenever_the_period_divides_the_steps(
    period: int, compiled: Callable
) -> None:
    targets = [tf.Variable(-1), tf.Variable([-1, -1])]
    sources = [tf.Variable(0), tf.Variable([0, 0])]

    @compiled
    def update(num_steps: tf.Tensor) -> None:
        learning.update_periodically(
            targets, sources, num_steps=num_steps, period=period
        )

    for step in range(8):
        for source in sources:
            source.assign(tf.fill(source.shape, step))
        update(tf.constant(step, tf.int64))
        last_copy = step // period * period  # The first is at step 0.
        assert int(targets[0]) == last_copy
        assert targets[1].numpy().tolist() == [last_copy, last_copy]


def test_the_sources_are_left_alone() -> None:
    target, source = tf.Variable(1.0), tf.Variable(2.0)
    for step in range(2):
        learning.update_periodically(
            [target], [source], num_steps=tf.constant(step, tf.int64), period=1
        )
        target.assign_add(5.0)
    assert float(source) == 2


def test_another_number_of_sources_is_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        learning.update_periodically(
            [tf.Variable(1.0)],
            [],
            num_steps=tf.constant(0, tf.int64),
            period=1,
        )
