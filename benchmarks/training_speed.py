"""How fast is inline training, and where is the time spent?

Trains D4PG on `control:cartpole:swingup` with Acme's sizes: policy 256x3, critic
512-512-256, 51 atoms, batches of 256, one SGD step per 8 environment steps. Prints one
JSON line: environment steps per second once learning has begun, the time of each part,
and the time of the matrix products of one update alone, measured in the same run.

    python -m benchmarks.training_speed [--envs-per-actor K] [--steps N]
        [--no-jit-compile]
"""

from __future__ import annotations

import argparse
import itertools
import json
import pathlib
import time
from typing import Any

import tensorflow as tf

from tfagents_core import environment_loop, experiments, replay
from tfagents_core.agents import d4pg

# Dimensions of cartpole's observation and action, for the first layers.
_OBSERVATION_SIZE, _ACTION_SIZE = 5, 1


def main() -> None:
    """Trains, and prints the measurements."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--envs-per-actor", type=int, default=1)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--sgd-steps-per-step", type=int, default=1)
    parser.add_argument(
        "--jit-compile", action=argparse.BooleanOptionalAction, default=True
    )
    arguments = parser.parse_args()
    config = d4pg.D4PGConfig(
        num_sgd_steps_per_step=arguments.sgd_steps_per_step,
        jit_compile=arguments.jit_compile,
    )
    experiment = experiments.InlineExperiment(
        experiments.ExperimentConfig(
            agent="d4pg",
            environment="control:cartpole:swingup",
            builder=d4pg.D4PGBuilder(config),
            num_actor_steps=arguments.steps,
            run_dir=pathlib.Path("unused"),
            envs_per_actor=arguments.envs_per_actor,
        )
    )
    _time_sampling(experiment.stopwatch)
    _step_until(experiment, "num_learner_steps", 200)  # Not timed: tracing, warm-up.

    counters, seconds = experiment.counters, experiment.stopwatch.seconds
    steps, sgd_steps = counters.num_actor_steps, counters.num_learner_steps
    seconds.clear()
    start = time.perf_counter()
    _step_until(experiment, "num_actor_steps", steps + arguments.steps)
    elapsed = time.perf_counter() - start

    steps = counters.num_actor_steps - steps
    sgd_steps = counters.num_learner_steps - sgd_steps
    floor_s = matrix_product_seconds(config)
    split = {
        "act": seconds["act"],
        "environment": seconds["environment"],
        "insert": seconds["observe"],
        "sample": seconds["sample"],
        "learn": seconds["learn"] - seconds["sample"],
    }
    split["rest"] = elapsed - sum(split.values())
    learner_step_s = seconds["learn"] / sgd_steps
    report: dict[str, Any] = {
        "benchmark": "training_speed",
        "envs_per_actor": arguments.envs_per_actor,
        "sgd_steps_per_step": arguments.sgd_steps_per_step,
        "jit_compile": arguments.jit_compile,
        "env_steps_per_s": round(steps / elapsed, 1),
        "env_steps_per_sgd_step": round(steps / sgd_steps, 2),
        "us_per_env_step": {k: round(1e6 * v / steps, 1) for k, v in split.items()},
        "learner_step_ms": round(1e3 * learner_step_s, 2),
        "matrix_products_ms": round(1e3 * floor_s, 2),
        "matrix_product_share": round(floor_s / learner_step_s, 2),
    }
    print(json.dumps(report))


def _step_until(
    experiment: experiments.InlineExperiment, counter: str, value: int
) -> None:
    while getattr(experiment.counters, counter) < value:
        experiment.step()


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
