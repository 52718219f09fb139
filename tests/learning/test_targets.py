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


@pytest.mark.parametrize("compiled", [as_is, tf.function], ids=["eager", "graph"])
def test_a_soft_update_goes_a_tau_of_the_way(compiled: Callable) -> None:
    targets = [tf.Variable(1.0), tf.Variable([0.0, -4.0])]
    sources = [tf.Variable(5.0), tf.Variable([8.0, 4.0])]

    @compiled
    def update() -> None:
        learning.update_softly(targets, sources, tau=0.25)

    update()  # 1 + (5 - 1) / 4, 0 + 8 / 4, -4 + 8 / 4.
    assert [v.numpy().tolist() for v in targets] == [2, [2, -2]]
    update()  # 2 + 3 / 4, 2 + 6 / 4, -2 + 6 / 4.
    assert [v.numpy().tolist() for v in targets] == [2.75, [3.5, -0.5]]
    assert [v.numpy().tolist() for v in sources] == [5, [8, 4]]


@pytest.mark.parametrize(("tau", "expected"), [(0.0, 1.0), (1.0, 5.0)])
def test_a_soft_update_of_0_changes_nothing_and_one_of_1_copies(
    tau: float, expected: float
) -> None:
    target = tf.Variable(1.0)
    learning.update_softly([target], [tf.Variable(5.0)], tau=tau)
    assert float(target) == expected


def test_a_soft_update_refuses_another_number_of_sources() -> None:
    with pytest.raises(ValueError, match="zip"):
        learning.update_softly([tf.Variable(1.0)], [], tau=0.5)
