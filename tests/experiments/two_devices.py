"""Runs whose learner has two devices.

`tests/learning/test_replicas.py` runs these tests in the process of its others, where
there are two logical CPU devices.
"""

from __future__ import annotations

import pathlib
import shutil
import signal
from typing import Any

import numpy as np
import pytest

from tfagents_core import core, experiments
from tfagents_core.agents import dqn
from tfagents_core.checkpointing import snapshots

from . import small_runs

DEVICES = "CPU:0,CPU:1"


def run(run_dir: pathlib.Path, **changes: Any) -> experiments.Result:
    defaults = {"num_actor_steps": 120, "learner_devices": DEVICES}
    return experiments.run_experiment(
        small_runs.make_config(run_dir, **{**defaults, **changes})
    )


class Interrupting(core.Observer):
    """Has the run stop after so many ticks."""

    def __init__(self, num_ticks: int) -> None:
        self._left = num_ticks

    def observe_first(self, timestep: Any) -> None:
        pass

    def observe(self, action: Any, next_timestep: Any) -> None:
        self._left -= 1
        if self._left == 0:
            signal.raise_signal(signal.SIGTERM)

    def metrics(self, environment: int) -> dict[str, float]:
        return {}


def stop(run_dir: pathlib.Path, num_ticks: int) -> None:
    with pytest.raises(experiments.Interrupted):
        run(run_dir, observers=[lambda spec: Interrupting(num_ticks)])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A finished run on two devices."""
    run_dir = tmp_path_factory.mktemp("runs") / "whole"
    run(run_dir)
    return run_dir


def read_digest(run_dir: pathlib.Path) -> str:
    return run(run_dir).variables_sha256  # A finished run is not run again.


def test_a_run_that_was_stopped_resumes_exactly_on_two_devices(
    whole: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    stop(tmp_path / "run", 90)
    assert run(tmp_path / "run").variables_sha256 == read_digest(whole)


def test_a_run_that_was_stopped_on_two_devices_goes_on_with_one(
    whole: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    stop(tmp_path / "run", 90)
    result = run(tmp_path / "run", learner_devices=None)
    assert result.num_actor_steps == 120
    assert result.num_learner_steps == run(whole).num_learner_steps > 0


def test_the_variables_of_two_devices_are_restored_on_one(
    whole: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    shutil.copytree(whole, tmp_path / "run")
    (tmp_path / "run" / "result.json").unlink()
    result = run(tmp_path / "run", learner_devices=None)
    assert result.variables_sha256 == read_digest(whole)


def test_a_snapshot_has_the_variables_of_two_devices(whole: pathlib.Path) -> None:
    (snapshot,) = (whole / "snapshots").iterdir()
    used = [v.numpy() for v in snapshots.load(snapshot).model.variables_used]
    checkpoint = max((whole / "checkpoints").iterdir())
    with np.load(checkpoint / "state.npz") as state:
        policy = [v for k, v in state.items() if k.startswith("learner/policy/")]
    assert len(policy) > 2
    for saved in policy:
        assert any(np.array_equal(saved, value) for value in used)


def test_a_plan_that_two_devices_cannot_share_is_refused_before_a_run_begins(
    tmp_path: pathlib.Path,
) -> None:
    builder = dqn.DQNBuilder(dqn.DQNConfig(batch_size=5))
    with pytest.raises(ValueError, match="has 5 items, which 2 devices cannot share"):
        run(tmp_path / "run", builder=builder)
    assert not (tmp_path / "run").exists()
