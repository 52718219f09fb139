"""Policies that are evaluated in other environments, too."""

from __future__ import annotations

import pathlib
import signal
from typing import Any

import pytest

from tfagents_core import experiments

from . import small_runs

pytest.importorskip("gymnasium")
ELSEWHERE = "gym:CartPole-v0"  # Which ends after 200 steps and not after 500.


def make_config(run_dir: pathlib.Path, **changes: Any) -> experiments.ExperimentConfig:
    defaults: dict[str, Any] = {
        "also_evaluate": [ELSEWHERE],
        "eval_every": 100,
        "eval_episodes": 3,
    }
    return small_runs.make_config(run_dir, **{**defaults, **changes})


@pytest.mark.parametrize("launcher", ["inline", "threads"])
def test_every_evaluation_has_a_row_for_each_place(
    tmp_path: pathlib.Path, launcher: str
) -> None:
    result = experiments.run_experiment(
        make_config(tmp_path / "run", launcher=launcher)
    )
    rows = small_runs.rows(tmp_path / "run")
    here = [row for row in rows if row["kind"] == "eval"]
    there = [row for row in rows if row["kind"] == "also_eval"]
    assert len(here) >= 1
    for name in ("num_actor_steps", "num_learner_steps"):
        assert [row[name] for row in there] == [row[name] for row in here]
    for row in there:
        assert row["environment"] == ELSEWHERE
        assert len(row["episode_returns"]) == 3
    # A run's own score is that of its own environment.
    assert result.episode_returns == here[-1]["episode_returns"]


def test_where_a_policy_is_also_evaluated_does_not_change_the_run(
    tmp_path: pathlib.Path,
) -> None:
    one = experiments.run_experiment(make_config(tmp_path / "one"))
    other = experiments.run_experiment(make_config(tmp_path / "two", also_evaluate=[]))
    assert one.variables_sha256 == other.variables_sha256


def test_a_run_goes_on_with_the_next_episodes_of_every_place(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiments.run_experiment(make_config(tmp_path / "whole"))
    step = experiments.InlineExperiment.step

    def interrupted(self: experiments.InlineExperiment) -> Any:
        progress = step(self)
        if self.counters.num_actor_steps == 150:
            signal.raise_signal(signal.SIGINT)
        return progress

    monkeypatch.setattr(experiments.InlineExperiment, "step", interrupted)
    with pytest.raises(experiments.Interrupted):
        experiments.run_experiment(make_config(tmp_path / "run"))
    monkeypatch.setattr(experiments.InlineExperiment, "step", step)
    experiments.run_experiment(make_config(tmp_path / "run"))
    assert small_runs.rows(tmp_path / "run") == small_runs.rows(tmp_path / "whole")


def test_another_kind_of_environment_is_refused(tmp_path: pathlib.Path) -> None:
    config = make_config(tmp_path / "run", also_evaluate=["gym:Acrobot-v1"])
    with pytest.raises(
        ValueError, match=r"cannot be evaluated in gym:Acrobot-v1: its observations are"
    ):
        experiments.run_experiment(config)
    assert not (tmp_path / "run").exists()
