"""The dueling head."""

from __future__ import annotations

import numpy as np
import pytest
import sonnet as snt
import tensorflow as tf

from tfagents_core import networks

FEATURES = tf.constant(np.random.default_rng(7).normal(size=(5, 3)), tf.float32)


def make_head(num_actions: int, *hidden_sizes: int) -> networks.DuelingHead:
    head = networks.DuelingHead(
        num_actions, hidden_sizes, generator=np.random.default_rng(0)
    )
    head(FEATURES)  # Creates the variables.
    return head


def output_layer(head: networks.DuelingHead, size: int) -> snt.Linear:
    """The linear layer of so many outputs."""
    linears = [m for m in head.submodules if isinstance(m, snt.Linear)]
    (layer,) = [linear for linear in linears if linear.w.shape[1] == size]
    return layer


def test_a_dueling_head_gives_the_values_computed_by_hand() -> None:
    head = make_head(3)
    for size, bias in ((1, [2]), (3, [1, 2, 6])):
        layer = output_layer(head, size)
        layer.w.assign(tf.zeros_like(layer.w))
        layer.b.assign(tf.constant(bias, tf.float32))
    # The value 2, plus advantages 1, 2 and 6 less their mean 3.
    np.testing.assert_allclose(head(FEATURES), np.tile([0, 1, 5], (5, 1)))


@pytest.mark.parametrize("hidden_sizes", [(), (16,), (16, 8)])
def test_the_mean_of_a_states_action_values_is_its_value(
    hidden_sizes: tuple[int, ...],
) -> None:
    head = make_head(4, *hidden_sizes)
    before = head(FEATURES)
    value = output_layer(head, 1)
    value.b.assign_add([10.0])
    after = head(FEATURES)

    assert after.shape == (5, 4)
    np.testing.assert_allclose(after - before, np.full((5, 4), 10), rtol=1e-5)
    advantage = output_layer(head, 4)
    advantage.w.assign(tf.zeros_like(advantage.w))
    np.testing.assert_allclose(
        head(FEATURES),
        np.tile(tf.reduce_mean(after, axis=-1, keepdims=True), (1, 4)),
        rtol=1e-4,
    )


def test_a_constant_added_to_all_advantages_changes_nothing() -> None:
    head = make_head(4, 16)
    before = head(FEATURES)
    output_layer(head, 4).b.assign_add(tf.fill(4, 7.0))
    np.testing.assert_allclose(head(FEATURES), before, rtol=1e-4, atol=1e-5)


def test_with_one_action_a_dueling_head_is_the_value_alone() -> None:
    head = networks.DuelingHead(1, (), generator=np.random.default_rng(0))
    head(FEATURES)
    q = head(FEATURES).numpy()
    values = [
        FEATURES.numpy() @ m.w.numpy() + m.b.numpy()
        for m in head.submodules
        if isinstance(m, snt.Linear)
    ]
    assert any(np.allclose(q, value, rtol=1e-5) for value in values)
