"""Trains in threads for a while: memory, threads and files must stay flat.

    python tests/stress/soak_threads.py --minutes 30

At the end it presses Ctrl-C, which must end the run with a checkpoint within seconds.
Prints a JSON line every ten seconds, and exits with 1 if something grew.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import pathlib
import resource
import signal
import sys
import tempfile
import threading
import time
from typing import Any

import dm_env

from tfagents_core import environments, experiments
from tfagents_core.agents import dqn
from tfagents_core.environments import wrappers

_PERIOD_S = 10.0
_MAX_GROWTH = 1.05  # Of memory, from the first third to the last.
_MAX_END_S = 5.0


def make(*, seed: int, evaluation: bool = False, step_s: float) -> dm_env.Environment:
    """A slow CartPole."""
    made = environments.make("gym:CartPole-v1", seed=seed, evaluation=evaluation)
    return made if evaluation else wrappers.Delay(made, step_s=step_s)


def measure() -> dict[str, Any]:
    """Memory in MiB, threads and open files of this process."""
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    return {
        "rss_mib": pages * resource.getpagesize() / 2**20,
        "threads": len(os.listdir("/proc/self/task")),
        "files": len(os.listdir("/proc/self/fd")),
    }


def watch(minutes: float, measured: list[dict[str, Any]]) -> None:
    """Measures until the time is over, and presses Ctrl-C."""
    start = time.perf_counter()
    while (elapsed := time.perf_counter() - start) < 60 * minutes:
        time.sleep(_PERIOD_S)
        measured.append({"minutes": elapsed / 60, **measure()})
        print(json.dumps(measured[-1]), flush=True)
    measured[-1]["pressed"] = time.perf_counter()
    os.kill(os.getpid(), signal.SIGINT)


def main() -> None:
    """Trains, and looks at what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    minutes = parser.parse_args().minutes
    measured: list[dict[str, Any]] = []
    config = dqn.DQNConfig(
        layer_sizes=(32,),
        min_replay_size=500,
        max_replay_size=5_000,
        samples_per_insert=2.0,
    )
    with tempfile.TemporaryDirectory() as folder:
        run_dir = pathlib.Path(folder) / "run"
        threading.Thread(target=watch, args=[minutes, measured], daemon=True).start()
        try:
            experiments.run_experiment(
                experiments.ExperimentConfig(
                    agent="dqn",
                    environment="slow CartPole",
                    environment_factory=functools.partial(make, step_s=0.005),
                    builder=dqn.DQNBuilder(config),
                    num_actor_steps=10**9,
                    run_dir=run_dir,
                    eval_every=5_000,
                    eval_episodes=2,
                    checkpoint_every_s=30,
                    launcher="threads",
                    num_actors=4,
                )
            )
        except experiments.Interrupted:
            end_s = time.perf_counter() - measured[-1].pop("pressed")
        num_checkpoints = len(list((run_dir / "checkpoints").iterdir()))
    ok = end_s <= _MAX_END_S and num_checkpoints > 0 and is_flat(measured)
    print(json.dumps({"end_s": end_s, "checkpoints": num_checkpoints, "flat": ok}))
    sys.exit(0 if ok else 1)


def is_flat(measured: list[dict[str, Any]]) -> bool:
    """Whether the last third is like the one before it, which is past the warm-up."""
    third = max(len(measured) // 3, 1)
    before, after = measured[third : 2 * third] or measured, measured[-third:]
    return all(
        max(row[name] for row in after) <= growth * max(row[name] for row in before)
        for name, growth in (("rss_mib", _MAX_GROWTH), ("threads", 1), ("files", 1.2))
    )


if __name__ == "__main__":
    main()
