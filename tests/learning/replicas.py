"""Trains D4PG on two replicas, and on one from both their batches, and compares.

    python replicas.py CLIP_NORM

Prints the least and the largest gradient norm. It is a script of its own because devices are set up
before TensorFlow is first used.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import sonnet as snt
import tensorflow as tf
import tree

from tfagents_core import replay, specs
from tfagents_core.agents import d4pg

BATCH_SIZE, NUM_STEPS = 8, 6
SPEC = specs.EnvironmentSpec(
    observations=specs.Array((3,), np.float32),
    actions=specs.BoundedArray((2,), np.float32, -1, 1),
    rewards=specs.Array((), np.float32),
    discounts=specs.BoundedArray((), np.float32, 0, 1),
)


def make_rule(clip_norm: float) -> d4pg.D4PG:
    """The same at every call."""
    config = d4pg.D4PGConfig(
        policy_layer_sizes=(8,),
        critic_layer_sizes=(8,),
        num_atoms=5,
        vmin=-2,
        vmax=2,
        target_update_period=2,
        gradient_clip_norm=clip_norm,
    )
    return d4pg.D4PG(d4pg.make_networks(SPEC, config, seed=0), config)


def make_batch(step: int, replica: int) -> replay.Sample:
    """Replicas see rewards of other sizes, so that their gradients differ."""
    generator = np.random.default_rng([step, replica])

    def draw(*shape: int) -> tf.Tensor:
        return tf.constant(generator.normal(size=(BATCH_SIZE, *shape)), tf.float32)

    data = replay.Transition(
        observation=draw(3),
        action=tf.tanh(draw(2)),
        reward=(1 + 3 * replica) * draw(),
        discount=tf.ones(BATCH_SIZE),
        next_observation=draw(3),
    )
    info = replay.SampleInfo(*(tf.ones(BATCH_SIZE) for _ in replay.SampleInfo._fields))
    return replay.Sample(info, data)


def update(rule: d4pg.D4PG, batch: replay.Sample, step: tf.Tensor) -> tf.Tensor:
    """One update; returns the critic's gradient norm."""
    seed = tf.stack([0, tf.cast(step, tf.int32)])
    return rule.update(batch, seed=seed, num_steps=step).metrics["critic_gradient_norm"]


def train_one(clip_norm: float) -> tuple[d4pg.D4PG, list[float]]:
    """On one device, from the joint batches."""
    rule = make_rule(clip_norm)

    @tf.function
    def train(batch: replay.Sample, step: tf.Tensor) -> tf.Tensor:
        return update(rule, batch, step)

    norms = []
    for step in range(NUM_STEPS):
        joint = tree.map_structure(
            lambda *leaves: tf.concat(leaves, 0),
            *(make_batch(step, replica) for replica in range(2)),
        )
        norms.append(float(train(joint, tf.constant(step, tf.int64))))
    return rule, norms


def train_two(clip_norm: float) -> tuple[d4pg.D4PG, Any, list[list[float]]]:
    """On two devices, each from its own batches."""
    strategy = snt.distribute.Replicator(["CPU:0", "CPU:1"])
    with strategy.scope():
        rule = make_rule(clip_norm)

    @tf.function
    def train(both: replay.Sample, step: tf.Tensor) -> Any:
        def on_replica() -> tf.Tensor:
            index = tf.distribute.get_replica_context().replica_id_in_sync_group
            batch = tree.map_structure(lambda leaves: leaves[index], both)
            return update(rule, batch, step)

        return strategy.run(on_replica)

    norms = []
    for step in range(NUM_STEPS):
        both = tree.map_structure(
            lambda *leaves: tf.stack(leaves),
            *(make_batch(step, replica) for replica in range(2)),
        )
        values = train(both, tf.constant(step, tf.int64))
        results = strategy.experimental_local_results(values)
        norms.append([float(value) for value in results])
    return rule, strategy, norms


def main(clip_norm: float) -> None:
    """Raises AssertionError where the replicas differ, from each other or from one."""
    (cpu,) = tf.config.list_physical_devices("CPU")
    two = [tf.config.LogicalDeviceConfiguration() for _ in range(2)]
    tf.config.set_logical_device_configuration(cpu, two)

    single, norms = train_one(clip_norm)
    shared, strategy, replicated_norms = train_two(clip_norm)
    for norm, (one, other) in zip(norms, replicated_norms, strict=True):
        assert one == other
        np.testing.assert_allclose(one, norm, rtol=1e-3)
    start = make_rule(clip_norm)
    for name, group in shared.variables.items():
        for index, variable in enumerate(group):
            words = f"{name} {index}"
            results = strategy.experimental_local_results(variable)
            one, other = (value.numpy() for value in results)
            np.testing.assert_array_equal(one, other, err_msg=words)
            expected = single.variables[name][index].numpy()
            np.testing.assert_allclose(one, expected, 2e-3, 2e-5, err_msg=words)
    for name in ("policy", "critic"):
        changes = [
            np.abs(after.numpy() - before.numpy()).max()
            for after, before in zip(
                single.variables[name], start.variables[name], strict=True
            )
        ]
        assert max(changes) > 1e-3, changes
    print(min(norms), max(norms))


if __name__ == "__main__":
    main(float(sys.argv[1]))
