"""Adam, against Sonnet's and against its formula."""

from __future__ import annotations

import numpy as np
import pytest
import sonnet as snt
import tensorflow as tf

from tfagents_core import learning

SHAPES = [(), (3,), (4, 5), (2, 3, 4)]


def make_parameters(seed: int = 0) -> list[tf.Variable]:
    rng = np.random.default_rng(seed)
    return [tf.Variable(rng.normal(size=shape), dtype=tf.float32) for shape in SHAPES]


def make_gradients(num_steps: int, seed: int = 1) -> list[list[tf.Tensor]]:
    """Gradients of each step; the scales differ from parameter to parameter."""
    rng = np.random.default_rng(seed)
    return [
        [
            tf.constant(10.0**power * rng.normal(size=shape), tf.float32)
            for power, shape in zip((-1, 0, 1, 3), SHAPES, strict=True)
        ]
        for _ in range(num_steps)
    ]


def assert_all_close(
    ours: list[tf.Variable], theirs: list[tf.Variable], rtol: float
) -> None:
    for our, their in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(our.numpy(), np.asarray(their), rtol=rtol, atol=1e-7)


@pytest.mark.parametrize(
    "options", [{}, {"beta1": 0.5, "beta2": 0.9}, {"beta1": 0.0, "beta2": 0.99}]
)
def test_adam_agrees_with_sonnets_over_many_steps(options: dict[str, float]) -> None:
    ours, theirs = make_parameters(), make_parameters()
    optimizer = learning.Adam(ours, 0.01, **options)
    reference = snt.optimizers.Adam(0.01, **options)
    for gradients in make_gradients(20):
        optimizer.apply(gradients)
        reference.apply(gradients, theirs)
    assert_all_close(ours, theirs, rtol=1e-4)


@pytest.mark.parametrize("epsilon", [1e-8, 1e-2])
def test_adam_follows_its_formula(epsilon: float) -> None:
    """Kingma and Ba 2015, Section 2: alpha_t = alpha sqrt(1-beta2^t) / (1-beta1^t)."""
    parameter = tf.Variable([1.0, -2.0])
    optimizer = learning.Adam([parameter], 0.1, epsilon=epsilon)
    expected = np.array([1.0, -2.0])
    m, v = np.zeros(2), np.zeros(2)
    for step, gradient in enumerate(np.array([[0.5, -1e-3], [-2, 0], [1, 1]]), start=1):
        optimizer.apply([tf.constant(gradient, tf.float32)])
        m = 0.9 * m + 0.1 * gradient
        v = 0.999 * v + 0.001 * gradient**2
        rate = 0.1 * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
        expected -= rate * m / (np.sqrt(v) + epsilon)
        np.testing.assert_allclose(parameter, expected, rtol=1e-5)


def test_the_first_step_is_as_long_as_the_learning_rate() -> None:
    parameter = tf.Variable([1.0, 1.0, 1.0])
    learning.Adam([parameter], 0.25).apply([tf.constant([0.1, -5.0, 0.0])])
    np.testing.assert_allclose(parameter, [0.75, 1.25, 1], rtol=1e-4)


@pytest.mark.parametrize("clip_norm", [None, 1.0, 100.0])
def test_apply_returns_the_norm_before_clipping(clip_norm: float | None) -> None:
    parameters = [tf.Variable([0.0]), tf.Variable([[0.0]])]
    optimizer = learning.Adam(parameters, 0.1, clip_norm=clip_norm)
    norm = optimizer.apply([tf.constant([3.0]), tf.constant([[-4.0]])])
    assert norm.shape == ()
    np.testing.assert_allclose(norm, 5)  # sqrt(9 + 16)


def test_a_longer_gradient_is_scaled_to_the_clip_norm_and_no_other() -> None:
    clipped, by_hand = [tf.Variable([0.0, 0.0])], [tf.Variable([0.0, 0.0])]
    clipping = learning.Adam(clipped, 0.1, clip_norm=1.0)
    plain = learning.Adam(by_hand, 0.1)
    for given, let_through in (
        ([3.0, -4.0], [0.6, -0.8]),  # Of length 5: a fifth is left.
        ([0.3, 0.1], [0.3, 0.1]),  # Shorter than 1: all of it.
        ([0.0, 30.0], [0.0, 1.0]),
    ):
        clipping.apply([tf.constant(given)])
        plain.apply([tf.constant(let_through)])
        assert_all_close(clipped, by_hand, rtol=1e-5)


def test_a_zero_gradient_survives_clipping() -> None:
    parameter = tf.Variable([1.0, 2.0])
    norm = learning.Adam([parameter], 0.1, clip_norm=1.0).apply([tf.zeros(2)])
    assert float(norm) == 0
    np.testing.assert_array_equal(parameter, [1, 2])


def test_adam_is_the_same_eagerly_and_in_a_graph() -> None:
    eager, graph = make_parameters(), make_parameters()
    eager_adam = learning.Adam(eager, 0.01, clip_norm=10.0)
    graph_adam = learning.Adam(graph, 0.01, clip_norm=10.0)
    apply = tf.function(graph_adam.apply)
    for gradients in make_gradients(5):
        np.testing.assert_allclose(
            eager_adam.apply(gradients), apply(gradients), rtol=1e-5
        )
    assert_all_close(eager, graph, rtol=1e-5)
    assert_all_close(eager_adam.variables, graph_adam.variables, rtol=1e-4)


def test_an_optimizer_given_back_its_variables_goes_on_bit_for_bit() -> None:
    parameters = make_parameters()
    optimizer = learning.Adam(parameters, 0.01)
    for gradients in make_gradients(3):
        optimizer.apply(gradients)
    saved = [v.numpy() for v in (*parameters, *optimizer.variables)]

    outcomes = []
    for _ in range(2):
        fresh = make_parameters(seed=9)
        restored = learning.Adam(fresh, 0.01)
        for variable, value in zip((*fresh, *restored.variables), saved, strict=True):
            variable.assign(value)
        for gradients in make_gradients(3, seed=2):
            restored.apply(gradients)
        outcomes.append(b"".join(v.numpy().tobytes() for v in fresh))
    for gradients in make_gradients(3, seed=2):
        optimizer.apply(gradients)
    outcomes.append(b"".join(v.numpy().tobytes() for v in parameters))

    assert outcomes[0] == outcomes[1] == outcomes[2]


def test_an_optimizer_has_two_moments_a_parameter_and_two_powers() -> None:
    optimizer = learning.Adam(make_parameters(), 0.01)
    assert len(optimizer.variables) == 2 + 2 * len(SHAPES)
    assert not any(variable.trainable for variable in optimizer.variables)


@pytest.mark.parametrize("num_gradients", [0, 1, 3])
def test_another_number_of_gradients_is_refused(num_gradients: int) -> None:
    optimizer = learning.Adam([tf.Variable(0.0), tf.Variable(0.0)], 0.1)
    with pytest.raises(ValueError, match="zip"):
        optimizer.apply([tf.constant(1.0)] * num_gradients)
