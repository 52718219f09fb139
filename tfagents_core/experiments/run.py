"""Trains an agent in one thread: act, insert, and learn while the replay allows."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Mapping, Sequence
from typing import Any

import dm_env
import numpy as np

from tfagents_core import (
    checkpointing,
    core,
    counting,
    environment_loop,
    environments,
    learning,
    loggers,
    replay,
    seeds,
    specs,
    types,
)
from tfagents_core.experiments import config as experiment_config
from tfagents_core.experiments import evaluation, run_directory


@dataclasses.dataclass(frozen=True)
class Result:
    """What a finished run came to; also the contents of its `result.json`.

    Attributes:
        episode_return: mean return of the final evaluation.
        episode_returns: the return of each of its episodes.
        num_actor_steps: environment steps trained on.
        num_learner_steps: SGD steps.
        num_episodes: training episodes finished.
        walltime_s: seconds of training and evaluation, from the first step on.
        variables_sha256: digest of all learner variables in the order of their names.
        seconds: where the time went: act, environment, insert, learn, evaluate.
    """

    episode_return: float
    episode_returns: list[float]
    num_actor_steps: int
    num_learner_steps: int
    num_episodes: int
    walltime_s: float
    variables_sha256: str
    seconds: dict[str, float]


class _InlineClient:
    """Appends to the replay, and fails rather than wait.

    In one thread nobody else could end the wait, so a wait would be for ever.
    """

    def __init__(self, buffer: replay.Replay) -> None:
        self._buffer = buffer

    def append(
        self, rows: types.NestedArray, *, first: np.ndarray, last: np.ndarray
    ) -> None:
        """Appends one row to each stream.

        Raises:
            RunError: the rate limiter would have it wait.
        """
        try:
            self._buffer.append(rows, first=first, last=last, timeout=0)
        except TimeoutError as error:
            raise experiment_config.RunError(
                f"Acting got ahead of learning for good: {error}."
            ) from error


class InlineExperiment:
    """An agent, its environments and its replay, in one thread.

    Everything is checked and built here, before anything is written. Not thread-safe.

    Args:
        config: the run.

    Attributes:
        counters: how far the run has come.
        stopwatch: seconds spent in act, environment, observe, learn and evaluate.

    Raises:
        ValueError: the agent cannot act in the environment, or sizes do not fit.
    """

    def __init__(self, config: experiment_config.ExperimentConfig) -> None:
        self._config = config
        builder, seed = config.builder, config.seed
        num_environments = config.envs_per_actor
        assert num_environments is not None  # The config filled it in.
        training = [
            environments.make(
                config.environment, seed=seeds.derive(seed, "environment", index)
            )
            for index in range(num_environments)
        ]
        spec = specs.make_environment_spec(training[0])
        builder.check(spec)
        self._evaluation_environments: list[dm_env.Environment] = []

        self.buffer = builder.make_replay(
            spec, num_streams=num_environments, seed=seeds.derive(seed, "replay")
        )
        networks = builder.make_networks(spec, seed=seeds.derive(seed, "networks"))
        self.learner = builder.make_learner(
            networks,
            spec,
            dataset=builder.make_dataset(self.buffer, prefetch=0),
            buffer=self.buffer,
        )
        actor = builder.make_actor(
            networks,
            spec,
            seed=seeds.derive(seed, "actor"),
            adder=builder.make_adder(spec, _InlineClient(self.buffer)),
        )
        self._evaluation_actor = builder.make_actor(
            networks, spec, seed=seeds.derive(seed, "evaluation"), evaluation=True
        )
        self._loop = environment_loop.EnvironmentLoop(
            training, actor, observers=[make(spec) for make in config.observers]
        )
        self.stopwatch = self._loop.stopwatch
        self.counters = counting.Counters()

    def step(self) -> tuple[list[types.Episode], Mapping[str, Any]]:
        """One tick of the environments, and as many learner steps as are due.

        Returns:
            The training episodes that ended, and the last learner step's scalars if
            there was one.

        Raises:
            RunError: learning broke down.
        """
        steps, episodes = self._loop.step()
        self.counters.num_actor_steps += steps
        self.counters.num_episodes += len(episodes)
        metrics: Mapping[str, Any] = {}
        with self.stopwatch.measure("learn"):
            while self.learner.can_step():
                try:
                    metrics = self.learner.step()
                except learning.NotFiniteError as error:
                    raise experiment_config.RunError(str(error)) from error
                self.counters.num_learner_steps += self.learner.num_sgd_steps_per_step
        return episodes, metrics

    def evaluate(self) -> list[types.Episode]:
        """Plays the evaluation's episodes with the present policy."""
        config = self._config
        if not self._evaluation_environments:
            self._evaluation_environments = evaluation.make_environments(
                config.environment, config.eval_episodes, seed=config.seed
            )
        with self.stopwatch.measure("evaluate"):
            return evaluation.run_episodes(
                self._evaluation_actor,
                self._evaluation_environments,
                config.eval_episodes,
            )

    def limiter(self) -> str:
        """What the replay holds and what its rate limiters wait for, in words."""
        return "; ".join(
            f"{table.size:,} items, "
            + (table.why_not_sample(1) or "learning as fast as acting allows")
            for table in self.buffer.tables.values()
        )


class _Reporter:
    """Writes a run's figures wherever they go, each with the counters and the time."""

    def __init__(
        self,
        counters: counting.Counters,
        outputs: Sequence[core.Logger],
        progress: loggers.Progress | None,
    ) -> None:
        self._counters = counters
        self._outputs = outputs
        self._progress = progress
        self._start = time.perf_counter()

    @property
    def walltime_s(self) -> float:
        """Seconds since the run began."""
        return time.perf_counter() - self._start

    def tick(self, limiter: Any) -> None:
        """Shows the counters."""
        if self._progress is not None:
            self._progress.update(
                self._counters.num_actor_steps,
                self._counters.num_learner_steps,
                limiter,
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

    def evaluation(self, episodes: Sequence[types.Episode]) -> None:
        """Reports an evaluation."""
        returns = [episode.total_reward for episode in episodes]
        self._write(
            "eval",
            {
                "episode_return": float(np.mean(returns)),
                "episode_returns": returns,
                "episode_length": float(np.mean([e.length for e in episodes])),
            },
        )
        if self._progress is not None:
            self._progress.evaluation(
                self._counters.num_actor_steps, float(np.mean(returns))
            )

    def learner(self, metrics: Mapping[str, Any]) -> None:
        """Reports a learner step."""
        self._write("learner", {k: float(v) for k, v in metrics.items()})

    def _write(self, kind: str, values: Mapping[str, Any]) -> None:
        row = {
            "num_actor_steps": self._counters.num_actor_steps,
            "num_learner_steps": self._counters.num_learner_steps,
            "walltime_s": round(self.walltime_s, 3),
            **values,
        }
        core.write_all(self._outputs, kind, row)


def run_experiment(
    config: experiment_config.ExperimentConfig,
    *,
    outputs: Sequence[core.Logger] = (),
    progress: loggers.Progress | None = None,
) -> Result:
    """Trains one agent and leaves everything about it in `config.run_dir`.

    Args:
        config: the run.
        outputs: more loggers, beside the run directory's JSON lines and TensorBoard
            events; not closed here.
        progress: shows how far the run is; not closed here.

    Returns:
        What `result.json` holds.

    Raises:
        ValueError: the agent cannot act in the environment, or sizes do not fit;
            nothing has been written.
        RunError: the directory holds a run already, or the run failed.
    """
    directory = run_directory.RunDirectory(config.run_dir)
    directory.check_unused()
    experiment = InlineExperiment(config)
    directory.create(config)
    with contextlib.ExitStack() as stack:
        files: list[core.Logger] = [
            loggers.JsonLinesLogger(directory.metrics),
            loggers.TensorBoardLogger(directory.events),
        ]
        for logger in files:
            stack.callback(logger.close)
        reporter = _Reporter(experiment.counters, [*files, *outputs], progress)
        result = _train(config, experiment, directory=directory, reporter=reporter)
    directory.write_result(dataclasses.asdict(result))
    return result


def _train(
    config: experiment_config.ExperimentConfig,
    experiment: InlineExperiment,
    *,
    directory: run_directory.RunDirectory,
    reporter: _Reporter,
) -> Result:
    counters = experiment.counters
    total = config.num_actor_steps
    eval_every = config.eval_every or total
    next_evaluation = min(eval_every, total)
    next_learner_row = config.learner_log_every

    while True:
        episodes, metrics = experiment.step()
        reporter.tick(experiment.limiter)
        for episode in episodes:
            reporter.episode(episode)
        if metrics and counters.num_learner_steps >= next_learner_row:
            reporter.learner(metrics)
            next_learner_row += config.learner_log_every
        if counters.num_actor_steps < next_evaluation:
            continue

        evaluated = experiment.evaluate()
        reporter.evaluation(evaluated)
        directory.save(experiment.learner.state, counters.num_actor_steps)
        if counters.num_actor_steps >= total:
            break
        next_evaluation = min(next_evaluation + eval_every, total)

    returns = [episode.total_reward for episode in evaluated]
    return Result(
        episode_return=float(np.mean(returns)),
        episode_returns=returns,
        **dataclasses.asdict(counters),
        walltime_s=reporter.walltime_s,
        variables_sha256=checkpointing.digest(experiment.learner.state),
        seconds=dict(experiment.stopwatch.seconds),
    )
