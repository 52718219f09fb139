"""Runs as directories, without training any."""

import json


def row(kind, num_actor_steps, episode_return, walltime_s=0.0):
    return {
        "kind": kind,
        "num_actor_steps": num_actor_steps,
        "num_learner_steps": 0,
        "walltime_s": walltime_s,
        "episode_return": episode_return,
    }


def evaluations(points):
    """Rows of evaluations at `(steps, return)` or `(steps, return, seconds)`."""
    return [row("eval", *point) for point in points]


def make_run(
    path, rows, *, agent="d4pg", environment="gym:Pole", seed=0, **agent_config
):
    path.mkdir(parents=True)
    config = {
        "agent": agent,
        "environment": environment,
        "seed": seed,
        "envs_per_actor": 1,
        "agent_config": agent_config,
    }
    (path / "config.json").write_text(json.dumps(config))
    lines = [json.dumps(row) + "\n" for row in rows]
    (path / "metrics.jsonl").write_text("".join(lines))
    return path
