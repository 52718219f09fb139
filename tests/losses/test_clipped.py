"""The losses of PPO: the clipped surrogate and the clipped squared error."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfagents_core import losses

from . import helpers

floats = helpers.floats


def make_surrogate() -> dict[str, tf.Tensor]:
    """Ratios 1.5, 1.5, 0.5, 0.5 and 1.1."""
    log_mu = floats(-1, -2, -1, -2, 0)
    return {
        "log_pi": log_mu + tf.math.log(floats(1.5, 1.5, 0.5, 0.5, 1.1)),
        "log_mu": log_mu,
        "advantage": floats(2, -2, 2, -2, 3),
    }


def surrogate(**batch: tf.Tensor) -> tf.Tensor:
    return losses.clipped_surrogate(batch.pop("log_pi"), epsilon=0.2, **batch)


def make_values() -> dict[str, tf.Tensor]:
    return {
        "v": floats(3, 3, 1.5),
        "v_old": floats(1, 1, 1),
        "target": floats(4, 0, 2),
    }


def value(epsilon: float | None, **batch: tf.Tensor) -> tf.Tensor:
    return losses.clipped_value(batch.pop("v"), epsilon=epsilon, **batch)


def test_the_surrogate_gives_the_values_computed_by_hand() -> None:
    # A gain stops at ratios 1.2 and 0.8; a loss never does.
    np.testing.assert_allclose(
        surrogate(**make_surrogate()), [-2.4, 3, -1, 1.6, -3.3], rtol=1e-6
    )


def test_the_surrogates_gradient_is_0_where_the_clip_is_active() -> None:
    gradients = helpers.gradients(surrogate, make_surrogate())
    # Elsewhere it is minus the ratio times the advantage.
    np.testing.assert_allclose(gradients["log_pi"], [0, 3, -1, 0, -3.3], rtol=1e-6)
    assert gradients["log_mu"] is None
    assert gradients["advantage"] is None


@pytest.mark.parametrize("name", list(make_surrogate()))
def test_the_surrogate_refuses_a_wrong_rank_by_name(name: str) -> None:
    batch = make_surrogate()
    batch[name] = batch[name][:, None]
    with pytest.raises(ValueError, match=f"^{name} must have rank 1"):
        surrogate(**batch)


def test_the_surrogate_is_the_same_eagerly_and_in_a_graph() -> None:
    helpers.assert_eager_equals_graph(surrogate, make_surrogate())


@pytest.mark.parametrize(
    ("epsilon", "expected", "slope"),
    [
        (None, [0.5, 4.5, 0.125], [-1, 3, -0.5]),
        # Clipped to 2, 2 and 1.5: half of 2^2, 2^2 and 0.5^2 where that is more.
        (1.0, [2, 4.5, 0.125], [0, 3, -0.5]),
    ],
)
def test_the_values_loss_is_what_was_computed_by_hand(
    epsilon: float | None, expected: list[float], slope: list[float]
) -> None:
    np.testing.assert_allclose(value(epsilon, **make_values()), expected)
    gradients = helpers.gradients(lambda **b: value(epsilon, **b), make_values())
    np.testing.assert_allclose(gradients["v"], slope)
    assert gradients["v_old"] is None
    assert gradients["target"] is None


@pytest.mark.parametrize("name", list(make_values()))
def test_the_values_loss_refuses_a_wrong_rank_by_name(name: str) -> None:
    batch = make_values()
    batch[name] = batch[name][:, None]
    with pytest.raises(ValueError, match=f"^{name} must have rank 1"):
        value(None, **batch)


@pytest.mark.parametrize("epsilon", [None, 1.0])
def test_the_values_loss_is_the_same_eagerly_and_in_a_graph(
    epsilon: float | None,
) -> None:
    helpers.assert_eager_equals_graph(lambda **b: value(epsilon, **b), make_values())
