"""Torsos, against the same layers written out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import sonnet as snt
import tensorflow as tf

from tfagents_core import networks

VECTOR = tf.constant(np.random.default_rng(7).normal(size=(5, 3)), tf.float32)
FRAMES = np.random.default_rng(7).integers(256, size=(2, 4, 84, 84), dtype=np.uint8)

TORSOS = {
    "MLP": (lambda rng: networks.MLP((8, 6), rng), VECTOR),
    "LayerNormMLP": (lambda rng: networks.LayerNormMLP((8, 6), rng), VECTOR),
    "AtariTorso": (networks.AtariTorso, tf.constant(FRAMES)),
    "DuelingHead": (lambda rng: networks.DuelingHead(4, (8,), generator=rng), VECTOR),
}


@pytest.fixture(params=list(TORSOS))
def make_and_inputs(request: pytest.FixtureRequest) -> tuple[Callable, tf.Tensor]:
    return TORSOS[request.param]


def test_equal_seeds_make_equal_networks_and_others_do_not(
    make_and_inputs: tuple[Callable, tf.Tensor],
) -> None:
    make, inputs = make_and_inputs
    first, same, other = (
        make(np.random.default_rng(seed))(inputs).numpy() for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, same)
    assert not np.allclose(first, other)


def test_networks_are_the_same_eagerly_and_in_a_graph(
    make_and_inputs: tuple[Callable, tf.Tensor],
) -> None:
    make, inputs = make_and_inputs
    network = make(np.random.default_rng(0))
    np.testing.assert_allclose(
        network(inputs), tf.function(network)(inputs), rtol=1e-4, atol=1e-6
    )


def layers_of(module: snt.Module) -> list[tuple[np.ndarray, np.ndarray]]:
    """Weights and biases of the linear layers, in order."""
    linears = [m for m in module.submodules if isinstance(m, snt.Linear)]
    return [(linear.w.numpy(), linear.b.numpy()) for linear in linears]


def test_an_mlp_is_linear_layers_each_rectified() -> None:
    mlp = networks.MLP((8, 6), np.random.default_rng(0))
    features = mlp(VECTOR)
    expected = VECTOR.numpy()
    for weights, bias in layers_of(mlp):
        expected = np.maximum(expected @ weights + bias, 0)
    assert features.shape == (5, 6)
    np.testing.assert_allclose(features, expected, rtol=1e-5, atol=1e-6)


def test_an_mlp_without_layers_only_flattens() -> None:
    mlp = networks.MLP((), np.random.default_rng(0))
    inputs = np.arange(12, dtype=np.float32).reshape(2, 2, 3)
    np.testing.assert_array_equal(mlp(tf.constant(inputs)), inputs.reshape(2, 6))


@pytest.mark.parametrize("dtype", [tf.uint8, tf.int32, tf.float64])
def test_an_mlp_takes_observations_of_any_number_type(dtype: tf.DType) -> None:
    mlp = networks.MLP((4,), np.random.default_rng(0))
    features = mlp(tf.constant([[[1, 2], [3, 4]]], dtype))
    assert features.dtype == tf.float32
    np.testing.assert_array_equal(features, mlp(tf.constant([[1.0, 2.0, 3.0, 4.0]])))


def test_a_layer_norm_mlp_is_linear_norm_tanh_then_elu_layers() -> None:
    torso = networks.LayerNormMLP((8, 6), np.random.default_rng(0))
    features = torso(VECTOR)
    (first, first_bias), (second, second_bias) = layers_of(torso)
    hidden = VECTOR.numpy() @ first + first_bias
    hidden -= hidden.mean(axis=-1, keepdims=True)
    hidden = np.tanh(hidden / np.sqrt(hidden.var(axis=-1, keepdims=True) + 1e-5))
    hidden = hidden @ second + second_bias
    expected = np.where(hidden > 0, hidden, np.expm1(np.minimum(hidden, 0)))
    np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-5)


def test_a_layer_norm_mlps_features_do_not_depend_on_the_observations_units() -> None:
    torso = networks.LayerNormMLP((8, 6), np.random.default_rng(0))
    np.testing.assert_allclose(torso(100 * VECTOR), torso(1e4 * VECTOR), atol=1e-5)


def test_the_atari_torso_is_the_nature_convolutions() -> None:
    torso = networks.AtariTorso(np.random.default_rng(0))
    features = torso(tf.constant(FRAMES))

    # Oldest first: frame 0 becomes channel 0.
    expected = tf.constant(np.stack(list(FRAMES.swapaxes(0, 1)), axis=-1) / 255.0)
    convolutions = [m for m in torso.submodules if isinstance(m, snt.Conv2D)]
    for convolution, stride in zip(convolutions, (4, 2, 1), strict=True):
        weights = tf.cast(convolution.w, tf.float64)
        expected = tf.nn.relu(tf.nn.conv2d(expected, weights, stride, "VALID"))
    shapes = [tuple(convolution.w.shape) for convolution in convolutions]
    assert shapes == [(8, 8, 4, 32), (4, 4, 32, 64), (3, 3, 64, 64)]
    assert features.shape == (2, 3136)
    assert features.dtype == tf.float32
    np.testing.assert_allclose(
        features, tf.reshape(expected, (2, -1)), rtol=1e-3, atol=1e-5
    )


@pytest.mark.parametrize("seen", range(4))
def test_the_atari_torso_gives_each_frame_its_own_channel(seen: int) -> None:
    torso = networks.AtariTorso(np.random.default_rng(0))
    torso(tf.constant(FRAMES))  # Creates the variables.
    (kernel,) = [v for v in torso.trainable_variables if v.shape == (8, 8, 4, 32)]
    others = [frame for frame in range(4) if frame != seen]
    blind = kernel.numpy()
    blind[:, :, others] = 0  # Sees one frame only.
    kernel.assign(blind)
    before = torso(tf.constant(FRAMES))

    changed = FRAMES.copy()
    changed[:, others] = 255 - changed[:, others]
    np.testing.assert_array_equal(torso(tf.constant(changed)), before)
    changed[:, seen] = 255 - changed[:, seen]
    assert not np.allclose(torso(tf.constant(changed)), before)
