"""A checkpoint that an earlier release wrote keeps loading."""

from __future__ import annotations

import json
import pathlib
import shutil
import sys
import types
from typing import Any

import numpy as np
import pytest

from tfagents_core import experiments, registry
from tfagents_core.experiments import run_directory

from . import golden_run, small_runs


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("golden_run_environment")
    vars(module)["make"] = golden_run.Walk
    monkeypatch.setitem(sys.modules, module.__name__, module)


@pytest.fixture(name="config")
def _config(tmp_path: pathlib.Path) -> experiments.ExperimentConfig:
    """Of a copy of the run, with what has been added to the agent since at defaults."""
    run_dir = tmp_path / "run"
    shutil.copytree(golden_run.PATH / "run-1", run_dir)
    described = run_directory.RunDirectory(run_dir).read_config()
    builder = registry.make_builder(
        described["agent"], described["environment"], described["agent_config"]
    )
    return golden_run.make_config(run_dir, builder)


def test_all_of_the_checkpoint_of_format_1_comes_back(
    config: experiments.ExperimentConfig,
) -> None:
    (checkpoint,) = (config.run_dir / "checkpoints").iterdir()
    came_back = golden_run.describe(config, checkpoint)
    expected = json.loads((golden_run.PATH / "run-1.json").read_text())
    assert expected["counters"]["num_learner_steps"] > 0
    for part in ("transitions", "variables"):
        assert came_back[part].keys() == expected[part].keys()
        for name, values in expected[part].items():
            np.testing.assert_allclose(came_back[part][name], values, 1e-6, 0, name)
    same: list[str] = [k for k in expected if k not in ("transitions", "variables")]
    assert {k: came_back[k] for k in same} == {k: expected[k] for k in same}


def test_the_run_of_format_1_goes_on_to_its_end(
    config: experiments.ExperimentConfig, recwarn: pytest.WarningsRecorder
) -> None:
    before: list[dict[str, Any]] = [
        row
        for row in small_runs.rows(config.run_dir)
        if row["num_actor_steps"] <= golden_run.SAVED_AT
    ]
    result = experiments.run_experiment(config)
    assert result.num_actor_steps == golden_run.NUM_STEPS
    rows = small_runs.rows(config.run_dir)
    assert rows[: len(before)] == before
    evaluations = [r["num_actor_steps"] for r in rows if r["kind"] == "eval"]
    assert evaluations == [20, 40, 60]
    assert not [w for w in recwarn if "not deterministic" in str(w.message)]
