"""Checkpoints of a run, written while training goes on."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import time
from collections.abc import Callable
from typing import Any

from tfagents_core import checkpointing
from tfagents_core.experiments import experiment as experiment_lib
from tfagents_core.experiments import reporting, run_directory


@dataclasses.dataclass(frozen=True)
class Saved:
    """A checkpoint that was written.

    Attributes:
        step: the run's clock then.
        num_bytes: its size.
        write_s: seconds that writing took, beside training.
    """

    step: int
    num_bytes: int
    write_s: float


class Saver:
    """Saves an experiment into its run directory, one checkpoint at a time.

    Training waits only until everything has been copied or pinned; another thread
    writes. Not thread-safe.

    Args:
        experiment: what is saved.
        directory: where to.
        writer: runs the writes; closed by its owner.
        num_kept: how many checkpoints are kept.
        period_s: seconds from one checkpoint to the next.
    """

    def __init__(
        self,
        experiment: experiment_lib.Experiment,
        directory: run_directory.RunDirectory,
        writer: checkpointing.BackgroundWriter[Saved],
        *,
        num_kept: int,
        period_s: float,
    ) -> None:
        self._experiment = experiment
        self._directory = directory
        self._writer = writer
        self._num_kept = num_kept
        self._period_s = period_s
        self._stall_s = 0.0  # For the newest checkpoint.
        self._next_s = time.perf_counter() + period_s

    @property
    def is_due(self) -> bool:
        """Whether the newest checkpoint is older than the period."""
        return time.perf_counter() >= self._next_s

    @property
    def is_done(self) -> bool:
        """Whether a checkpoint has been written that `finish` has not reported yet."""
        return self._writer.is_done

    def begin(self, run: dict[str, Any], reporter: reporting.Reporter) -> None:
        """Begins a checkpoint of this moment, which is written while training goes on.

        Args:
            run: what is saved beside the experiment, as JSON.
            reporter: reports the checkpoint before it, which is waited for.
        """
        self.finish(reporter)
        start_s = time.perf_counter()
        with self._experiment.stopwatch.measure("checkpoint"):
            self._writer.start(self._make_write(run))
        self._stall_s = time.perf_counter() - start_s
        self._next_s = start_s + self._period_s

    def _make_write(self, run: dict[str, Any]) -> Callable[[Callable[[], None]], Saved]:
        """What writes a checkpoint of the present state, in another thread."""
        step = self._experiment.clock.now
        save = self._experiment.begin_save()
        metrics = self._directory.metrics
        # Rows that are logged after this moment are not the checkpoint's.
        described = json.dumps({**run, "metrics_bytes": metrics.stat().st_size})

        def write(when_copied: Callable[[], None]) -> Saved:
            def fill(path: pathlib.Path) -> None:
                save(path, when_copied)
                (path / "run.json").write_text(described)
                run_directory.flush(metrics)

            start_s = time.perf_counter()
            num_bytes = self._directory.save(step, fill, keep=self._num_kept)
            return Saved(step, num_bytes, time.perf_counter() - start_s)

        return write

    def finish(self, reporter: reporting.Reporter) -> None:
        """Waits for the checkpoint under way, if there is one, and reports it."""
        start_s = time.perf_counter()
        with self._experiment.stopwatch.measure("checkpoint"):
            saved = self._writer.finish()
        if saved is not None:
            reporter.checkpoint(
                saved.step,
                num_bytes=saved.num_bytes,
                write_s=saved.write_s,
                stall_s=self._stall_s + time.perf_counter() - start_s,
            )
