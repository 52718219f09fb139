"""TD learning of several critics, against arithmetic done by hand and against trfl."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfagents_core import losses

from . import helpers

floats = helpers.floats


def make_batch() -> dict[str, tf.Tensor]:
    """Two transitions, the second of them terminal."""
    return {
        "q_tm1": floats([1, 3], [0, -2]),
        "r_t": floats(0.5, -1),
        "discount_t": floats(0.9, 0),
        "v_t": floats(10, 40),
    }


def test_ensemble_td_gives_the_values_computed_by_hand() -> None:
    output = losses.ensemble_td(**make_batch())
    np.testing.assert_allclose(output.target, [9.5, -1])  # 0.5 + 0.9 * 10; -1 + 0 * 40
    # Errors 8.5 and 6.5, and -1 and 1; half their squares, summed; their means.
    np.testing.assert_allclose(output.loss, [57.25, 1])
    np.testing.assert_allclose(output.td_error, [7.5, 0])


def test_ensemble_tds_gradient_is_minus_each_critics_error() -> None:
    gradients = helpers.gradients(
        lambda **batch: losses.ensemble_td(**batch).loss, make_batch()
    )
    np.testing.assert_allclose(gradients["q_tm1"], [[-8.5, -6.5], [1, -1]])
    assert [gradients[name] for name in ("r_t", "discount_t", "v_t")] == [None] * 3


@pytest.mark.parametrize("field", ["td_error", "target"])
def test_ensemble_tds_other_outputs_have_no_gradient(field: str) -> None:
    gradients = helpers.gradients(
        lambda **batch: getattr(losses.ensemble_td(**batch), field), make_batch()
    )
    assert set(gradients.values()) == {None}


@pytest.mark.parametrize("name", list(make_batch()))
def test_ensemble_td_refuses_a_wrong_rank_by_name(name: str) -> None:
    batch = make_batch()
    batch[name] = batch[name][..., None]
    with pytest.raises(ValueError, match=f"^{name} must have rank"):
        losses.ensemble_td(**batch)


def test_ensemble_td_is_the_same_eagerly_and_in_a_graph() -> None:
    helpers.assert_eager_equals_graph(losses.ensemble_td, make_batch())


def test_ensemble_td_of_one_critic_agrees_with_trfl() -> None:
    trfl = pytest.importorskip("trfl")
    batch = make_batch()
    q_tm1 = batch.pop("q_tm1")[:, :1]
    ours = losses.ensemble_td(q_tm1, **batch)
    theirs = trfl.td_learning(
        q_tm1[:, 0], batch["r_t"], batch["discount_t"], batch["v_t"]
    )
    np.testing.assert_allclose(ours.loss, theirs.loss, rtol=1e-6)
    np.testing.assert_allclose(ours.td_error, theirs.extra.td_error, rtol=1e-6)
