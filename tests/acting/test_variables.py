"""How an actor's variables follow the learner's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import tensorflow as tf

from tfagents_core import acting, core


class Source(core.VariableSource):
    """Groups of variables whose values anyone may set."""

    def __init__(self, **groups: list[np.ndarray]) -> None:
        self.groups = groups
        self.num_calls = 0

    def get_variables(self, names: Sequence[str]) -> list[list[np.ndarray]]:
        self.num_calls += 1
        return [self.groups[name] for name in names]


@pytest.mark.parametrize("period", [1, 2, 5])
def test_variables_are_copied_at_every_periodth_update(period: int) -> None:
    source = Source(policy=[np.float32(0)])
    variable = tf.Variable(-1.0)
    client = acting.VariableClient(source, {"policy": [variable]}, update_period=period)
    for update in range(1, 12):
        source.groups["policy"] = [np.float32(update)]
        client.update()
        last_copy = update // period * period
        assert float(variable) == (last_copy or -1)
    assert source.num_calls == 11 // period


def test_copy_does_not_wait_for_the_period() -> None:
    variable = tf.Variable([0.0, 0.0])
    source = Source(policy=[np.array([1, 2], np.float32)])
    client = acting.VariableClient(source, {"policy": [variable]}, update_period=100)
    client.copy()
    np.testing.assert_array_equal(variable, [1, 2])


def test_each_group_is_copied_in_its_own_order() -> None:
    first, second, third = (tf.Variable(0.0) for _ in range(3))
    source = Source(policy=[np.float32(1), np.float32(2)], critic=[np.float32(3)])
    variables = {"critic": [third], "policy": [first, second]}
    acting.VariableClient(source, variables, update_period=1).update()
    assert [float(v) for v in (first, second, third)] == [1, 2, 3]


def test_a_source_with_another_number_of_variables_is_refused_by_name() -> None:
    source = Source(policy=[np.float32(1), np.float32(2)])
    client = acting.VariableClient(
        source, {"policy": [tf.Variable(0.0)]}, update_period=1
    )
    with pytest.raises(ValueError, match="'policy' has 2 variables, the actor's 1"):
        client.update()


def test_a_source_with_another_shape_is_refused() -> None:
    variable = tf.Variable([1.0, 2.0])
    source = Source(policy=[np.zeros(3, np.float32)])
    client = acting.VariableClient(source, {"policy": [variable]}, update_period=1)
    with pytest.raises(ValueError, match="shape"):
        client.copy()
    np.testing.assert_array_equal(variable, [1, 2])


def test_a_group_the_source_does_not_have_is_refused() -> None:
    client = acting.VariableClient(
        Source(), {"policy": [tf.Variable(0.0)]}, update_period=1
    )
    with pytest.raises(KeyError, match="policy"):
        client.copy()


@pytest.mark.parametrize("period", [0, -1])
def test_a_period_that_is_not_positive_is_refused(period: int) -> None:
    with pytest.raises(ValueError, match=f"update_period must be positive.*{period}"):
        acting.VariableClient(Source(), {}, update_period=period)
