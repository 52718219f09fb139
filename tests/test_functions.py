"""Functions that cost little to call compute what they would as plain Python."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
import pytest
import tensorflow as tf

from tfagents_core import acting, functions


class Pair(NamedTuple):
    """Inputs or outputs with names."""

    left: Any
    right: Any


def test_the_same_shapes_are_traced_once_and_give_no_warning() -> None:
    double = functions.Function(lambda x: 2 * x, "Doubling")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        values = [float(double(np.float32(x))) for x in (1.0, 2.0, 3.0)]
    assert values == [2.0, 4.0, 6.0]
    assert double.num_traces == 1


def test_other_shapes_give_one_warning_with_both() -> None:
    total = functions.Function(lambda x: tf.reduce_sum(x["a"]), "Adding up")
    expected = (
        r"Adding up is compiled again, .*: first for float32 \[2\], now for "
        r"float32 \[3, 1\];"
    )
    total({"a": np.ones(2, np.float32)})
    with pytest.warns(UserWarning, match=expected):
        total({"a": np.ones((3, 1), np.float32)})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert total({"a": np.ones(4, np.float32)}) == 4
        assert total({"a": np.ones(2, np.float32)}) == 2
        assert total({"a": np.ones(2, np.int32)}).dtype == np.int32
    assert total.num_traces == 4


def test_control_flow_is_compiled_as_in_tf_function() -> None:
    def count(n: tf.Tensor) -> tf.Tensor:
        total = tf.constant(0)
        for i in tf.range(n):
            total += i
        return total

    counting = functions.Function(count, "Counting")
    assert [counting(np.int32(n)) for n in (3, 5)] == [3, 10]
    assert counting.num_traces == 1


@pytest.mark.parametrize("parallel", [False, True])
def test_nests_come_in_and_go_out_as_they_are(parallel: bool) -> None:
    def swap(
        pair: Pair, *rest: tf.Tensor
    ) -> tuple[Pair, dict[str, Any], tuple[()], list[Any]]:
        named = {"b": pair.left["z"], "a": pair.left["y"]}
        return Pair(pair.right, [*rest]), named, (), [pair.right, 7]

    function = functions.Function(swap, "Swapping", parallel=parallel)
    for offset in (0, 10):  # The second call takes the graph of the first.
        pair = Pair({"z": np.int64(1 + offset), "y": np.int64(2)}, np.arange(3))
        out, named, empty, again = function(pair, np.float32(offset))
        assert isinstance(out, Pair)
        np.testing.assert_array_equal(out.left, [0, 1, 2])
        assert out.right == [offset]
        assert named == {"a": 2, "b": 1 + offset}
        assert empty == ()
        np.testing.assert_array_equal(again[0], [0, 1, 2])
        assert again[1] == 7


def test_outputs_are_the_callers_to_keep() -> None:
    variable = tf.Variable([1.0, 2.0])
    read = functions.Function(lambda: variable.read_value(), "Reading")
    before = read()
    variable.assign([3.0, 4.0])
    np.testing.assert_array_equal(before, [1.0, 2.0])
    np.testing.assert_array_equal(read(), [3.0, 4.0])


def test_variables_are_those_of_the_moment_and_are_changed() -> None:
    count = tf.Variable(0)

    def add(x: tf.Tensor) -> tuple[()]:
        count.assign_add(x)
        return ()

    adding = functions.Function(add, "Adding")
    for x in (1, 2, 3):
        assert adding(np.int32(x)) == ()
    assert int(count) == 6


def test_it_computes_what_tf_function_does_to_the_bit() -> None:
    generator = np.random.default_rng(0)
    weights = tf.Variable(generator.normal(size=(64, 64)).astype(np.float32))

    def draw(x: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        noise = tf.random.stateless_normal([8, 64], seed)
        return tf.tanh((x + noise) @ weights), noise

    x = generator.normal(size=(8, 64)).astype(np.float32)
    seed = np.array([3, 4], np.int32)
    expected = tf.function(draw)(x, seed)
    for parallel in (False, True):
        got = functions.Function(draw, "Drawing", parallel=parallel)(x, seed)
        for mine, theirs in zip(got, expected, strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_tensorflows_errors_come_through() -> None:
    check = functions.Function(
        lambda x: tf.debugging.check_numerics(x, "broken"), "Checking"
    )
    check(np.float32(1))
    with pytest.raises(tf.errors.InvalidArgumentError, match="broken"):
        check(np.float32(np.nan))


def test_an_actor_whose_observations_change_their_shape_says_so() -> None:
    actor = acting.PolicyActor(
        acting.FeedForwardPolicy(lambda o, _: tf.reduce_sum(o, 1), []), seed=0
    )
    actor.select_action(np.zeros((1, 4), np.float32))
    with pytest.warns(UserWarning, match=r"An actor's policy .*float32 \[1, 5\]"):
        actor.select_action(np.zeros((1, 5), np.float32))


def test_inputs_that_nothing_reads_may_hold_anything() -> None:
    def pick(x: dict[str, tf.Tensor], n: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        _, total = tf.while_loop(
            lambda i, _: i < n, lambda i, t: (i + 1, t + x["looped"]), (0, 0)
        )
        return x["returned"], total

    picking = functions.Function(pick, "Picking")
    for value in (1, 2, 3):
        inputs = {"looped": value, "returned": 10 * value, "unread": 100 * value}
        arrays = {name: np.int32(number) for name, number in inputs.items()}
        assert picking(arrays, np.int32(4)) == (10 * value, 4 * value)
    assert picking.num_traces == 1
