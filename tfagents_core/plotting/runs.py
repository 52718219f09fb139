"""Reads runs' configurations and metrics from their directories."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

SMOOTHING_EPISODES = 20
# Options of environment ids that say where to record a run; they do not change the
# task.
_RECORD_OPTIONS = frozenset({"results_dir", "overwrite"})

Row = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Run:
    """One run's learning curve.

    Attributes:
        path: the run's directory.
        agent: the agent's name.
        environment: the environment's id, without bsuite's recording options.
        seed: the run's seed.
        settings: the agent's hyper-parameters and `envs_per_actor`.
        kind: `"eval"`, or `"train"` if the run has no evaluation; training returns are
            smoothed over the last 20 episodes.
        num_actor_steps: int64 `[N]`, increasing.
        walltime_s: float64 `[N]`, increasing.
        episode_returns: float64 `[N]`, finite.
    """

    path: pathlib.Path
    agent: str
    environment: str
    seed: int
    settings: Mapping[str, Any]
    kind: str
    num_actor_steps: np.ndarray
    walltime_s: np.ndarray
    episode_returns: np.ndarray


def load_run(run_dir: str | os.PathLike[str]) -> Run:
    """Reads one run's directory; the run may still be in progress.

    Raises:
        ValueError: there is no run, or it has no return yet.
    """
    path = pathlib.Path(run_dir)
    config = read_config(path)
    rows = list(read_rows(path))
    kind = "eval" if any(row["kind"] == "eval" for row in rows) else "train"
    rows = [
        row
        for row in rows
        if row["kind"] == kind and row.get("episode_return") is not None
    ]
    if not rows:
        raise ValueError(f"{path} has nothing to plot yet: no episode has ended.")
    returns = column(rows, "episode_return")
    return Run(
        path=path,
        agent=config["agent"],
        environment=task_of(config["environment"]),
        seed=config["seed"],
        settings={
            **config.get("agent_config", {}),
            "envs_per_actor": config.get("envs_per_actor"),
        },
        kind=kind,
        num_actor_steps=column(rows, "num_actor_steps").astype(np.int64),
        walltime_s=column(rows, "walltime_s"),
        episode_returns=smooth(returns) if kind == "train" else returns,
    )


def read_config(path: pathlib.Path) -> dict[str, Any]:
    """The contents of a run's `config.json`.

    Raises:
        ValueError: there is none.
    """
    if not (path / "config.json").is_file():
        raise ValueError(f"{path} holds no run: there is no config.json in it.")
    contents: dict[str, Any] = json.loads((path / "config.json").read_text())
    return contents


def task_of(environment_id: str) -> str:
    """`environment_id` without the recording options, which differ between seeds."""
    name, _, query = environment_id.partition("?")
    options = [
        option
        for option in query.split("&")
        if option and option.partition("=")[0] not in _RECORD_OPTIONS
    ]
    return "?".join([name, "&".join(options)]) if options else name


def read_rows(path: pathlib.Path) -> Iterable[Row]:
    """A run's metrics; an incomplete last line, still being written, is skipped."""
    metrics = path / "metrics.jsonl"
    if not metrics.exists():
        return
    with metrics.open(encoding="utf-8") as file:
        for line in file:
            if line.endswith("\n"):
                yield json.loads(line)


def column(rows: Iterable[Row], name: str) -> np.ndarray:
    """The metric `name` of `rows`, float64 `[N]`; NaN where a row has none."""
    values = [row.get(name) for row in rows]
    return np.array([np.nan if v is None else v for v in values], np.float64)


def smooth(values: np.ndarray, window: int = SMOOTHING_EPISODES) -> np.ndarray:
    """Moving average `[N]`: the mean of up to `window` values that end at each."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    ends = np.arange(1, len(sums))
    starts = np.maximum(ends - window, 0)
    means: np.ndarray = (sums[ends] - sums[starts]) / (ends - starts)
    return means
