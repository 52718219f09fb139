"""Trains an agent and leaves everything about it in a directory."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import pathlib
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tfagents_core import checkpointing, core, learning, loggers
from tfagents_core.experiments import (
    cadence,
    inline,
    reporting,
    run_directory,
    saving,
    signals,
)
from tfagents_core.experiments import config as experiment_config
from tfagents_core.experiments import experiment as experiment_lib


@dataclasses.dataclass(frozen=True)
class Result:
    """The outcome of a finished run; also the contents of its `result.json`.

    Attributes:
        episode_return: mean return of the final evaluation.
        episode_returns: the return of each of its episodes.
        num_actor_steps: environment steps trained on.
        num_learner_steps: SGD steps.
        num_episodes: training episodes finished.
        walltime_s: seconds of training and evaluation.
        variables_sha256: digest of all learner variables in the order of their names.
        seconds: time by part since the run was last started: act, environment, observe
            (mostly insertion into the replay), learn, evaluate, snapshot and checkpoint
            (only the time that training waited, not that of writing beside it).
    """

    episode_return: float
    episode_returns: list[float]
    num_actor_steps: int
    num_learner_steps: int
    num_episodes: int
    walltime_s: float
    variables_sha256: str
    seconds: dict[str, float]


def run_experiment(
    config: experiment_config.ExperimentConfig,
    *,
    outputs: Sequence[core.Logger] = (),
    progress: loggers.Progress | None = None,
) -> Result:
    """Trains one agent; resumes if `config.run_dir` holds the same run.

    A run that was stopped, in whatever way, resumes from its newest intact checkpoint
    and ends with exactly the variables of an uninterrupted run. A finished run is left
    unchanged and its result returned.

    Args:
        config: the run.
        outputs: more loggers, beside the run directory's JSON lines and TensorBoard
            events; not closed here.
        progress: displays the run's progress; not closed here.

    Returns:
        What `result.json` holds.

    Raises:
        ValueError: the agent cannot act in the environment, sizes do not fit, or the
            replay would outgrow the memory; nothing has been written.
        DirectoryError: the directory holds another run or no intact checkpoint of this
            one, cannot be written, or another process is at it.
        RunError: the run failed.
        Interrupted: SIGINT or SIGTERM came; a checkpoint has been written.
    """
    directory = run_directory.RunDirectory(config.run_dir)
    directory.check(config)
    finished = directory.read_result()
    if finished is not None:
        return Result(**finished)
    with (
        contextlib.closing(_make_experiment(config)) as experiment,
        directory.open(config),
        signals.noting() as interruption,
        checkpointing.BackgroundWriter[saving.Saved]() as writer,
    ):
        run = _Run(config, experiment, directory=directory, writer=writer)
        if progress is not None:
            progress.note(experiment.memory)
        with run.reporter(outputs, progress) as reporter:
            result = run.train(reporter, interruption)
        directory.write_result(dataclasses.asdict(result))
    return result


def _make_experiment(
    config: experiment_config.ExperimentConfig,
) -> experiment_lib.Experiment:
    if config.launcher == "ray":
        from tfagents_core.distributed import ray_launcher

        return ray_launcher.RayExperiment(config)
    if config.launcher == "threads":
        from tfagents_core.distributed import threads

        return threads.ThreadsExperiment(config)
    return inline.InlineExperiment(config)


class _Run:
    """The loop of one run: train, evaluate, snapshot, checkpoint."""

    def __init__(
        self,
        config: experiment_config.ExperimentConfig,
        experiment: experiment_lib.Experiment,
        *,
        directory: run_directory.RunDirectory,
        writer: checkpointing.BackgroundWriter[saving.Saved],
    ) -> None:
        """Restores the newest checkpoint, if there is one."""
        self._config = config
        self._experiment = experiment
        self._directory = directory
        self._returns: list[float] = []  # Of the newest evaluation.
        self._walltime_s = 0.0
        checkpoint = directory.latest_checkpoint()
        if checkpoint is None:
            directory.cut_metrics(0)
        else:
            self._restore(checkpoint)
        self._is_saved = checkpoint is not None
        self._saver = saving.Saver(
            experiment,
            directory,
            writer,
            num_kept=config.num_checkpoints_kept,
            period_s=config.checkpoint_every_s,
        )
        now = experiment.clock.now
        self._evaluations = cadence.Cadence(config.eval_every, now=now)
        self._snapshots = cadence.Cadence(config.snapshot_every, now=now)
        self._saves = cadence.Cadence(config.checkpoint_every, now=now)
        self._learner_rows = cadence.Cadence(
            config.learner_log_every, now=experiment.counters.num_learner_steps
        )

    @contextlib.contextmanager
    def reporter(
        self, outputs: Sequence[core.Logger], progress: loggers.Progress | None
    ) -> Iterator[reporting.Reporter]:
        """Opens the run directory's loggers."""
        with contextlib.ExitStack() as stack:
            files: list[core.Logger] = [
                loggers.JsonLinesLogger(self._directory.metrics),
                loggers.TensorBoardLogger(self._directory.events),
            ]
            for logger in files:
                stack.callback(logger.close)
            yield reporting.Reporter(
                self._experiment.counters,
                [*files, *outputs],
                progress=progress,
                walltime_s=self._walltime_s,
            )

    def train(
        self, reporter: reporting.Reporter, interruption: signals.Interruption
    ) -> Result:
        """Trains to the end."""
        while not self._is_over:
            self._tick(reporter)
            if interruption.signal is not None:
                self._stop(reporter, interruption.signal)
            if self._saver.is_done:
                self._saver.finish(reporter)
            # Both are asked, so that the cadence sees every tick.
            if self._saves.is_due(self._experiment.clock.now) or self._saver.is_due:
                self._save(reporter)
        self._save(reporter)
        self._saver.finish(reporter)
        return Result(
            episode_return=float(np.mean(self._returns)),
            episode_returns=self._returns,
            **dataclasses.asdict(self._experiment.counters),
            walltime_s=reporter.walltime_s,
            variables_sha256=self._experiment.variables_sha256(),
            seconds=dict(self._experiment.stopwatch.seconds),
        )

    @property
    def _is_over(self) -> bool:
        return self._experiment.clock.now >= self._config.num_actor_steps

    def _tick(self, reporter: reporting.Reporter) -> None:
        experiment = self._experiment
        try:
            progress = experiment.step()
        except learning.NotFiniteError as error:
            self._saver.finish(reporter)
            raise experiment_config.RunError(
                f"{str(error).rstrip('.')}; {self._last_checkpoint()}."
            ) from error
        self._is_saved = False
        self._report(progress, reporter)
        now = experiment.clock.now
        if self._is_over:
            # The last evaluation is of the final variables.
            self._report(experiment.halt(), reporter)
        if self._evaluations.is_due(now) or self._is_over:
            experiment.begin_evaluation()
        for evaluation in experiment.take_evaluations(wait=self._is_over):
            reporter.evaluation(evaluation)
            self._returns = [episode.total_reward for episode in evaluation.episodes]
        if self._snapshots.is_due(now) or self._is_over:
            self._snapshot()

    def _report(
        self, progress: experiment_lib.Progress, reporter: reporting.Reporter
    ) -> None:
        """Reports what has happened."""
        experiment = self._experiment
        reporter.tick(experiment.replay_status)
        for episode in progress.episodes:
            reporter.episode(episode)
        if progress.metrics and self._learner_rows.is_due(
            experiment.counters.num_learner_steps
        ):
            reporter.learner(progress.metrics, experiment.replay_metrics())

    def _stop(self, reporter: reporting.Reporter, signal: int) -> None:
        """Saves, and raises `Interrupted`."""
        self._report(self._experiment.halt(), reporter)
        self._save(reporter)
        self._saver.finish(reporter)
        raise experiment_config.Interrupted(
            signal,
            f"Interrupted at step {self._experiment.clock.now:,}; the same command "
            f"goes on from the checkpoint in {self._directory.path}.",
        )

    def _save(self, reporter: reporting.Reporter) -> None:
        """Begins a checkpoint, unless there is one of this very moment."""
        if self._is_saved:
            return
        run = {"episode_returns": self._returns, "walltime_s": reporter.walltime_s}
        self._saver.begin(run, reporter)
        self._is_saved = True

    def _snapshot(self) -> None:
        path = self._directory.snapshot(self._experiment.counters.num_actor_steps)
        try:
            with self._experiment.stopwatch.measure("snapshot"):
                self._experiment.snapshot(path)
        except OSError as error:
            raise experiment_config.RunError(
                f"The snapshot {path} could not be written ({error.strerror or error}); "
                "the same command goes on from the newest checkpoint."
            ) from error

    def _last_checkpoint(self) -> str:
        checkpoint = self._directory.latest_checkpoint()
        if checkpoint is None:
            return "there was no checkpoint yet"
        return f"the last good checkpoint is {checkpoint}"

    def _restore(self, checkpoint: pathlib.Path) -> None:
        run: dict[str, Any] = json.loads((checkpoint / "run.json").read_text())
        self._directory.remove_checkpoints_after(checkpoint)
        self._directory.cut_metrics(run["metrics_bytes"])
        self._returns, self._walltime_s = run["episode_returns"], run["walltime_s"]
        for index in self._experiment.restore(checkpoint):
            warnings.warn(
                f"Environment {index} is not deterministic: its episode could not be "
                "resumed where it was, so a new episode begins there, and the run is "
                "no longer an exact continuation.",
                stacklevel=2,
            )
