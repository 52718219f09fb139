"""What every learner that samples a dataset shares."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf
import tree

from tfagents_core import core, replay


class NotFiniteError(ArithmeticError):
    """A figure of a learner step became NaN or infinite; the message says which."""


class Update(NamedTuple):
    """What one SGD step gives back.

    Attributes:
        metrics: scalars worth logging; all of them must stay finite.
        priorities: `[B]` float, what the batch's items are to be drawn by from now
            on; None to leave the table as it is.
    """

    metrics: dict[str, tf.Tensor]
    priorities: tf.Tensor | None = None


class SGDLearner(core.Learner):
    """Takes SGD steps on the batches of a dataset, compiled into one call.

    A subclass sets its variables up, calls this constructor, and writes `_update`: a
    pure function of the variables and one batch. Not thread-safe.

    Args:
        dataset: endless; each element is a `replay.Sample` of tensors that holds the
            `num_sgd_steps_per_step * batch_size` items of one `step`.
        variables: every variable a resumed run needs, as groups by name; `"policy"`
            is the group that actors ask for.
        batch_size: items in an SGD step.
        table: what `can_step` asks and where priorities go; None if the dataset is
            always ready and knows no priorities.
        num_sgd_steps_per_step: SGD steps that one `step` takes.
        jit_compile: whether XLA compiles `_update`.
    """

    def __init__(
        self,
        dataset: tf.data.Dataset,
        variables: Mapping[str, Sequence[tf.Variable]],
        *,
        batch_size: int,
        table: replay.TableHandle | None = None,
        num_sgd_steps_per_step: int = 1,
        jit_compile: bool = False,
    ) -> None:
        self._compiled_update = (
            tf.function(self._update, jit_compile=True) if jit_compile else self._update
        )
        self._num_learner_steps = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._variables = {
            **{name: list(group) for name, group in variables.items()},
            "num_learner_steps": [self._num_learner_steps],
        }
        self._iterator = iter(dataset)
        self._table = table
        self._num_items = batch_size * num_sgd_steps_per_step
        self.num_sgd_steps_per_step = num_sgd_steps_per_step

    @abc.abstractmethod
    def _update(self, sample: replay.Sample) -> Update:
        """One SGD step on one batch."""

    def can_step(self) -> bool:
        """Whether the table would give a step's batches now."""
        return self._table is None or self._table.can_sample(self._num_items)

    def step(self) -> Mapping[str, tf.Tensor]:
        """Takes `num_sgd_steps_per_step` SGD steps; returns the last one's scalars.

        Among them `sample_age_inserts`: how many items were inserted, on average, since
        those of the batch.

        Raises:
            NotFiniteError: a scalar is NaN or infinite.
        """
        metrics, is_finite = self._step()
        if not is_finite:
            figures = ", ".join(f"{k} {float(v):g}" for k, v in metrics.items())
            raise NotFiniteError(
                f"Learning broke down at learner step {int(self._num_learner_steps):,}"
                f" ({figures}); a smaller learning rate may help."
            )
        return metrics  # type: ignore[no-any-return]

    @tf.function  # type: ignore[untyped-decorator]
    def _step(self) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        is_finite = tf.constant(True)
        for sample in _split(next(self._iterator), self.num_sgd_steps_per_step):
            metrics, priorities = self._compiled_update(sample)
            self._num_learner_steps.assign_add(1)
            scalars = tf.stack([tf.cast(v, tf.float32) for v in metrics.values()])
            is_finite &= tf.reduce_all(tf.math.is_finite(scalars))
            if priorities is not None and self._table is not None:
                tf.numpy_function(
                    self._update_priorities, [sample.info.key, priorities], []
                )
        age = tf.reduce_mean(tf.cast(sample.info.age, tf.float32))
        return {**metrics, "sample_age_inserts": age}, is_finite

    def _update_priorities(self, keys: np.ndarray, priorities: np.ndarray) -> None:
        assert self._table is not None
        if np.isfinite(priorities).all():  # Else `step` will say so.
            self._table.update_priorities(keys, priorities.astype(np.float64))

    def get_variables(self, names: Sequence[str]) -> list[list[np.ndarray]]:
        """The present values of the groups `names`.

        Raises:
            KeyError: there is no group of that name.
        """
        for name in names:
            if name not in self._variables:
                raise KeyError(
                    f"No variables are named {name!r}; there are "
                    f"{', '.join(self._variables)}."
                )
        return [[v.numpy() for v in self._variables[name]] for name in names]

    @property
    def state(self) -> Mapping[str, tf.Variable]:
        """Every variable by `group/index/its own name`."""
        return {
            f"{group}/{index}/{variable.name.removesuffix(':0')}": variable
            for group, variables in self._variables.items()
            for index, variable in enumerate(variables)
        }


def _split(sample: replay.Sample, num_batches: int) -> list[replay.Sample]:
    """An element's items as batches of equal size, in their order, not copied."""
    size = sample.info.key.shape[0]
    if size % num_batches:
        raise ValueError(f"{size} items do not make {num_batches} equal batches.")
    batch_size = size // num_batches
    return [
        tree.map_structure(lambda tensor, at=at: tensor[at : at + batch_size], sample)
        for at in range(0, size, batch_size)
    ]
