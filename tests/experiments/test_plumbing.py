"""What a run does around its training: clocks, files and what comes back of them."""

from __future__ import annotations

import json
import os
import pathlib
import stat
from typing import Any

import dm_env
import numpy as np
import pytest

from tfagents_core import core, experiments

from .. import toys
from . import small_runs


class Restless(toys.Builder):
    """Draws its actions in evaluation too."""

    def make_policy(self, networks: Any, spec: Any, *, evaluation: bool) -> core.Policy:
        """The same for both."""
        del evaluation
        return super().make_policy(networks, spec, evaluation=False)


def make_config(run_dir: pathlib.Path, **changes: Any) -> experiments.ExperimentConfig:
    defaults: dict[str, Any] = {
        "agent": toys.NAME,
        "environment": "test",
        "builder": Restless(toys.Config(samples_per_insert=8.0)),
        "num_actor_steps": 60,
        "run_dir": run_dir,
        "eval_every": 20,
        "eval_episodes": 3,
        "learner_log_every": 7,
        "environment_factory": toys.make_environment,
    }
    return experiments.ExperimentConfig(**{**defaults, **changes})


class Killed(BaseException):
    """Stands in for a death between two instructions."""


def kill_at(num_actor_steps: int, patch: pytest.MonkeyPatch) -> None:
    """Has every experiment die before the tick after so many steps."""
    step = experiments.InlineExperiment.step

    def dying_step(self: experiments.InlineExperiment) -> Any:
        if self.counters.num_actor_steps >= num_actor_steps:
            raise Killed
        return step(self)

    patch.setattr(experiments.InlineExperiment, "step", dying_step)


def run_and_die(
    config: experiments.ExperimentConfig, num_actor_steps: int
) -> experiments.Result:
    """Trains, dies after so many steps, and trains to the end."""
    with pytest.MonkeyPatch.context() as patch:
        kill_at(num_actor_steps, patch)
        with pytest.raises(Killed):
            experiments.run_experiment(config)
    return experiments.run_experiment(config)


class Clock:
    """Time that passes by one second a tick of training, and not otherwise."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now_s = 0.0
        patch.setattr("time.perf_counter", lambda: self.now_s)
        step = experiments.InlineExperiment.step

        def timed_step(experiment: experiments.InlineExperiment) -> Any:
            self.now_s += 1
            return step(experiment)

        patch.setattr(experiments.InlineExperiment, "step", timed_step)


def test_checkpoints_are_made_by_the_clock(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    saved: list[float] = []
    begin_save = experiments.InlineExperiment.begin_save

    def noting_begin_save(self: experiments.InlineExperiment) -> Any:
        saved.append(clock.now_s)
        return begin_save(self)

    monkeypatch.setattr(experiments.InlineExperiment, "begin_save", noting_begin_save)
    config = make_config(
        tmp_path, checkpoint_every=0, checkpoint_every_s=16.0, num_checkpoints_kept=3
    )
    experiments.run_experiment(config)
    assert clock.now_s > 64
    by_the_clock, at_the_end = saved[:-1], saved[-1]
    assert by_the_clock == [16.0 * n for n in range(1, 1 + len(by_the_clock))]
    assert at_the_end == clock.now_s < by_the_clock[-1] + 16
    assert len(small_runs.checkpoint_names(tmp_path)) == 3


def test_a_run_that_goes_on_keeps_the_time_it_has_taken(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    whole = experiments.run_experiment(make_config(tmp_path / "whole"))
    assert whole.walltime_s == clock.now_s
    clock.now_s = 5_000.0  # Another process's clock counts from anywhere.
    config = make_config(tmp_path / "killed", checkpoint_every=25)
    resumed = run_and_die(config, 40)
    # What was done twice, from the checkpoint on, counts once.
    assert resumed.walltime_s == whole.walltime_s
    times = [
        [json.loads(line)["walltime_s"] for line in (path / "metrics.jsonl").open()]
        for path in (tmp_path / "whole", tmp_path / "killed")
    ]
    assert times[0] == times[1]


@pytest.mark.parametrize("checkpoint_every", [0, 25])
def test_after_a_death_no_row_is_missing_or_double(
    tmp_path: pathlib.Path, checkpoint_every: int
) -> None:
    """Also where the death was before the first checkpoint."""
    whole = experiments.run_experiment(make_config(tmp_path / "whole"))
    config = make_config(tmp_path / "killed", checkpoint_every=checkpoint_every)
    with pytest.MonkeyPatch.context() as patch:
        kill_at(45, patch)
        with pytest.raises(Killed):
            experiments.run_experiment(config)
    written = small_runs.rows(tmp_path / "killed")
    assert {row["kind"] for row in written} == {"train", "eval", "learner"}
    assert (
        len(small_runs.checkpoint_names(tmp_path / "killed")) == checkpoint_every // 25
    )
    resumed = experiments.run_experiment(config)
    assert small_runs.rows(tmp_path / "killed") == small_runs.rows(tmp_path / "whole")
    assert resumed.variables_sha256 == whole.variables_sha256


def test_evaluations_after_a_death_are_those_of_an_uninterrupted_run(
    tmp_path: pathlib.Path,
) -> None:
    """Of a policy that draws its actions: its generator goes on where it was."""
    whole = experiments.run_experiment(make_config(tmp_path / "whole"))
    resumed = run_and_die(make_config(tmp_path / "killed", checkpoint_every=50), 55)
    assert resumed.episode_returns == whole.episode_returns
    rows = small_runs.rows(tmp_path / "whole")
    returns = [row["episode_returns"] for row in rows if row["kind"] == "eval"]
    assert len(returns) == 3
    assert returns == [
        row["episode_returns"]
        for row in small_runs.rows(tmp_path / "killed")
        if row["kind"] == "eval"
    ]


def test_the_result_is_flushed_to_the_disk_before_it_has_its_name(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[tuple[int, bytes]] = []
    fsync = os.fsync

    def noting_fsync(descriptor: int) -> None:
        assert not (tmp_path / "result.json").exists()
        status = os.fstat(descriptor)
        if stat.S_ISREG(status.st_mode):
            with open(f"/proc/self/fd/{descriptor}", "rb") as file:
                flushed.append((status.st_ino, file.read()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noting_fsync)
    experiments.run_experiment(make_config(tmp_path))
    contents = (tmp_path / "result.json").read_bytes()
    assert (os.stat(tmp_path / "result.json").st_ino, contents) in flushed


@pytest.mark.parametrize("period", [4, 7])
def test_the_learner_is_logged_as_often_as_it_is_asked_for(
    tmp_path: pathlib.Path, period: int
) -> None:
    """Once for each multiple, at the end of the tick that reached it."""
    result = experiments.run_experiment(make_config(tmp_path, learner_log_every=period))
    logged = [
        row["num_learner_steps"]
        for row in small_runs.rows(tmp_path)
        if row["kind"] == "learner"
    ]
    assert result.num_learner_steps > 30
    multiples = list(range(period, 1 + result.num_learner_steps, period))
    assert [period * (number // period) for number in logged] == multiples


def test_evaluations_and_snapshots_come_at_their_own_periods(
    tmp_path: pathlib.Path,
) -> None:
    config = make_config(tmp_path, eval_every=16, snapshot_every=25)
    experiments.run_experiment(config)
    evaluated = [
        row["num_actor_steps"]
        for row in small_runs.rows(tmp_path)
        if row["kind"] == "eval"
    ]
    assert evaluated == [16, 32, 48, 60]
    snapshots = sorted(path.name for path in (tmp_path / "snapshots").iterdir())
    assert snapshots == [f"step-{step:012d}" for step in (25, 50, 60)]


def test_the_last_evaluation_is_the_result(tmp_path: pathlib.Path) -> None:
    """And each row's return is the mean of its episodes'."""
    result = experiments.run_experiment(make_config(tmp_path))
    evaluated = [row for row in small_runs.rows(tmp_path) if row["kind"] == "eval"]
    assert result.episode_returns == evaluated[-1]["episode_returns"]
    for row in evaluated:
        assert row["episode_return"] == sum(row["episode_returns"]) / 3
    assert result.episode_return == evaluated[-1]["episode_return"]


class Steps(core.Observer):
    """Counts each episode's steps as far as it has seen them."""

    def __init__(self, spec: Any) -> None:
        del spec

    def observe_first(self, timestep: dm_env.TimeStep) -> None:
        self._steps = np.zeros(len(timestep.step_type))

    def observe(self, action: Any, next_timestep: dm_env.TimeStep) -> None:
        is_first = next_timestep.step_type == dm_env.StepType.FIRST
        self._steps = np.where(is_first, 0, self._steps + 1)

    def metrics(self, environment: int) -> dict[str, float]:
        return {"steps_seen": float(self._steps[environment])}


def test_observers_see_the_rest_of_an_episode_that_is_gone_on_with(
    tmp_path: pathlib.Path,
) -> None:
    config = make_config(
        tmp_path, checkpoint_every=25, observers=(Steps,), envs_per_actor=2
    )
    run_and_die(config, 40)
    episodes = [row for row in small_runs.rows(tmp_path) if row["kind"] == "train"]
    unseen = [row["episode_length"] - row["steps_seen"] for row in episodes]
    # Of both episodes that were going on at step 26 a part, and all of the others.
    assert [n > 0 for n in unseen].count(True) in (1, 2)
    assert all(n >= 0 for n in unseen)
    for row, n in zip(episodes, unseen, strict=True):
        assert n == 0 or 26 <= row["num_actor_steps"] < 26 + 2 * 6
