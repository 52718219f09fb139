"""Saves overlap with training, and whatever happens to them is said."""

from __future__ import annotations

import pathlib
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tfagents_core import checkpointing, experiments, replay
from tfagents_core.experiments import inline, run_directory

from . import small_runs

pytest.importorskip("gymnasium")


class Killed(BaseException):
    """Stands in for a death between two instructions."""


def test_training_goes_on_while_a_checkpoint_of_an_earlier_step_is_written(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = experiments.run_experiment(small_runs.make_config(tmp_path / "whole"))

    may_write = threading.Event()
    flush, step = run_directory.flush, experiments.InlineExperiment.step

    def flush_later(path: pathlib.Path) -> None:
        assert may_write.wait(60)
        flush(path)

    def dying_step(self: experiments.InlineExperiment) -> Any:
        if self.counters.num_actor_steps == 150:  # The save began at 100.
            assert small_runs.checkpoint_names(tmp_path / "run") == [
                "step-000000000100.unfinished"
            ]
            may_write.set()
            raise Killed
        return step(self)

    monkeypatch.setattr(run_directory, "flush", flush_later)
    monkeypatch.setattr(experiments.InlineExperiment, "step", dying_step)
    with pytest.raises(Killed):
        experiments.run_experiment(small_runs.make_config(tmp_path / "run"))
    assert small_runs.checkpoint_names(tmp_path / "run") == ["step-000000000100"]

    monkeypatch.undo()
    resumed = experiments.run_experiment(small_runs.make_config(tmp_path / "run"))
    assert resumed.variables_sha256 == whole.variables_sha256
    assert resumed.episode_returns == whole.episode_returns


def test_a_save_that_fails_while_training_goes_on_ends_the_run(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = checkpointing.write

    def fill_up(path: pathlib.Path, fill: Callable[[pathlib.Path], None]) -> int:
        def fill_and_fail(directory: pathlib.Path) -> None:
            fill(directory)
            raise OSError(28, "No space left on device", "state.npz")

        return write(path, fill_and_fail if "200" in path.name else fill)

    monkeypatch.setattr(checkpointing, "write", fill_up)
    config = small_runs.make_config(tmp_path / "run")
    with pytest.raises(
        experiments.RunError,
        match=r"step-000000000200 could not be written \(No space left on device\)",
    ):
        experiments.run_experiment(config)
    assert small_runs.checkpoint_names(tmp_path / "run") == ["step-000000000100"]
    assert not (tmp_path / "run" / "result.json").exists()

    monkeypatch.undo()
    resumed = experiments.run_experiment(config)
    whole = experiments.run_experiment(small_runs.make_config(tmp_path / "whole"))
    assert resumed.variables_sha256 == whole.variables_sha256


def test_a_loss_that_is_no_number_names_the_last_good_checkpoint(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = experiments.InlineExperiment.step

    def poisoned_step(self: experiments.InlineExperiment) -> Any:
        if self.counters.num_actor_steps == 250:
            for variable in self.learner.state.values():
                if variable.dtype.is_floating:
                    variable.assign(np.full(variable.shape, np.nan, np.float32))
        return step(self)

    monkeypatch.setattr(experiments.InlineExperiment, "step", poisoned_step)
    run_dir = tmp_path / "run"
    with pytest.raises(experiments.RunError) as error:
        experiments.run_experiment(small_runs.make_config(run_dir))
    sentence = str(error.value)
    assert sentence.startswith("Learning broke down at learner step ")
    assert ", loss nan, " in sentence
    checkpoint = run_dir / "checkpoints" / "step-000000000200"
    assert sentence.endswith(f"; the last good checkpoint is {checkpoint}.")
    assert checkpointing.is_intact(checkpoint)


def test_an_append_waits_for_a_save_that_holds_the_memory_it_needs(
    tmp_path: pathlib.Path,
) -> None:
    steps = {"x": replay.Column((1024,), np.float32)}
    table = replay.Table(
        "rows",
        pattern=replay.NStep(1),
        outputs=replay.views.Row("x", 0),
        max_size=100,
        rate_limiter=replay.MinSize(1),
    )
    buffer = replay.Replay(steps, [table], segment_rows=1, max_bytes=80_000)
    client = inline._InlineClient(buffer)
    row = {"x": np.zeros((1, 1024), np.float32)}
    client.append(row, first=np.array([True]), last=np.array([False]))
    for _ in range(20):
        client.append(row, first=np.array([False]), last=np.array([False]))

    may_write, copied = threading.Event(), threading.Event()

    def hold() -> None:
        copied.set()
        may_write.wait(60)

    def save() -> None:
        buffer.save(tmp_path / "replay", when_copied=hold)
        client.saved.set()

    class WaitingForTheSave(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            may_write.set()
            return super().wait(timeout)

    client.saved = WaitingForTheSave()
    thread = threading.Thread(target=save)
    thread.start()
    copied.wait(60)
    for _ in range(30):
        client.append(row, first=np.array([False]), last=np.array([False]))
    assert may_write.is_set()  # An append did have to wait.
    thread.join()
    buffer.check_valid()


def test_the_learners_step_is_compiled_once(tmp_path: pathlib.Path) -> None:
    experiment = experiments.InlineExperiment(small_runs.make_config(tmp_path / "run"))
    while experiment.counters.num_learner_steps < 5:
        experiment.step()
    step: Any = experiment.learner._step  # type: ignore[attr-defined]
    assert step.num_traces == 1
