"""Losses for action values, against arithmetic done by hand and against trfl."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf

from tfagents_core import losses

from . import helpers

floats = helpers.floats


def make_batch() -> dict[str, tf.Tensor]:
    """Three transitions: a large error, a terminal one, a small error."""
    return {
        "q_tm1": floats([1, 2], [3, 4], [2, 0]),
        "a_tm1": tf.constant([0, 1, 0]),
        "r_t": floats(0.5, -1, 0),
        "discount_t": floats(0.9, 0, 0.5),
        "q_t_value": floats([10, 20], [30, 40], [7, 5]),
        "q_t_selector": floats([5, 1], [0, 1], [-2, -1]),
    }


def random_batch(seed: int) -> dict[str, tf.Tensor]:
    rng = np.random.default_rng(seed)

    def normal(*shape: int) -> tf.Tensor:
        return tf.constant(3 * rng.normal(size=shape), tf.float32)

    return {
        "q_tm1": normal(8, 5),
        "a_tm1": tf.constant(rng.integers(5, size=8), tf.int32),
        "r_t": normal(8),
        "discount_t": tf.constant(rng.choice([0, 0.5, 0.99], size=8), tf.float32),
        "q_t_value": normal(8, 5),
        "q_t_selector": normal(8, 5),
    }


def test_double_q_learning_gives_the_values_computed_by_hand() -> None:
    output = losses.double_q_learning(**make_batch())

    # The selector's best actions are 0, 1 and 1, which the other network values 10, 40
    # and 5. Targets: 0.5 + 0.9 * 10 = 9.5, -1 + 0 * 40 = -1, 0 + 0.5 * 5 = 2.5.
    np.testing.assert_allclose(output.target, [9.5, -1, 2.5])
    # Less q_tm1 of the action taken: 9.5 - 1, -1 - 4, 2.5 - 2.
    np.testing.assert_allclose(output.td_error, [8.5, -5, 0.5])
    # Huber with delta 1: 8.5 - 0.5, 5 - 0.5, 0.5 * 0.5^2.
    np.testing.assert_allclose(output.loss, [8, 4.5, 0.125])


def test_double_q_learnings_gradient_is_the_clipped_error_at_the_action_taken() -> None:
    gradients = helpers.gradients(
        lambda **batch: losses.double_q_learning(**batch).loss, make_batch()
    )
    np.testing.assert_allclose(gradients["q_tm1"], [[-1, 0], [0, 1], [-0.5, 0]])


@pytest.mark.parametrize("name", ["r_t", "discount_t", "q_t_value", "q_t_selector"])
def test_double_q_learning_sends_no_gradient_into_targets(name: str) -> None:
    gradients = helpers.gradients(
        lambda **batch: losses.double_q_learning(**batch).loss, make_batch()
    )
    assert gradients[name] is None


@pytest.mark.parametrize("field", ["td_error", "target"])
def test_double_q_learnings_other_outputs_have_no_gradient(field: str) -> None:
    gradients = helpers.gradients(
        lambda **batch: getattr(losses.double_q_learning(**batch), field), make_batch()
    )
    assert set(gradients.values()) == {None}


@pytest.mark.parametrize("name", list(make_batch()))
def test_double_q_learning_refuses_a_wrong_rank_by_name(name: str) -> None:
    batch = make_batch()
    batch[name] = batch[name][..., None]
    with pytest.raises(ValueError, match=f"^{name} must have rank"):
        losses.double_q_learning(**batch)


def test_double_q_learning_is_the_same_eagerly_and_in_a_graph() -> None:
    helpers.assert_eager_equals_graph(losses.double_q_learning, make_batch())


def test_with_one_network_double_q_learning_is_q_learning() -> None:
    batch = make_batch()
    batch["q_t_selector"] = batch["q_t_value"]
    target = losses.double_q_learning(**batch).target
    # r + discount * max_a q: 0.5 + 0.9 * 20, -1 + 0 * 40, 0 + 0.5 * 7.
    np.testing.assert_allclose(target, [18.5, -1, 3.5])


@pytest.mark.parametrize("seed", range(3))
def test_double_q_learning_agrees_with_trfl(seed: int) -> None:
    trfl = pytest.importorskip("trfl")
    batch = random_batch(seed)
    theirs = trfl.double_qlearning(
        q_tm1=batch["q_tm1"],
        a_tm1=batch["a_tm1"],
        r_t=batch["r_t"],
        pcont_t=batch["discount_t"],
        q_t_value=batch["q_t_value"],
        q_t_selector=batch["q_t_selector"],
    )
    ours = losses.double_q_learning(**batch, huber_delta=1e3)  # All of it quadratic.
    np.testing.assert_allclose(ours.loss, theirs.loss, rtol=1e-5)
    np.testing.assert_allclose(ours.td_error, theirs.extra.td_error, rtol=1e-5)
    np.testing.assert_allclose(ours.target, theirs.extra.target, rtol=1e-5)


@pytest.mark.parametrize(
    ("x", "delta", "expected", "slope"),
    [
        (0, 1, 0, 0),
        (0.5, 1, 0.125, 0.5),  # 0.5 * 0.5^2
        (-0.5, 1, 0.125, -0.5),
        (1, 1, 0.5, 1),  # Both branches meet: 0.5 * 1^2 = 1 * (1 - 0.5).
        (3, 1, 2.5, 1),  # 1 * (3 - 0.5)
        (-3, 1, 2.5, -1),
        (3, 2, 4, 2),  # 2 * (3 - 1)
        (3, 10, 4.5, 3),  # 0.5 * 3^2
    ],
)
def test_huber_and_its_slope_by_hand(
    x: float, delta: float, expected: float, slope: float
) -> None:
    value = losses.huber(tf.constant(x, tf.float32), delta)
    gradient = helpers.gradients(
        lambda x: losses.huber(x, delta), {"x": tf.constant(x, tf.float32)}
    )["x"]
    np.testing.assert_allclose(value, expected)
    np.testing.assert_allclose(gradient, slope)


def test_huber_agrees_with_trfl() -> None:
    trfl = pytest.importorskip("trfl")
    x = tf.linspace(-3.0, 3.0, 25)
    np.testing.assert_allclose(losses.huber(x, 1.5), trfl.huber_loss(x, 1.5), rtol=1e-6)


def test_huber_keeps_any_shape() -> None:
    assert losses.huber(tf.zeros((2, 3, 4))).shape == (2, 3, 4)


def test_select_takes_one_value_a_row_and_sends_it_the_gradient() -> None:
    q, a = floats([1, 2, 3], [4, 5, 6]), tf.constant([2, 0])
    np.testing.assert_array_equal(losses.select(q, a), [3, 4])
    gradient = helpers.gradients(lambda q: losses.select(q, a), {"q": q})["q"]
    np.testing.assert_array_equal(
        tf.convert_to_tensor(gradient), [[0, 0, 1], [1, 0, 0]]
    )


@pytest.mark.parametrize(
    ("exponent", "expected"),
    [
        (0, [1, 1, 1]),
        (0.5, [math.sqrt(1 / 5), math.sqrt(1 / 2), 1]),
        (1, [1 / 5, 1 / 2, 1]),  # 1/0.5 = 2, 1/0.2 = 5 and 1/0.1 = 10, over 10.
    ],
)
def test_importance_weights_by_hand(exponent: float, expected: list[float]) -> None:
    weights = losses.importance_weights(
        tf.constant([0.5, 0.2, 0.1], tf.float64), tf.constant(exponent, tf.float32)
    )
    assert weights.dtype == tf.float32
    np.testing.assert_allclose(weights, expected, rtol=1e-6)


def test_importance_weights_do_not_overflow_for_tiny_probabilities() -> None:
    weights = losses.importance_weights(floats(1e-30, 1e-30, 1), tf.constant(2.0))
    np.testing.assert_allclose(weights, [1, 1, 0], atol=1e-30)


def test_importance_weights_depend_on_ratios_of_probabilities_only() -> None:
    probability = floats(0.1, 0.3, 0.6)
    np.testing.assert_allclose(
        losses.importance_weights(probability, tf.constant(0.7)),
        losses.importance_weights(probability / 1000, tf.constant(0.7)),
        rtol=1e-5,
    )


def test_importance_weights_have_no_gradient() -> None:
    gradients = helpers.gradients(
        losses.importance_weights,
        {"probability": floats(0.1, 0.9), "exponent": tf.constant(0.5)},
    )
    assert set(gradients.values()) == {None}


def test_importance_weights_are_the_same_eagerly_and_in_a_graph() -> None:
    helpers.assert_eager_equals_graph(
        losses.importance_weights,
        {"probability": floats(0.1, 0.9), "exponent": tf.constant(0.5)},
    )
