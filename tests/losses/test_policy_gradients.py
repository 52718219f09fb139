"""The deterministic policy gradient."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfagents_core import losses

from . import helpers

floats = helpers.floats


def make_batch() -> dict[str, tf.Tensor]:
    return {
        "a_t": floats([0.1, -0.2], [0.3, 0.4], [0, 0]),
        "dqda_t": floats([3, -4], [0, 0.5], [0, 0]),
    }


def test_dpg_gives_the_values_computed_by_hand() -> None:
    # Half the squared length of each slope: (9 + 16) / 2, 0.25 / 2, 0.
    np.testing.assert_allclose(losses.dpg(**make_batch()), [12.5, 0.125, 0], rtol=1e-6)


def test_dpgs_gradient_in_the_action_is_minus_the_slope_of_the_value() -> None:
    batch = make_batch()
    gradients = helpers.gradients(losses.dpg, batch)
    np.testing.assert_allclose(gradients["a_t"], -batch["dqda_t"], atol=1e-6)
    assert gradients["dqda_t"] is None


def test_dpg_shortens_each_long_slope_to_the_clip_norm_and_no_other() -> None:
    def clipped(**batch: tf.Tensor) -> tf.Tensor:
        return losses.dpg(**batch, dqda_clip_norm=1.0)

    # (3, -4) has length 5, so a fifth of it is left: half of 0.6^2 + 0.8^2 is 0.5.
    np.testing.assert_allclose(clipped(**make_batch()), [0.5, 0.125, 0], rtol=1e-6)
    np.testing.assert_allclose(
        helpers.gradients(clipped, make_batch())["a_t"],
        [[-0.6, 0.8], [0, -0.5], [0, 0]],
        atol=1e-6,
    )


@pytest.mark.parametrize("name", list(make_batch()))
def test_dpg_refuses_a_wrong_rank_by_name(name: str) -> None:
    batch = make_batch()
    batch[name] = batch[name][0]
    with pytest.raises(ValueError, match=f"^{name} must have rank 2"):
        losses.dpg(**batch)


@pytest.mark.parametrize("clip_norm", [None, 1.0])
def test_dpg_is_the_same_eagerly_and_in_a_graph(clip_norm: float | None) -> None:
    helpers.assert_eager_equals_graph(
        lambda **batch: losses.dpg(**batch, dqda_clip_norm=clip_norm), make_batch()
    )


@pytest.mark.parametrize("clip_norm", [None, 0.5])
def test_dpg_agrees_with_trfl(clip_norm: float | None) -> None:
    trfl = pytest.importorskip("trfl")
    rng = np.random.default_rng(0)
    actions = tf.constant(rng.normal(size=(4, 3)), tf.float32)
    best = tf.constant(rng.normal(size=(4, 3)), tf.float32)

    @tf.function  # trfl's calls tf.gradients, which eager TensorFlow does not have.
    def both() -> tuple[tf.Tensor, tf.Tensor]:
        value = -tf.reduce_sum(tf.square(actions - best), axis=-1)  # [B]
        theirs = trfl.dpg(
            value, actions, dqda_clipping=clip_norm, clip_norm=clip_norm is not None
        )
        slope = 2 * (best - actions)  # [B, A]
        return losses.dpg(actions, slope, clip_norm), theirs.loss

    ours, theirs = both()
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)
