"""The projection and loss of C51, against hands, a plain loop, and trfl."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf

from tfagents_core import losses

from . import helpers

floats = helpers.floats


def plain_projection(
    probs: np.ndarray, support: np.ndarray, atoms: np.ndarray
) -> np.ndarray:
    """Algorithm 1 of Bellemare et al. 2017, one support point at a time, in float64."""
    projected = np.zeros((len(probs), len(atoms)))
    spacing = (atoms[-1] - atoms[0]) / (len(atoms) - 1)
    for row in range(len(probs)):
        for mass, point in zip(probs[row], support[row], strict=True):
            place = (np.clip(point, atoms[0], atoms[-1]) - atoms[0]) / spacing
            lower = min(int(place), len(atoms) - 2)
            projected[row, lower] += mass * (lower + 1 - place)
            projected[row, lower + 1] += mass * (place - lower)
    return projected


def random_probs(rng: np.random.Generator, *shape: int) -> np.ndarray:
    weights = rng.exponential(size=shape)
    return weights / weights.sum(axis=-1, keepdims=True)


def project(probs: np.ndarray, support: np.ndarray, atoms: np.ndarray) -> np.ndarray:
    tensors = (tf.constant(array, tf.float32) for array in (probs, support, atoms))
    return losses.project(*tensors).numpy()


ATOM_RANGES = [(-150, 150, 51), (0, 1, 2), (-10, 10, 21), (0.3, 7.7, 11)]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("low", "high", "num_atoms"), ATOM_RANGES)
def test_projection_agrees_with_the_papers_loop(
    low: float, high: float, num_atoms: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    atoms = np.linspace(low, high, num_atoms)
    width = high - low
    support = rng.uniform(low - width, high + width, (6, num_atoms))
    probs = random_probs(rng, 6, num_atoms)

    projected = project(probs, support, atoms)

    expected = plain_projection(probs, support, atoms)
    np.testing.assert_allclose(projected, expected, atol=1e-5)
    np.testing.assert_allclose(projected.sum(axis=-1), 1, rtol=1e-5)  # No mass lost.


@pytest.mark.parametrize(("low", "high", "num_atoms"), ATOM_RANGES)
def test_projection_keeps_the_mean_of_what_lies_inside_the_range(
    low: float, high: float, num_atoms: int
) -> None:
    rng = np.random.default_rng(0)
    atoms = np.linspace(low, high, num_atoms)
    support = rng.uniform(low, high, (6, num_atoms))
    probs = random_probs(rng, 6, num_atoms)
    np.testing.assert_allclose(
        (project(probs, support, atoms) * atoms).sum(axis=-1),
        (probs * support).sum(axis=-1),
        atol=1e-5 * (high - low),
    )


@pytest.mark.parametrize(("low", "high", "num_atoms"), ATOM_RANGES)
def test_projection_leaves_a_support_at_the_atoms_alone(
    low: float, high: float, num_atoms: int
) -> None:
    atoms = np.linspace(low, high, num_atoms)
    probs = random_probs(np.random.default_rng(0), 3, num_atoms)
    support = np.tile(atoms, (3, 1))
    np.testing.assert_allclose(project(probs, support, atoms), probs, atol=1e-5)


@pytest.mark.parametrize(
    ("point", "expected"),
    [
        (-1, [1, 0, 0]),  # At the lower edge,
        (-7, [1, 0, 0]),  # and below it.
        (1, [0, 0, 1]),  # At the upper edge,
        (1e6, [0, 0, 1]),  # and far beyond it.
        (0, [0, 1, 0]),  # At an atom.
        (0.5, [0, 0.5, 0.5]),  # Half way between two.
        (-0.25, [0.25, 0.75, 0]),  # The nearer atom takes more.
    ],
)
def test_projection_of_one_point_by_hand(point: float, expected: list[float]) -> None:
    projected = project([[0, 1, 0]], np.full((1, 3), point), np.array([-1, 0, 1]))
    np.testing.assert_allclose(projected, [expected], atol=1e-6)


def test_projection_keeps_a_mass_other_than_one() -> None:
    projected = project([[0.1, 0.1]], [[0.5, 0.5]], [0, 1])
    np.testing.assert_allclose(projected, [[0.1, 0.1]], rtol=1e-6)


def make_batch() -> dict[str, tf.Tensor]:
    """Two transitions over atoms -1, 0 and 1; the second is terminal."""
    return {
        "logits_tm1": tf.math.log(floats([0.25, 0.25, 0.5], [1, 1, 1])),
        "atoms": floats(-1, 0, 1),
        "r_t": floats(0.5, 0.25),
        "discount_t": floats(0.5, 0),
        "logits_t": tf.math.log(floats([0.2, 0.3, 0.5], [0.6, 0.3, 0.1])),
    }


def test_categorical_td_gives_the_values_computed_by_hand() -> None:
    output = losses.categorical_td(**make_batch())

    # First: atoms move to 0.5 + 0.5 * (-1, 0, 1) = (0, 0.5, 1), so 0.2 falls on atom
    # 0, 0.3 half on atom 0 and half on atom 1, and 0.5 on atom 1.
    # Second: all mass moves to 0.25, a quarter of the way from atom 0 to atom 1.
    np.testing.assert_allclose(
        output.target, [[0, 0.35, 0.65], [0, 0.75, 0.25]], atol=1e-6
    )
    np.testing.assert_allclose(
        output.loss,
        [0.35 * math.log(4) + 0.65 * math.log(2), math.log(3)],
        rtol=1e-6,
    )
    # Means: 0.3 * 0.5 + 0.5 * 1 = 0.65 less -0.25 + 0.5 = 0.25; 0.25 less 0.
    np.testing.assert_allclose(output.td_error, [0.4, 0.25], rtol=1e-5)


def test_categorical_tds_gradient_is_estimate_minus_target() -> None:
    gradients = helpers.gradients(
        lambda **batch: losses.categorical_td(**batch).loss, make_batch()
    )
    expected = [[0.25, 0.25 - 0.35, 0.5 - 0.65], [1 / 3, 1 / 3 - 0.75, 1 / 3 - 0.25]]
    np.testing.assert_allclose(gradients["logits_tm1"], expected, atol=1e-6)


@pytest.mark.parametrize("name", ["atoms", "r_t", "discount_t", "logits_t"])
def test_categorical_td_sends_no_gradient_into_targets(name: str) -> None:
    gradients = helpers.gradients(
        lambda **batch: losses.categorical_td(**batch).loss, make_batch()
    )
    assert gradients[name] is None


@pytest.mark.parametrize("field", ["td_error", "target"])
def test_categorical_tds_other_outputs_have_no_gradient(field: str) -> None:
    gradients = helpers.gradients(
        lambda **batch: getattr(losses.categorical_td(**batch), field),
        make_batch(),
    )
    assert set(gradients.values()) == {None}


@pytest.mark.parametrize("name", list(make_batch()))
def test_categorical_td_refuses_a_wrong_rank_by_name(name: str) -> None:
    batch = make_batch()
    batch[name] = batch[name][..., None]
    with pytest.raises(ValueError, match=f"^{name} must have rank"):
        losses.categorical_td(**batch)


def test_categorical_td_is_the_same_eagerly_and_in_a_graph() -> None:
    helpers.assert_eager_equals_graph(losses.categorical_td, make_batch())


@pytest.mark.parametrize("seed", range(3))
def test_categorical_td_agrees_with_trfl(seed: int) -> None:
    trfl = pytest.importorskip("trfl")
    rng = np.random.default_rng(seed)
    atoms = tf.linspace(-5.0, 5.0, 11)
    r_t = tf.constant(rng.normal(size=4), tf.float32)
    discount_t = tf.constant([0, 0.5, 0.9, 1.0])
    logits_tm1, logits_t = (
        tf.constant(rng.normal(size=(4, 11)), tf.float32) for _ in range(2)
    )
    theirs = trfl.categorical_dist_qlearning(
        atoms_tm1=atoms,
        logits_q_tm1=logits_tm1[:, None],  # trfl's has an axis of actions: one.
        a_tm1=tf.zeros(4, tf.int32),
        r_t=r_t,
        pcont_t=discount_t,
        atoms_t=atoms,
        logits_q_t=logits_t[:, None],
    )
    ours = losses.categorical_td(
        logits_tm1, atoms, r_t=r_t, discount_t=discount_t, logits_t=logits_t
    )
    np.testing.assert_allclose(ours.target, theirs.extra.target, atol=1e-6)
    np.testing.assert_allclose(ours.loss, theirs.loss, rtol=1e-5)


@pytest.mark.parametrize("shape", [(3,), (2, 3)])
def test_mean_takes_atoms_for_all_rows_or_each(shape: tuple[int, ...]) -> None:
    atoms = tf.broadcast_to(floats(-1, 0, 4), shape)
    means = losses.mean(floats([0.5, 0.25, 0.25], [0, 1, 0]), atoms)
    np.testing.assert_allclose(means, [0.5, 0])  # -0.5 + 0 + 1, and 0.
