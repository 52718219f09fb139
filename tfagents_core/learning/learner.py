"""The learner that drives an agent's update rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf
import tree

from tfagents_core import core, functions, replay, types
from tfagents_core.learning import replication

_Updates: TypeAlias = tuple[dict[str, tf.Tensor], dict[str, tf.Tensor], tf.Tensor]
"""Metrics, priorities by table, and whether all of them are finite."""


class NotFiniteError(ArithmeticError):
    """A metric or priority of a learner step became NaN or infinite."""


class Learner(core.Learner):
    """Calls an update rule on batches, compiled, and does all that surrounds it.

    One call of `step` draws the batches of `num_updates_per_step` updates together,
    runs the updates in one compiled function, checks that every metric is finite, and
    then writes new priorities. Not thread-safe.

    A rule that was made inside of `on_devices` is updated on all those devices, each
    with an equal share of the batch: see `Replicated`.

    Args:
        rule: the algorithm.
        source: where batches come from and priorities go; where `num_updates_per_step`
            is more than 1, its arrays have that axis in front.
        seed: all randomness of the updates follows from it and their number.
        num_updates_per_step: updates that one `step` takes.
        jit_compile: whether XLA compiles an update; not on several devices, which
            exchange gradients in the middle of one.

    Raises:
        ValueError: only some of the rule's variables were made inside of `on_devices`.
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
        self._rule = replication.replicate(rule, source)
        self._source = source
        self._seed = seed % 2**31
        self._num_updates = num_updates_per_step
        self.num_sgd_steps_per_step = num_updates_per_step * rule.num_sgd_steps
        self._update = (
            tf.function(self._update_once, jit_compile=True)
            if jit_compile and self._rule is rule
            else self._update_once
        )
        self._step = functions.Function(
            self._take_updates, "A learner's step", parallel=True
        )
        self._num_learner_steps = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._variables = {
            **{name: list(group) for name, group in rule.variables.items()},
            "num_learner_steps": [self._num_learner_steps],
        }

    def can_step(self) -> bool:
        """Whether the batches of a step could be drawn without waiting."""
        return self._source.is_ready()

    def step(self) -> Mapping[str, np.ndarray]:
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
        batches = self._source.next()
        metrics, priorities, is_finite = self._step(batches)
        if not is_finite:
            values = ", ".join(f"{k} {float(v):g}" for k, v in metrics.items())
            raise NotFiniteError(
                f"Learning broke down at learner step {int(self._num_learner_steps):,}"
                f" ({values}); a smaller learning rate may help."
            )
        for table, values in priorities.items():
            keys = np.reshape(_infos(batches, table).key, values.shape)
            # One update after another, so that of equal keys the last priority counts.
            for of_update, new in zip(keys, values.astype(np.float64), strict=True):
                self._source.update_priorities(table, of_update, new)
        return metrics  # type: ignore[no-any-return]

    def _take_updates(self, batches: types.NestedTensor) -> _Updates:
        """The updates of a step; their priorities are `[N, B]`."""
        num_updates = self._num_updates
        if num_updates == 1:
            metrics, priorities, is_finite = self._update(batches)
            return metrics, {k: v[tf.newaxis] for k, v in priorities.items()}, is_finite
        _check_num_batches(batches, num_updates)

        def update(index: int | tf.Tensor) -> _Updates:
            batch = tree.map_structure(lambda array: array[index], batches)
            return self._update(batch)

        def body(
            index: tf.Tensor,
            _: dict[str, tf.Tensor],
            arrays: dict[str, tf.TensorArray],
            is_finite: tf.Tensor,
        ) -> tuple[Any, ...]:
            metrics, priorities, is_update_finite = update(index)
            arrays = {k: a.write(index, priorities[k]) for k, a in arrays.items()}
            return index + 1, metrics, arrays, is_finite & is_update_finite

        # Which metrics and priorities there are, only an update can tell: so the first
        # one comes before the loop.
        metrics, priorities, is_finite = update(0)
        arrays = {
            table: tf.TensorArray(
                values.dtype, size=num_updates, element_shape=values.shape
            ).write(0, values)
            for table, values in priorities.items()
        }
        _, metrics, arrays, is_finite = tf.while_loop(
            lambda index, *_: index < num_updates,
            body,
            (tf.constant(1), metrics, arrays, is_finite),
            parallel_iterations=1,
        )
        return metrics, {k: array.stack() for k, array in arrays.items()}, is_finite

    def _update_once(self, batch: types.NestedTensor) -> _Updates:
        """One update, whether all that it gave is finite, and its batch's age."""
        update = self._rule.update(
            batch,
            seed=tf.stack([self._seed, tf.cast(self._num_learner_steps, tf.int32)]),
            num_steps=tf.identity(self._num_learner_steps),
        )
        self._num_learner_steps.assign_add(1)
        # As few operations as possible: each costs a microsecond or two. The constant
        # is there for rules without metrics.
        scalars = [tf.cast(value, tf.float32) for value in update.metrics.values()]
        is_finite = _all_finite(tf.stack([tf.constant(0.0), *scalars]))
        for values in update.priorities.values():
            is_finite &= _all_finite(values)
        metrics = {**update.metrics, **_ages(batch)}
        return metrics, dict(update.priorities), is_finite

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


def _all_finite(values: tf.Tensor) -> tf.Tensor:
    return tf.reduce_all(tf.math.is_finite(values))


def _check_num_batches(batches: types.NestedTensor, wanted: int) -> None:
    """Refuses fewer batches than are used, and more: they would be lost silently."""
    given = tree.flatten(batches)[0].shape[0]
    if given != wanted:
        raise ValueError(
            f"The source draws {given} batches at once and the learner takes {wanted}: "
            "both must be the configuration's num_sgd_steps_per_step."
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
