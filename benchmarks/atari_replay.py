"""How fast does DQN play and learn Atari, and how many bytes does a stored frame take?

DQN on `atari:Pong` with its Atari settings: batches of 32, one SGD step per 4 agent
steps (16 frames); learning has begun before the measurement starts. Prints one JSON
line: frames and agent steps per second, the time of each part, and the replay's bytes
per stored frame, of which 84 * 84 = 7,056 are the frame itself.

    python -m benchmarks.atari_replay [--frames N]
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import pathlib
import time

from tfagents_core import experiments
from tfagents_core.agents import dqn

_FRAMES_PER_STEP = 4


def main() -> None:
    """Trains, and prints the measurements."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=200_000)
    parser.add_argument("--envs-per-actor", type=int, default=1)
    arguments = parser.parse_args()
    steps = arguments.frames // _FRAMES_PER_STEP
    config = dataclasses.replace(dqn.DQNConfig.for_atari(), min_replay_size=1_000)
    experiment = experiments.InlineExperiment(
        experiments.ExperimentConfig(
            agent="dqn",
            environment="atari:Pong",
            builder=dqn.DQNBuilder(config),
            num_actor_steps=steps,
            run_dir=pathlib.Path("unused"),
            envs_per_actor=arguments.envs_per_actor,
        )
    )
    counters, seconds = experiment.counters, experiment.stopwatch.seconds
    while counters.num_learner_steps < 50:  # Not timed: tracing and warm-up.
        experiment.step()
    before = counters.num_actor_steps, counters.num_learner_steps
    seconds.clear()
    start = time.perf_counter()
    while counters.num_actor_steps < steps:
        experiment.step()
    elapsed = time.perf_counter() - start

    measured = counters.num_actor_steps - before[0]
    sgd_steps = counters.num_learner_steps - before[1]
    # An episode of n steps is n + 1 rows: the first observation has one of its own.
    rows = counters.num_actor_steps + counters.num_episodes
    print(
        json.dumps(
            {
                "benchmark": "atari_replay",
                "envs_per_actor": arguments.envs_per_actor,
                "frames": counters.num_actor_steps * _FRAMES_PER_STEP,
                "frames_per_s": round(_FRAMES_PER_STEP * measured / elapsed, 1),
                "agent_steps_per_s": round(measured / elapsed, 1),
                "agent_steps_per_sgd_step": round(measured / sgd_steps, 2),
                "us_per_agent_step": {
                    name: round(1e6 * value / measured, 1)
                    for name, value in seconds.items()
                },
                "learner_step_ms": round(1e3 * seconds["learn"] / sgd_steps, 2),
                "stored_rows": rows,
                "bytes_per_stored_frame": round(
                    experiment.buffer.bytes_allocated / rows, 1
                ),
            }
        )
    )


if __name__ == "__main__":
    main()
