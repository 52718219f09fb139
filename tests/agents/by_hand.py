"""Updates computed anew in float64, sharing with the agents nothing but weights.

Gradients are TensorFlow's, of forward passes written here and in the tests; Adam and
the clip are NumPy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tree

from tfagents_core import core, replay, specs

SPEC_OF_SCALARS = {
    "rewards": specs.Array((), np.float32),
    "discounts": specs.BoundedArray((), np.float32, 0, 1),
}

Weights = list[np.ndarray]


def make_spec(actions: Any, *, size: int = 3) -> specs.EnvironmentSpec:
    """Vectors of `size` observed, one reward."""
    observations = specs.Array((size,), np.float32)
    return specs.EnvironmentSpec(
        observations=observations, actions=actions, **SPEC_OF_SCALARS
    )


class Given(core.BatchSource):
    """Gives these batches, several at once, and keeps the priorities it is given.

    Attributes:
        updates: table, keys and priorities of each update.
    """

    def __init__(self, batches: Sequence[Any], *, num_batches: int) -> None:
        self._batches = list(batches)
        self._num_batches = num_batches
        self.updates: list[tuple[str, np.ndarray, np.ndarray]] = []

    def is_ready(self) -> bool:
        return bool(self._batches)

    def next(self) -> Any:
        taken = self._batches[: self._num_batches]
        del self._batches[: self._num_batches]
        if self._num_batches == 1:
            return taken[0]
        return tree.map_structure(lambda *leaves: np.stack(leaves), *taken)

    def update_priorities(
        self, table: str, keys: np.ndarray, priorities: np.ndarray
    ) -> None:
        self.updates.append((table, keys, priorities))


def make_info(
    size: int, *, first_key: int = 0, probability: Any = None
) -> replay.SampleInfo:
    """Of items with keys that count up."""
    columns = {
        name: np.ones(size, column.dtype)
        for name, column in replay.SampleInfo.columns()._asdict().items()
    }
    columns["key"] = first_key + np.arange(size)
    if probability is not None:
        columns["probability"] = np.asarray(probability, np.float64)
    return replay.SampleInfo(**columns)


def make_transition(
    rng: np.random.Generator, action: Any, *, reward: Any, discount: Any, size: int = 3
) -> replay.Transition:
    """Random observations; rewards and discounts as they are given, `[B]`."""
    num = len(reward)
    return replay.Transition(
        observation=rng.normal(size=(num, size)).astype(np.float32),
        action=action,
        reward=np.asarray(reward, np.float32),
        discount=np.asarray(discount, np.float32),
        next_observation=rng.normal(size=(num, size)).astype(np.float32),
    )


def scatter(variables: Sequence[tf.Variable], rng: np.random.Generator) -> None:
    """Gives every variable, biases too, values that are not small."""
    for variable in variables:
        noise = rng.normal(size=variable.shape)
        # Scales of layer norms stay positive: elsewhere the mean does not matter.
        variable.assign(1 + 0.3 * noise if "scale" in variable.name else 0.6 * noise)


def copied(variables: Sequence[tf.Variable]) -> Weights:
    """Their present values."""
    return [variable.numpy().astype(np.float64) for variable in variables]


def values_and_gradients(
    function: Callable[[list[tf.Tensor]], Any], weights: Weights
) -> tuple[Any, Weights]:
    """What `function` returns, whose first is minimised, and that one's gradients."""
    with tf.GradientTape() as tape:
        tensors = [tf.constant(w) for w in weights]
        tape.watch(tensors)
        returned = function(tensors)
    return returned, [g.numpy() for g in tape.gradient(returned[0], tensors)]


class Adam:
    """Kingma and Ba 2015, Algorithm 1, in its efficient order; a clip of the whole.

    Attributes:
        norm: of the newest gradient, before the clip.
    """

    def __init__(
        self,
        learning_rate: float,
        *,
        clip_norm: float | None = None,
        epsilon: float = 1e-8,
    ) -> None:
        self._learning_rate = learning_rate
        self._clip_norm = clip_norm
        self._epsilon = epsilon
        self._num_steps = 0
        self._moments: list[tuple[np.ndarray, np.ndarray]] = []
        self.norm = 0.0

    def step(
        self, weights: Weights, gradients: Weights, learning_rate: float | None = None
    ) -> Weights:
        """The new weights."""
        rate = self._learning_rate if learning_rate is None else learning_rate
        self.norm = float(np.sqrt(sum(np.sum(g**2) for g in gradients)))
        if self._clip_norm is not None and self.norm > self._clip_norm:
            gradients = [g * self._clip_norm / self.norm for g in gradients]
        if not self._moments:
            self._moments = [(np.zeros_like(w), np.zeros_like(w)) for w in weights]
        self._num_steps += 1
        t = self._num_steps
        rate *= np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        self._moments = [
            (0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2)
            for (m, v), g in zip(self._moments, gradients, strict=True)
        ]
        return [
            w - rate * m / (np.sqrt(v) + self._epsilon)
            for w, (m, v) in zip(weights, self._moments, strict=True)
        ]

    @property
    def variables(self) -> Weights:
        """In the order of `learning.Adam.variables`."""
        t = 1 + self._num_steps
        powers = [np.array(0.9**t), np.array(0.999**t)]
        return [*powers, *(moment for both in self._moments for moment in both)]


def assert_all_close(
    learner: core.Learner, expected: dict[str, Weights], *, atol: float = 2e-5
) -> None:
    """Compares groups of a learner's variables with those computed by hand."""
    for name, found in zip(
        expected, learner.get_variables(list(expected)), strict=True
    ):
        assert len(found) == len(expected[name]), name
        for index, (f, e) in enumerate(zip(found, expected[name], strict=True)):
            np.testing.assert_allclose(
                f, e, rtol=1e-4, atol=atol, err_msg=f"{name}/{index}"
            )


def rectified(x: tf.Tensor, weights: Sequence[tf.Tensor]) -> tf.Tensor:
    """Layers `b, w, b, w, ...`, each followed by a ReLU."""
    for b, w in zip(weights[::2], weights[1::2], strict=True):
        x = tf.maximum(x @ w + b, 0)
    return x


def float64(nest: Any) -> Any:
    """Floats in double precision."""
    return tree.map_structure(
        lambda x: np.asarray(
            x, np.float64 if np.asarray(x).dtype.kind == "f" else None
        ),
        nest,
    )
