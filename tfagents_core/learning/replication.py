"""One update on several devices, each with a share of the batch."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

import sonnet as snt
import tensorflow as tf
import tree

from tfagents_core import core, replay, replicas, types


def on_devices(
    devices: str | None,
) -> contextlib.AbstractContextManager[None]:
    """Inside of it, networks and rules are made for these devices.

    Every variable has a copy on each of them, and a `Learner` of a rule made here gives
    each device an equal share of every batch. Outside, the variables read as the first
    copy and set all of them.

    Args:
        devices: at least two, all GPUs or all CPUs, such as `"GPU:0,GPU:1"`; None for
            one, TensorFlow's own choice: the first GPU, or the CPU where there is none.

    Raises:
        ValueError: there are no such devices, or they cannot learn together.
    """
    if devices is None:
        return contextlib.nullcontext()
    names = [name.strip().upper() for name in devices.split(",")]
    _check_devices(names)
    # Gradients are added up on the first device and copied from there, which gives all
    # replicas the same bits. Collective operations would be faster for large networks,
    # and wait for ever where one replica does not arrive.
    strategy = snt.distribute.Replicator(
        names, cross_device_ops=tf.distribute.ReductionToOneDevice()
    )
    scope: contextlib.AbstractContextManager[None] = strategy.scope()
    return scope


def check_batch_sizes(batch_sizes: Mapping[str, int]) -> None:
    """Makes sure, inside of `on_devices`, that the devices can share the batches.

    Args:
        batch_sizes: items of a batch by table.

    Raises:
        ValueError: they cannot.
    """
    for table, size in batch_sizes.items():
        _check_share(f"A batch of table {table!r}", size, replicas.count())


def replicate(rule: core.UpdateRule, source: core.BatchSource) -> core.UpdateRule:
    """`rule` itself, or on the devices of `on_devices` what runs it there.

    Raises:
        ValueError: some of its variables were made there and some were not.
    """
    variables = [v for group in rule.variables.values() for v in group]
    strategies = {getattr(v, "distribute_strategy", None) for v in variables}
    if strategies <= {None}:
        return rule
    if len(strategies) > 1:
        raise ValueError(
            f"{type(rule).__name__} has variables that were made inside of one "
            "learning.on_devices and others that were not: make networks and rule "
            "inside of the same one."
        )
    return Replicated(rule, strategies.pop(), source)


class Replicated(core.UpdateRule):
    """Runs a rule on several devices, each with an equal share of the batch.

    That is the rule's update on the whole batch, to rounding, if the rule passes what
    depends on the whole batch through `replicas`: `Adam`, `ObservationNormalizer` and
    `losses.importance_weights` do. A rule that samples draws other numbers than on one
    device, because each replica has a seed of its own. Metrics are averaged over the
    replicas; priorities come in the order of the batch.

    Args:
        rule: its variables are on all devices of `strategy`.
        strategy: the devices.
        source: says along which axes batches are split.
    """

    def __init__(
        self,
        rule: core.UpdateRule,
        strategy: tf.distribute.Strategy,
        source: core.BatchSource,
    ) -> None:
        self._rule = rule
        self._strategy = strategy
        self._source = source
        self.variables = rule.variables
        self.num_sgd_steps = rule.num_sgd_steps

    def update(
        self, batch: Any, *, seed: tf.Tensor, num_steps: tf.Tensor
    ) -> core.Update:
        """The rule's update on all devices."""

        def update(leaves: list[tf.Tensor]) -> core.Update:
            replica = tf.distribute.get_replica_context().replica_id_in_sync_group
            metrics, priorities = self._rule.update(
                tree.unflatten_as(batch, leaves),
                seed=tf.random.experimental.stateless_fold_in(seed, replica),
                num_steps=num_steps,
            )
            scalars = {k: tf.cast(v, tf.float32) for k, v in metrics.items()}
            return core.Update(scalars, dict(priorities))

        shares = self._split(batch)
        leaves = self._strategy.experimental_distribute_values_from_function(
            lambda context: shares[context.replica_id_in_sync_group]
        )
        metrics, priorities = self._strategy.run(update, (leaves,))
        return core.Update(
            {k: tf.reduce_mean(self._results(v)) for k, v in metrics.items()},
            {k: tf.concat(self._results(v), axis=0) for k, v in priorities.items()},
        )

    def _split(self, batch: types.NestedTensor) -> list[list[tf.Tensor]]:
        """The leaves of each replica's share."""
        num_replicas = self._strategy.num_replicas_in_sync
        axes = self._source.batch_axes(batch)
        pairs = [(batch, axes)]
        if isinstance(batch, dict):
            pairs = [(batch[table], axes[table]) for table in batch]
        for sample, its_axes in pairs:
            _check_share("A batch", _size(sample, its_axes), num_replicas)
        split = [
            tf.split(leaf, num_replicas, axis)
            for leaf, axis in zip(tree.flatten(batch), tree.flatten(axes), strict=True)
        ]
        return [list(share) for share in zip(*split, strict=True)]

    def _results(self, values: Any) -> tuple[tf.Tensor, ...]:
        """What each replica gave, in order."""
        results: tuple[tf.Tensor, ...] = self._strategy.experimental_local_results(
            values
        )
        return results


def _check_devices(names: list[str]) -> None:
    """Refuses devices that are not there or do not go together."""
    there = [
        device.name.removeprefix("/device:")
        for device in tf.config.list_logical_devices()
    ]
    words = f"The learner's devices are {', '.join(names)!r}"
    missing = [name for name in names if name not in there]
    if missing:
        raise ValueError(
            f"{words}, and there is no {missing[0]!r}; there are {', '.join(there)}."
        )
    if len(names) == 1:
        raise ValueError(
            f"{words}, and must be at least two; leave them out for the first GPU, or "
            "the CPU where there is none, and choose the GPU by CUDA_VISIBLE_DEVICES."
        )
    if len(set(names)) < len(names):
        raise ValueError(f"{words}; name each device once.")
    if len({name.partition(":")[0] for name in names}) > 1:
        raise ValueError(
            f"{words}; name GPUs alone or CPUs alone, because two kinds of device round "
            "differently, and the copies of the variables would drift apart."
        )


def _size(sample: replay.Sample, axes: replay.Sample) -> int:
    """The items of a sample; refuses axes along which its arrays are not as long."""
    pairs = zip(tree.flatten(sample), tree.flatten(axes), strict=True)
    sizes = {leaf.shape[axis] for leaf, axis in pairs}
    if len(sizes) > 1:
        raise ValueError(
            f"Arrays of one batch are {sorted(sizes)} long in the axes of their items; "
            "where a table is time-major, the source's batch_axes must say so, as "
            "datasets.TableSource does."
        )
    return int(sizes.pop())


def _check_share(words: str, size: int, num_replicas: int) -> None:
    """Refuses what cannot be split into equal shares; `words` begin the sentence."""
    if size % num_replicas:
        raise ValueError(
            f"{words} has {size:,} items, which {num_replicas} devices cannot share "
            f"equally: make it a multiple of {num_replicas}, or change the learner's "
            "devices."
        )
