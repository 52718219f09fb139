"""Runs DQN in threads with a learner on a device of its own; see `test_threads.py`.

    python placement.py RUN_DIR

It is a script of its own because devices are set up before TensorFlow is first used.
"""

from __future__ import annotations

import pathlib
import sys
from typing import Any

import tensorflow as tf
import tree

from tfagents_core import experiments
from tfagents_core.agents import dqn
from tfagents_core.distributed import threads


def main(run_dir: pathlib.Path) -> None:
    """Raises AssertionError where anything is on the wrong device."""
    (cpu,) = tf.config.list_physical_devices("CPU")
    two = [tf.config.LogicalDeviceConfiguration() for _ in range(2)]
    tf.config.set_logical_device_configuration(cpu, two)
    threads._learner_device = lambda config: "CPU:1"
    seen: list[threads.ThreadsExperiment] = []
    devices: set[str] = set()
    step = threads.ThreadsExperiment.step

    def looking_step(self: threads.ThreadsExperiment) -> Any:
        seen[:] = [self]
        return step(self)

    threads.ThreadsExperiment.step = looking_step  # type: ignore[method-assign]
    take = threads.prefetching.PrefetchingSource.next

    def looking_next(self: threads.prefetching.PrefetchingSource) -> Any:
        batch = take(self)
        devices.update(leaf.device[-5:] for leaf in tree.flatten(batch))
        return batch

    threads.prefetching.PrefetchingSource.next = looking_next  # type: ignore[method-assign]
    config = dqn.DQNConfig(
        layer_sizes=(8,),
        min_replay_size=40,
        batch_size=8,
        samples_per_insert=2.0,
        jit_compile=False,
    )
    result = experiments.run_experiment(
        experiments.ExperimentConfig(
            agent="dqn",
            environment="gym:CartPole-v1",
            builder=dqn.DQNBuilder(config),
            num_actor_steps=300,
            run_dir=run_dir,
            eval_every=0,
            eval_episodes=1,
            launcher="threads",
            num_actors=2,
        )
    )
    assert result.num_learner_steps > 10
    assert devices == {"CPU:1"}, devices
    (experiment,) = seen
    on = {v.device[-5:] for v in experiment.learner.state.values()}
    assert on == {"CPU:1"}, on
    for actor in experiment._actors:
        variables = tree.flatten(actor._weights._pack._by_dtype)
        assert {v.device[-5:] for v in variables} == {"CPU:0"}
        assert actor._weights.num_learner_steps > 0


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
