"""A run of seconds, for the tests of this folder."""

from __future__ import annotations

import json
import pathlib
from typing import Any

from tfagents_core import experiments
from tfagents_core.agents import dqn


def make_config(run_dir: pathlib.Path, **changes: Any) -> experiments.ExperimentConfig:
    """DQN on CartPole: 300 steps, a checkpoint every 100, but for what is changed."""
    config = dqn.DQNConfig(layer_sizes=(16,), min_replay_size=50, max_replay_size=200)
    defaults: dict[str, Any] = {
        "agent": "dqn",
        "environment": "gym:CartPole-v1",
        "builder": dqn.DQNBuilder(config),
        "num_actor_steps": 300,
        "run_dir": run_dir,
        "eval_every": 0,
        "eval_episodes": 1,
        "checkpoint_every": 100,
    }
    return experiments.ExperimentConfig(**{**defaults, **changes})


def checkpoint_names(run_dir: pathlib.Path) -> list[str]:
    """What is among the checkpoints, finished or not."""
    return sorted(path.name for path in (run_dir / "checkpoints").iterdir())


def rows(run_dir: pathlib.Path) -> list[dict[str, Any]]:
    """The rows of `metrics.jsonl`, but for times, which no two runs share."""
    lines = (run_dir / "metrics.jsonl").read_text().splitlines()
    return [
        {name: v for name, v in json.loads(line).items() if not name.endswith("_s")}
        for line in lines
    ]
