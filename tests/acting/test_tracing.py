"""A function that is compiled again and again says so."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import tensorflow as tf

from tfagents_core import acting
from tfagents_core.acting import tracing


def test_the_same_shapes_are_traced_once_and_give_no_warning() -> None:
    double = tracing.function(lambda x: 2 * x, "Doubling")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        values = [float(double(tf.constant(x))) for x in (1.0, 2.0, 3.0)]
    assert values == [2.0, 4.0, 6.0]
    assert double.experimental_get_tracing_count() == 1


def test_other_shapes_give_one_warning_with_both() -> None:
    total = tracing.function(lambda x: tf.reduce_sum(x["a"]), "Adding up")
    expected = (
        r"Adding up is compiled again, .*: first for float32 \[2\], now for "
        r"float32 \[3, 1\];"
    )
    total({"a": tf.ones(2)})
    with pytest.warns(UserWarning, match=expected):
        total({"a": tf.ones((3, 1))})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        total({"a": tf.ones(4)})
        total({"a": tf.ones(2)})
    assert total.experimental_get_tracing_count() == 3


def test_python_numbers_are_named() -> None:
    add = tracing.function(lambda x, n: x + n, "Adding")
    add(tf.constant(1), 1)
    with pytest.warns(UserWarning, match=r"first for int32 \[\], 1, now for .*, 2;"):
        add(tf.constant(1), 2)


def test_control_flow_is_compiled_as_in_tf_function() -> None:
    def count(n: tf.Tensor) -> tf.Tensor:
        total = tf.constant(0)
        for i in tf.range(n):
            total += i
        return total

    counting = tracing.function(count, "Counting")
    assert [int(counting(tf.constant(n))) for n in (3, 5)] == [3, 10]
    assert counting.experimental_get_tracing_count() == 1


def test_an_actor_whose_observations_change_their_shape_says_so() -> None:
    actor = acting.PolicyActor(
        acting.FeedForwardPolicy(lambda o, _: tf.reduce_sum(o, 1), []), seed=0
    )
    actor.select_action(np.zeros((1, 4), np.float32))
    with pytest.warns(UserWarning, match=r"An actor's policy .*float32 \[1, 5\]"):
        actor.select_action(np.zeros((1, 5), np.float32))
