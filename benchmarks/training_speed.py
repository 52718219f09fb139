"""How fast is inline training, and where does the time go?

The setting is D4PG on `control:cartpole:swingup` with Acme's sizes: policy 256x3,
critic 512-512-256, 51 atoms, batches of 256, one SGD step for 8 environment steps.
Prints one JSON line: environment steps a second once learning has begun, the share of
the time of each part, and beside it the matrix products of one update alone, measured
in the same run.

    python -m benchmarks.training_speed [--envs-per-actor K] [--steps N]
"""

from __future__ import annotations

import argparse
import json
import pathlib
import time
from collections.abc import Callable

import tensorflow as tf

from tfagents_core import experiments
from tfagents_core.agents import d4pg


def main() -> None:
    """Trains, and prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--envs-per-actor", type=int, default=1)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--sgd-steps-per-step", type=int, default=1)
    arguments = parser.parse_args()

    config = d4pg.D4PGConfig(num_sgd_steps_per_step=arguments.sgd_steps_per_step)
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
    counters, seconds = experiment.counters, experiment.stopwatch.seconds
    while counters.num_learner_steps < 200:  # Traces, compiles, warms up.
        experiment.step()
    before = counters.num_actor_steps, counters.num_learner_steps, dict(seconds)
    sample_before = _sample_seconds(experiment)
    start = time.perf_counter()
    while counters.num_actor_steps < before[0] + arguments.steps:
        experiment.step()
    elapsed = time.perf_counter() - start

    steps = counters.num_actor_steps - before[0]
    sgd_steps = counters.num_learner_steps - before[1]
    split = {name: seconds[name] - before[2].get(name, 0.0) for name in seconds}
    del sample_before
    floor_s = matrix_product_floor_s(config)
    print(
        json.dumps(
            {
                "benchmark": "training_speed",
                "envs_per_actor": arguments.envs_per_actor,
                "env_steps_per_s": round(steps / elapsed, 1),
                "env_steps_per_sgd_step": round(steps / sgd_steps, 2),
                "share": {k: round(v / elapsed, 3) for k, v in split.items()},
                "us_per_env_step": {
                    k: round(1e6 * v / steps, 1) for k, v in split.items()
                },
                "learner_step_ms": round(1e3 * split["learn"] / sgd_steps, 2),
                "matrix_product_floor_ms": round(1e3 * floor_s, 2),
            }
        )
    )


if __name__ == "__main__":
    main()
