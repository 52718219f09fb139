"""The squashed Gaussian: its density against integration and tfp, and its gradients."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf

from tfagents_core import networks

SEED = tf.constant([3, 4])


def make(mean: float, std: float, *, size: int = 1) -> networks.TanhGaussian:
    """`size` equal distributions over one action."""
    return networks.TanhGaussian(
        tf.fill([size, 1], mean), tf.fill([size, 1], math.log(std))
    )


def random_distribution() -> networks.TanhGaussian:
    """Of two actions, a batch of 50."""
    generator = np.random.default_rng(0)
    return networks.TanhGaussian(
        tf.constant(generator.normal(size=(50, 2)), tf.float32),
        tf.constant(generator.uniform(-2, 0.5, size=(50, 2)), tf.float32),
    )


@pytest.mark.parametrize("mean", [-1.0, 0.0, 0.5])
@pytest.mark.parametrize("std", [0.1, 0.5, 1.0])
def test_the_density_integrates_to_one(mean: float, std: float) -> None:
    edges = np.linspace(-1, 1, 100_001)
    actions = tf.constant((edges[1:] + edges[:-1])[:, None] / 2, tf.float32)
    log_prob = make(mean, std, size=len(actions)).log_prob(actions)
    integral = np.sum(np.exp(log_prob.numpy().astype(np.float64))) * (2 / 100_000)
    assert integral == pytest.approx(1, abs=2e-3)


def test_the_density_agrees_with_tfp() -> None:
    tfp = pytest.importorskip("tensorflow_probability")
    ours = random_distribution()
    theirs = tfp.distributions.TransformedDistribution(
        tfp.distributions.MultivariateNormalDiag(ours.mean, tf.exp(ours.log_std)),
        tfp.bijectors.Tanh(),
    )
    action, log_prob = ours.sample_and_log_prob(SEED)
    np.testing.assert_allclose(log_prob, theirs.log_prob(action), atol=1e-3)
    np.testing.assert_allclose(ours.log_prob(action), log_prob, atol=1e-3)


@pytest.mark.parametrize("u", [-15.0, -3.0, -0.1, 0.0, 0.1, 3.0, 15.0])
def test_the_log_derivative_of_tanh_is_right_where_float32_rounds_it_to_zero(
    u: float,
) -> None:
    expected = -2 * math.log(math.cosh(u))  # 1 - tanh^2 is 1 / cosh^2.
    value = networks.log_tanh_derivative(tf.constant(u))
    assert float(value) == pytest.approx(expected, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("mean", [-50.0, 50.0])
def test_far_beyond_the_bounds_log_densities_and_gradients_are_exact(
    mean: float,
) -> None:
    distribution = make(mean, 1.0)
    with tf.GradientTape() as tape:
        tape.watch(distribution)
        action, log_prob = distribution.sample_and_log_prob(SEED)
    noise = tf.random.stateless_normal([1, 1], SEED).numpy().item()
    # log(1 - tanh(u)^2) is log 4 - 2 |u| there.
    log_normal = -0.5 * noise**2 - 0.5 * math.log(2 * math.pi)
    expected = log_normal - math.log(4) + 2 * abs(mean + noise)
    assert abs(action.numpy().item()) == 1
    assert log_prob.numpy().item() == pytest.approx(expected, rel=1e-5)
    gradient = tape.gradient(log_prob, distribution.mean)
    np.testing.assert_allclose(gradient, [[2 * np.sign(mean)]], rtol=1e-5)


@pytest.mark.parametrize("action", [-1.0, 1.0])
def test_an_action_at_a_bound_has_a_finite_log_density(action: float) -> None:
    assert np.isfinite(make(0.0, 1.0).log_prob(tf.constant([[action]])))


def test_samples_are_distributed_as_the_density_says() -> None:
    size = 20_000
    samples = make(0.4, 0.7, size=size).sample(SEED).numpy()
    # The share of samples below tanh(mean + z std) is the normal's below z.
    for z, expected in ((-1, 0.1587), (0, 0.5), (1, 0.8413)):
        share = np.mean(samples < math.tanh(0.4 + z * 0.7))
        assert share == pytest.approx(expected, abs=4 * math.sqrt(0.25 / size))


def test_samples_are_reparameterised() -> None:
    distribution = make(0.3, 0.5)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(distribution)
        action = distribution.sample(SEED)
    noise = tf.random.stateless_normal([1, 1], SEED)
    slope = 1 - action**2
    np.testing.assert_allclose(
        tape.gradient(action, distribution.mean), slope, rtol=1e-5
    )
    np.testing.assert_allclose(
        tape.gradient(action, distribution.log_std), slope * 0.5 * noise, rtol=1e-5
    )


def test_equal_seeds_draw_equal_samples_and_others_do_not() -> None:
    distribution = random_distribution()
    first, same, other = (
        distribution.sample(tf.constant(seed)) for seed in ([1, 2], [1, 2], [1, 3])
    )
    np.testing.assert_array_equal(first, same)
    assert np.all(first != other)


def test_the_mode_is_the_tanh_of_the_mean() -> None:
    np.testing.assert_allclose(make(0.5, 2.0).mode(), [[math.tanh(0.5)]], rtol=1e-6)


def test_a_graph_draws_what_eager_code_draws() -> None:
    distribution = random_distribution()

    def draw(seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return distribution.sample_and_log_prob(seed)

    for eager, graph in zip(draw(SEED), tf.function(draw)(SEED), strict=True):
        np.testing.assert_allclose(eager, graph, rtol=1e-4, atol=1e-5)
