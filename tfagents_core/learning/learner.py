"""What every learner that samples a dataset shares."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from tfagents_core import core, replay


class SGDLearner(core.Learner):
    """Takes SGD steps on the batches of a dataset, compiled into one call.

    A subclass sets its variables up, calls this constructor, and writes `_update`: a
    pure function of the variables and one batch. Not thread-safe.

    Args:
        dataset: endless; each element is a `replay.Sample` of tensors.
        variables: every variable a resumed run needs, as groups by name; `"policy"`
            is the group that actors ask for.
        batch_size: items in an element of the dataset.
        table: what `can_step` asks; None if the dataset is always ready.
        num_sgd_steps_per_step: SGD steps that one `step` takes.
    """

    def __init__(
        self,
        dataset: tf.data.Dataset,
        variables: Mapping[str, Sequence[tf.Variable]],
        *,
        batch_size: int,
        table: replay.TableHandle | None = None,
        num_sgd_steps_per_step: int = 1,
    ) -> None:
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
    def _update(self, sample: replay.Sample) -> dict[str, tf.Tensor]:
        """One SGD step on one batch; returns scalars worth logging."""

    def can_step(self) -> bool:
        """Whether the table would give a step's batches now."""
        return self._table is None or self._table.can_sample(self._num_items)

    def step(self) -> Mapping[str, tf.Tensor]:
        """Takes `num_sgd_steps_per_step` SGD steps; returns the last one's scalars."""
        metrics: Mapping[str, tf.Tensor] = self._step()
        return metrics

    @tf.function
    def _step(self) -> dict[str, tf.Tensor]:
        for _ in range(self.num_sgd_steps_per_step):
            metrics = self._update(next(self._iterator))
            self._num_learner_steps.assign_add(1)
        return metrics

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
