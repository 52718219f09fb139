"""Logs a run's metrics while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tfagents_core import core, loggers, types
from tfagents_core.experiments import config as experiment_config
from tfagents_core.experiments import counting, experiment


class Reporter:
    """Writes a run's metrics to every logger, each row with counters and time.

    Args:
        counters: the run's, read at every row.
        outputs: take the rows.
        progress: shows how far the run is, or None.
        walltime_s: seconds the run has already taken before, if it goes on.
    """

    def __init__(
        self,
        counters: counting.Counters,
        outputs: Sequence[core.Logger],
        *,
        progress: loggers.Progress | None,
        walltime_s: float = 0.0,
    ) -> None:
        self._counters = counters
        self._outputs = outputs
        self._progress = progress
        self._start = time.perf_counter() - walltime_s

    @property
    def walltime_s(self) -> float:
        """Seconds the run has taken, those before an interruption included."""
        return time.perf_counter() - self._start

    def tick(self, replay_status: Callable[[], str]) -> None:
        """Shows the counters; `replay_status` is called only if something is drawn."""
        if self._progress is not None:
            self._progress.update(
                self._counters.num_actor_steps,
                self._counters.num_learner_steps,
                replay_status,
            )

    def episode(self, episode: types.Episode) -> None:
        """Reports a training episode."""
        self._write(
            "train",
            {
                "episode_return": episode.total_reward,
                "episode_length": episode.length,
                "num_episodes": self._counters.num_episodes,
                **episode.metrics,
            },
        )
        if self._progress is not None:
            self._progress.episode(episode.total_reward, episode.length)

    def evaluation(self, evaluation: experiment.Evaluation) -> None:
        """Reports an evaluation, at the time when its policy was taken."""
        counters = {
            "num_actor_steps": evaluation.counters.num_actor_steps,
            "num_learner_steps": evaluation.counters.num_learner_steps,
        }
        values = _summary(evaluation.episodes)
        self._write("eval", {**counters, **values})
        for place, episodes in evaluation.elsewhere.items():
            where = {"environment": place}
            self._write("also_eval", {**counters, **where, **_summary(episodes)})
        if self._progress is not None:
            self._progress.evaluation(
                counters["num_actor_steps"], values["episode_return"]
            )

    def checkpoint(
        self, num_actor_steps: int, *, num_bytes: int, write_s: float, stall_s: float
    ) -> None:
        """Shows that a checkpoint has been written."""
        if self._progress is not None:
            mib = num_bytes / 2**20
            self._progress.checkpoint(
                f"{mib:,.1f} MiB at {num_actor_steps:,} steps, written in "
                f"{write_s:.2f} s while training waited {stall_s:.2f} s"
            )

    def learner(
        self, metrics: Mapping[str, Any], replay_metrics: Mapping[str, float]
    ) -> None:
        """Reports a learner step and the state of the replay after it."""
        scalars = {name: float(value) for name, value in metrics.items()}
        self._write("learner", {**scalars, **replay_metrics})

    def _write(self, kind: str, values: Mapping[str, Any]) -> None:
        row = {
            "num_actor_steps": self._counters.num_actor_steps,
            "num_learner_steps": self._counters.num_learner_steps,
            "walltime_s": round(self.walltime_s, 3),
            **values,
        }
        try:
            core.write_all(self._outputs, kind, row)
        except OSError as error:
            raise experiment_config.RunError(
                f"{error.filename or 'The log'} could not be written "
                f"({error.strerror}); make room, and the same command goes on from the "
                "newest checkpoint."
            ) from error


def _summary(episodes: Sequence[types.Episode]) -> dict[str, Any]:
    returns = [episode.total_reward for episode in episodes]
    return {
        "episode_return": float(np.mean(returns)),
        "episode_returns": returns,
        "episode_length": float(np.mean([e.length for e in episodes])),
        **_mean_metrics(episodes),
    }


def _mean_metrics(episodes: Sequence[types.Episode]) -> dict[str, float]:
    """The mean of each metric over the episodes, which all have the same."""
    return {
        name: float(np.mean([episode.metrics[name] for episode in episodes]))
        for name in episodes[0].metrics
    }
