"""How fast is inline training, and where is the time spent?

Trains an agent once learning has begun and prints one JSON line: environment steps per
second, and the microseconds of each part. The workloads are those that other
libraries' authors publish or ship settings for, so that `training_peers` can do the
same work:

    d4pg          control:cartpole:swingup at Acme's sizes: policy 256x3, critic
                  512-512-256, 51 atoms, batches of 256, an SGD step for 8 steps
    dqn           gym:CartPole-v1 at the RL Zoo's: 256x256, batches of 64, an SGD step
                  for 2 steps; prioritized and dueling
    dqn-uniform   the same, neither prioritized nor dueling, 128 SGD steps at a time
    sac           gym:Pendulum-v1: 256x256, batches of 256, an SGD step a step
    ppo           gym:CartPole-v1, 8 environments, with our defaults

    python -m benchmarks.training_speed [WORKLOAD ...] [--envs-per-actor K] [--repeats R]
        [--set NAME=VALUE ...]
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import pathlib
import time
from typing import Any, NamedTuple

import tensorflow as tf

from tfagents_core import core, environment_loop, experiments, replay
from tfagents_core.agents import d4pg, dqn, ppo, sac
from tfagents_core.cli import settings

# Dimensions of cartpole's observation and action, for the first layers.
_OBSERVATION_SIZE, _ACTION_SIZE = 5, 1


class Workload(NamedTuple):
    """What is trained: an agent in an environment, for so many steps a repeat."""

    environment: str
    builder: type[core.Builder[Any, Any]]
    config: Any
    steps: int
    envs_per_actor: int = 1


_ZOO = dqn.DQNConfig(
    layer_sizes=(256, 256),
    n_step=1,
    batch_size=64,
    samples_per_insert=32.0,
    learning_rate=2.3e-3,
    target_update_period=10,
)
_UNIFORM = {"dueling": False, "priority_exponent": 0.0, "num_sgd_steps_per_step": 128}
WORKLOADS = {
    "d4pg": Workload(
        "control:cartpole:swingup", d4pg.D4PGBuilder, d4pg.D4PGConfig(), 3_000
    ),
    "dqn": Workload("gym:CartPole-v1", dqn.DQNBuilder, _ZOO, 5_000),
    "dqn-uniform": Workload(
        "gym:CartPole-v1", dqn.DQNBuilder, dataclasses.replace(_ZOO, **_UNIFORM), 10_000
    ),
    "sac": Workload("gym:Pendulum-v1", sac.SACBuilder, sac.SACConfig(), 1_000),
    "ppo": Workload("gym:CartPole-v1", ppo.PPOBuilder, ppo.PPOConfig(), 32_768, 8),
}


def main() -> None:
    """Trains, and prints the measurements."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", default=WORKLOADS)
    parser.add_argument("--envs-per-actor", type=int)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    arguments = parser.parse_args()
    for name in arguments.workloads:
        workload = WORKLOADS[name]
        workload = workload._replace(
            config=settings.override(workload.config, arguments.set),
            envs_per_actor=arguments.envs_per_actor or workload.envs_per_actor,
        )
        line = {"benchmark": "training_speed", "workload": name, "set": arguments.set}
        print(json.dumps({**line, **measure(workload, arguments.repeats)}), flush=True)


def measure(workload: Workload, repeats: int) -> dict[str, Any]:
    """Trains `repeats` times the workload's steps; of the fastest time, each part."""
    experiment = experiments.InlineExperiment(
        experiments.ExperimentConfig(
            agent="agent",
            environment=workload.environment,
            builder=workload.builder(workload.config),
            num_actor_steps=workload.steps,
            run_dir=pathlib.Path("unused"),
            envs_per_actor=workload.envs_per_actor,
        )
    )
    _time_sampling(experiment.stopwatch)
    counters, seconds = experiment.counters, experiment.stopwatch.seconds
    while counters.num_learner_steps < 200:  # Not timed: tracing, warm-up.
        experiment.step()

    reports = []
    for _ in range(repeats):
        steps, sgd_steps = counters.num_actor_steps, counters.num_learner_steps
        seconds.clear()
        start = time.perf_counter()
        while counters.num_actor_steps < steps + workload.steps:
            experiment.step()
        elapsed = time.perf_counter() - start
        steps = counters.num_actor_steps - steps
        sgd_steps = counters.num_learner_steps - sgd_steps
        reports.append(_report(steps, sgd_steps, elapsed, dict(seconds)))
    speeds = [report["env_steps_per_s"] for report in reports]
    best = reports[speeds.index(max(speeds))]
    if isinstance(workload.config, d4pg.D4PGConfig):
        floor_s = matrix_product_seconds(workload.config)
        best["matrix_products_ms"] = round(1e3 * floor_s, 2)
    return {
        "envs_per_actor": workload.envs_per_actor,
        **best,
        "env_steps_per_s_of_repeats": speeds,
    }


def _report(
    steps: int, sgd_steps: int, elapsed: float, seconds: dict[str, float]
) -> dict[str, Any]:
    split = {
        "act": seconds["act"],
        "environment": seconds["environment"],
        "insert": seconds["observe"],
        "sample": seconds["sample"],
        "learn": seconds["learn"] - seconds["sample"],
    }
    split["rest"] = elapsed - sum(split.values())
    return {
        "env_steps_per_s": round(steps / elapsed, 1),
        "env_steps_per_sgd_step": round(steps / sgd_steps, 2),
        "us_per_env_step": {k: round(1e6 * v / steps, 1) for k, v in split.items()},
        "sgd_step_ms": round(1e3 * seconds["learn"] / sgd_steps, 2),
    }


def _time_sampling(stopwatch: environment_loop.Stopwatch) -> None:
    """Makes `stopwatch` count the time of all samples as `"sample"`."""
    sample = replay.TableHandle.sample

    def timed(self: replay.TableHandle, *args: Any, **kwargs: Any) -> replay.Sample:
        with stopwatch.measure("sample"):
            return sample(self, *args, **kwargs)

    replay.TableHandle.sample = timed


def matrix_product_seconds(config: d4pg.D4PGConfig, repeats: int = 200) -> float:
    """Seconds of the matrix products of one D4PG update, without anything else.

    Critic: forward and backward at t-1, forward at t, and forward and backward to the
    action for the policy's action. Policy: forward and backward at t-1, forward at t.
    """
    critic = _layers(
        (_OBSERVATION_SIZE + _ACTION_SIZE, *config.critic_layer_sizes, config.num_atoms)
    )
    policy = _layers((_OBSERVATION_SIZE, *config.policy_layer_sizes, _ACTION_SIZE))
    batch = config.batch_size

    def random(rows: int, columns: int) -> tf.Tensor:
        return tf.random.stateless_normal((rows, columns), (rows, columns))

    products = [(random(batch, i), random(i, o)) for i, o in critic * 3 + policy * 2]
    to_inputs = [
        (random(batch, o), random(o, i)) for i, o in critic[1:] + critic + policy[1:]
    ]
    to_weights = [(random(i, batch), random(batch, o)) for i, o in critic + policy]
    operands = products + to_inputs + to_weights

    @tf.function
    def multiply(pairs: list[tuple[tf.Tensor, tf.Tensor]]) -> list[tf.Tensor]:
        return [tf.matmul(a, b) for a, b in pairs]

    multiply(operands)
    start = time.perf_counter()
    for _ in range(repeats):
        result = multiply(operands)
    result[0].numpy()  # Waits for the last call, should it run asynchronously.
    return (time.perf_counter() - start) / repeats


def _layers(sizes: tuple[int, ...]) -> list[tuple[int, int]]:
    return list(itertools.pairwise(sizes))


if __name__ == "__main__":
    main()
