"""Trains an agent and leaves everything about it in a directory."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import signal
import threading
import time
import types as python_types
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from tfagents_core import checkpointing, core, learning, loggers
from tfagents_core.experiments import config as experiment_config
from tfagents_core.experiments import inline, reporting, run_directory


@dataclasses.dataclass(frozen=True)
class Result:
    """What a finished run came to; also the contents of its `result.json`.

    Attributes:
        episode_return: mean return of the final evaluation.
        episode_returns: the return of each of its episodes.
        num_actor_steps: environment steps trained on.
        num_learner_steps: SGD steps.
        num_episodes: training episodes finished.
        walltime_s: seconds of training and evaluation.
        variables_sha256: digest of all learner variables in the order of their names.
        seconds: where the time went since the run was last started: act, environment,
            observe (which is insertion), learn, evaluate, snapshot and checkpoint
            (which is what training waited for, not what was written meanwhile).
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
    """Trains one agent; goes on where it was if `config.run_dir` holds the same run.

    A run that was stopped, in whatever way, goes on from its newest intact checkpoint
    and ends with exactly the variables it would have had. A finished one is left as it
    is and its result returned.

    Args:
        config: the run.
        outputs: more loggers, beside the run directory's JSON lines and TensorBoard
            events; not closed here.
        progress: shows how far the run is; not closed here.

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
    experiment = inline.InlineExperiment(config)
    with (
        directory.open(config),
        _noting_signals() as interruption,
        checkpointing.BackgroundWriter[_Saved]() as writer,
    ):
        run = _Run(config, experiment, directory=directory, writer=writer)
        if progress is not None:
            progress.note(experiment.memory)
        with run.reporter(outputs, progress) as reporter:
            result = run.train(reporter, interruption)
        directory.write_result(dataclasses.asdict(result))
    return result


@dataclasses.dataclass(frozen=True)
class _Saved:
    """A checkpoint that was written: as of when, of what size, in what time."""

    num_actor_steps: int
    num_bytes: int
    write_s: float


class _Run:
    """The loop of one run: train, evaluate, checkpoint."""

    def __init__(
        self,
        config: experiment_config.ExperimentConfig,
        experiment: inline.InlineExperiment,
        *,
        directory: run_directory.RunDirectory,
        writer: checkpointing.BackgroundWriter[_Saved],
    ) -> None:
        """Goes back to the newest checkpoint, if there is one."""
        self._config = config
        self._experiment = experiment
        self._directory = directory
        self._writer = writer
        self._stall_s = 0.0  # For the newest save.
        self._returns: list[float] = []  # Of the newest evaluation.
        self._walltime_s = 0.0
        checkpoint = directory.latest_checkpoint()
        if checkpoint is None:
            directory.cut_metrics(0)
        else:
            self._restore(checkpoint)
        self._next_save_s = time.perf_counter() + config.checkpoint_every_s

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
        self, reporter: reporting.Reporter, interruption: _Interruption
    ) -> Result:
        """Trains to the end."""
        counters = self._experiment.counters
        while counters.num_actor_steps < self._config.num_actor_steps:
            self._tick(reporter)
            if interruption.signal is not None:
                self._begin_save(reporter)
                self._finish_save(reporter)
                raise experiment_config.Interrupted(
                    interruption.signal,
                    f"Interrupted at step {counters.num_actor_steps:,}; the same "
                    f"command goes on from the checkpoint in {self._directory.path}.",
                )
            if self._writer.is_done:
                self._finish_save(reporter)
            if self._is_save_due():
                self._begin_save(reporter)
        self._begin_save(reporter)
        self._finish_save(reporter)
        return Result(
            episode_return=float(np.mean(self._returns)),
            episode_returns=self._returns,
            **dataclasses.asdict(counters),
            walltime_s=reporter.walltime_s,
            variables_sha256=checkpointing.digest(self._experiment.learner.state),
            seconds=dict(self._experiment.stopwatch.seconds),
        )

    def _tick(self, reporter: reporting.Reporter) -> None:
        config, experiment = self._config, self._experiment
        counters = experiment.counters
        before = dataclasses.replace(counters)
        try:
            episodes, metrics = experiment.step()
        except learning.NotFiniteError as error:
            self._finish_save(reporter)
            raise experiment_config.RunError(
                f"{str(error).rstrip('.')}; {self._last_checkpoint()}."
            ) from error
        reporter.tick(experiment.limiter)
        for episode in episodes:
            reporter.episode(episode)
        if metrics and _crosses(
            config.learner_log_every,
            before.num_learner_steps,
            counters.num_learner_steps,
        ):
            reporter.learner(metrics, experiment.replay_figures())
        is_last = counters.num_actor_steps >= config.num_actor_steps
        if is_last or _crosses(
            config.eval_every, before.num_actor_steps, counters.num_actor_steps
        ):
            evaluated = experiment.evaluate()
            reporter.evaluation(evaluated)
            self._returns = [episode.total_reward for episode in evaluated]
        if is_last or _crosses(
            config.snapshot_every, before.num_actor_steps, counters.num_actor_steps
        ):
            self._snapshot()
        self._step_is_due = _crosses(
            config.checkpoint_every, before.num_actor_steps, counters.num_actor_steps
        )

    def _is_save_due(self) -> bool:
        return self._step_is_due or time.perf_counter() >= self._next_save_s

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

    def _begin_save(self, reporter: reporting.Reporter) -> None:
        """Begins a checkpoint as of now, which is written while training goes on."""
        self._finish_save(reporter)
        start_s = time.perf_counter()
        with self._experiment.stopwatch.measure("checkpoint"):
            self._writer.start(self._make_save(reporter.walltime_s))
        self._stall_s = time.perf_counter() - start_s
        self._next_save_s = start_s + self._config.checkpoint_every_s

    def _make_save(self, walltime_s: float) -> Callable[[Callable[[], None]], _Saved]:
        """What writes a checkpoint of the present state, in another thread."""
        num_actor_steps = self._experiment.counters.num_actor_steps
        save = self._experiment.begin_save()
        metrics = self._directory.metrics
        run = {
            "episode_returns": self._returns,
            "walltime_s": walltime_s,
            "metrics_bytes": metrics.stat().st_size,
        }

        def write(when_copied: Callable[[], None]) -> _Saved:
            def fill(path: pathlib.Path) -> None:
                save(path, when_copied)
                (path / "run.json").write_text(json.dumps(run))
                run_directory.flush(metrics)

            start_s = time.perf_counter()
            num_bytes = self._directory.save(
                num_actor_steps, fill, keep=self._config.num_checkpoints_kept
            )
            return _Saved(num_actor_steps, num_bytes, time.perf_counter() - start_s)

        return write

    def _finish_save(self, reporter: reporting.Reporter) -> None:
        """Waits for the checkpoint under way, if there is one, and reports it."""
        start_s = time.perf_counter()
        with self._experiment.stopwatch.measure("checkpoint"):
            saved = self._writer.finish()
        stall_s = self._stall_s + time.perf_counter() - start_s
        if saved is not None and saved.num_bytes:
            reporter.checkpoint(
                saved.num_actor_steps,
                num_bytes=saved.num_bytes,
                write_s=saved.write_s,
                stall_s=stall_s,
            )

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
                "taken up where it was, so it begins a new one, and the run is no "
                "longer an exact continuation.",
                stacklevel=2,
            )


@dataclasses.dataclass
class _Interruption:
    """The signal that came, if one did."""

    signal: int | None = None


@contextlib.contextmanager
def _noting_signals() -> Iterator[_Interruption]:
    """Notes SIGINT and SIGTERM, to stop between two ticks; a second stops at once."""
    interruption = _Interruption()

    def note(number: int, frame: python_types.FrameType | None) -> None:
        del frame
        if interruption.signal is not None:
            os._exit(128 + number)
        interruption.signal = number

    # Python lets only the main thread handle signals.
    handled = threading.current_thread() is threading.main_thread()
    numbers = (signal.SIGINT, signal.SIGTERM) if handled else ()
    previous = {number: signal.signal(number, note) for number in numbers}
    try:
        yield interruption
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _crosses(period: int, before: int, after: int) -> bool:
    """Whether a multiple of `period` lies in `(before, after]`; never if it is 0."""
    return period > 0 and before // period != after // period
