"""The learner that drives an agent's update rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tree

from tfagents_core import core, replay, types


class NotFiniteError(ArithmeticError):
    """A metric or priority of a learner step became NaN or infinite."""


class Learner(core.Learner):
    """Calls an update rule on batches, compiled, and does all that surrounds it.

    One call of `step` draws the batches of `num_updates_per_step` updates together,
    runs the updates in one compiled function, checks that every metric is finite, and
    then writes new priorities. Not thread-safe.

    Args:
        rule: the algorithm.
        source: where batches come from and priorities go; where `num_updates_per_step`
            is more than 1, its arrays have that axis in front.
        seed: all randomness of the updates follows from it and their number.
        num_updates_per_step: updates that one `step` takes.
        jit_compile: whether XLA compiles an update.
    """

    def __init__(
        self,
        rule: core.UpdateRule,
        source: core.BatchSource,
        *,
        seed: int,
        num_updates_per_step: int = 1,
        jit_compile: bool = False,
    ) -> None:
        self._source = source
        self._seed = seed % 2**31
        self._num_updates = num_updates_per_step
        self.num_sgd_steps_per_step = num_updates_per_step * rule.num_sgd_steps
        self._update = (
            tf.function(rule.update, jit_compile=True) if jit_compile else rule.update
        )
        self._num_learner_steps = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._variables = {
            **{name: list(group) for name, group in rule.variables.items()},
            "num_learner_steps": [self._num_learner_steps],
        }

    def can_step(self) -> bool:
        """Whether the batches of a step could be drawn without waiting."""
        return self._source.is_ready()

    def step(self) -> Mapping[str, tf.Tensor]:
        """Takes `num_updates_per_step` updates; returns the last one's metrics.

        Among them `sample_age_inserts`: how many items were inserted, on average, since
        those of the batch; with several tables, one for each.

        Raises:
            NotFiniteError: a metric or a new priority is NaN or infinite; the source's
                priorities are as before.
            TimeoutError: the source had no batch in time.
        """
        # The draw may wait. It happens here, in Python, and not inside the compiled
        # function, because no signal is handled while TensorFlow waits.
        batch = tree.map_structure(tf.convert_to_tensor, self._source.next())
        metrics, priorities, is_finite = self._step(batch)
        if not is_finite:
            values = ", ".join(f"{k} {float(v):g}" for k, v in metrics.items())
            raise NotFiniteError(
                f"Learning broke down at learner step {int(self._num_learner_steps):,}"
                f" ({values}); a smaller learning rate may help."
            )
        # One update after another, so that of equal keys the last priority counts.
        for update in priorities:
            for table, (keys, values) in update.items():
                self._source.update_priorities(
                    table, keys.numpy(), values.numpy().astype(np.float64)
                )
        return metrics  # type: ignore[no-any-return]

    @tf.function  # type: ignore[untyped-decorator]
    def _step(
        self, batches: types.NestedTensor
    ) -> tuple[dict[str, tf.Tensor], list[dict[str, Any]], tf.Tensor]:
        if self._num_updates > 1:
            _check_num_batches(batches, self._num_updates)
        is_finite = tf.constant(True)
        priorities = []
        for index in range(self._num_updates):
            batch = batches
            if self._num_updates > 1:
                batch = tree.map_structure(lambda array, i=index: array[i], batches)
            metrics, new_priorities = self._update(
                batch,
                seed=tf.stack([self._seed, tf.cast(self._num_learner_steps, tf.int32)]),
                num_steps=tf.identity(self._num_learner_steps),
            )
            self._num_learner_steps.assign_add(1)
            scalars = tf.stack([tf.cast(v, tf.float32) for v in metrics.values()])
            is_finite &= tf.reduce_all(tf.math.is_finite(scalars))
            for values in new_priorities.values():
                is_finite &= tf.reduce_all(tf.math.is_finite(values))
            priorities.append(
                {
                    table: (_infos(batch, table).key, values)
                    for table, values in new_priorities.items()
                }
            )
        return {**metrics, **_ages(batch)}, priorities, is_finite

    def get_variables(self, names: Sequence[str]) -> list[list[np.ndarray]]:
        """The current values of the groups `names`.

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


def _check_num_batches(batches: types.NestedTensor, wanted: int) -> None:
    """Refuses more batches than are used, which would be lost without a word."""
    given = tree.flatten(batches)[0].shape[0]
    if given > wanted:
        raise ValueError(
            f"The source draws {given} batches at once and the learner takes {wanted}: "
            "the others would be lost."
        )


def _infos(batch: types.NestedTensor, table: str) -> replay.SampleInfo:
    """The information about the items of `table` in a batch."""
    sample: replay.Sample = batch[table] if isinstance(batch, dict) else batch
    return sample.info


def _ages(batch: types.NestedTensor) -> dict[str, tf.Tensor]:
    """The mean age of a batch's items, in inserts; by table where there are several."""
    samples = (
        {f"/{name}": sample for name, sample in batch.items()}
        if isinstance(batch, dict)
        else {"": batch}
    )
    return {
        f"sample_age_inserts{suffix}": tf.reduce_mean(
            tf.cast(sample.info.age, tf.float32)
        )
        for suffix, sample in samples.items()
    }
