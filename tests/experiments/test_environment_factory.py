"""Runs in environments that are made in code."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import dm_env
import numpy as np
import pytest

from tfagents_core import environments, experiments, specs
from tfagents_core.agents import dqn

from .. import toys
from . import small_runs


class Made:
    """An environment factory that keeps what it was asked for."""

    def __init__(self, make: Any) -> None:
        self._make = make
        self.asked: list[tuple[int, bool]] = []

    def __call__(self, *, seed: int, evaluation: bool = False) -> Any:
        self.asked.append((seed, evaluation))
        return self._make()


def make_config(
    run_dir: pathlib.Path, factory: Any, **changes: Any
) -> experiments.ExperimentConfig:
    defaults: dict[str, Any] = {
        "agent": toys.NAME,
        "environment": "my own",
        "builder": toys.Builder(toys.Config()),
        "num_actor_steps": 60,
        "run_dir": run_dir,
        "envs_per_actor": 2,
        "eval_every": 0,
        "eval_episodes": 3,
        "environment_factory": factory,
    }
    return experiments.ExperimentConfig(**{**defaults, **changes})


def test_a_dm_env_environment_is_made_from_the_runs_seeds(
    tmp_path: pathlib.Path,
) -> None:
    factories = [Made(toys.Recall) for _ in range(3)]
    results = [
        experiments.run_experiment(
            make_config(tmp_path / str(index), factory, seed=index // 2)
        )
        for index, factory in enumerate(factories)
    ]
    first, same, other = (factory.asked for factory in factories)
    assert [evaluation for _, evaluation in first] == [False] * 2 + [True] * 3
    assert len(set(first)) == 5
    assert first == same
    assert not {seed for seed, _ in first} & {seed for seed, _ in other}
    digests = [result.variables_sha256 for result in results]
    assert digests[0] == digests[1] != digests[2]


def test_the_runs_description_has_the_environments_name(tmp_path: pathlib.Path) -> None:
    config = make_config(tmp_path, toys.make_environment)
    experiments.run_experiment(config)
    described = json.loads((tmp_path / "config.json").read_text())
    assert described["environment"] == "my own"
    assert "environment_factory" not in described
    (snapshot,) = (tmp_path / "snapshots").iterdir()
    description = json.loads((snapshot / "snapshot.json").read_text())
    assert description["environment"] == "my own"
    assert description["action"] == {"shape": [], "dtype": "int32", "num_values": 2}


def test_a_run_with_a_factory_resumes_exactly(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """Stands in for a death between two instructions."""

    whole = experiments.run_experiment(
        make_config(tmp_path / "whole", toys.make_environment)
    )
    step = experiments.InlineExperiment.step

    def dying_step(self: experiments.InlineExperiment) -> Any:
        if self.counters.num_actor_steps > 45:
            raise Killed
        return step(self)

    config = make_config(tmp_path / "run", toys.make_environment, checkpoint_every=20)
    monkeypatch.setattr(experiments.InlineExperiment, "step", dying_step)
    with pytest.raises(Killed):
        experiments.run_experiment(config)
    monkeypatch.undo()
    resumed = experiments.run_experiment(config)
    assert resumed.variables_sha256 == whole.variables_sha256
    assert small_runs.rows(tmp_path / "run") == small_runs.rows(tmp_path / "whole")


def test_a_gymnasium_environment_is_trained_in_as_by_its_id(
    tmp_path: pathlib.Path,
) -> None:
    gymnasium = pytest.importorskip("gymnasium")
    agent = dqn.DQNConfig(layer_sizes=(8,), min_replay_size=40, max_replay_size=200)
    options: dict[str, Any] = {
        "agent": "dqn",
        "builder": dqn.DQNBuilder(agent),
        "num_actor_steps": 120,
        "environment": "gym:CartPole-v1",
    }
    factory = Made(lambda: gymnasium.make("CartPole-v1"))
    own = experiments.run_experiment(make_config(tmp_path / "own", factory, **options))
    by_id = experiments.run_experiment(make_config(tmp_path / "id", None, **options))
    assert factory.asked
    assert own.variables_sha256 == by_id.variables_sha256
    assert own.episode_returns == by_id.episode_returns
    assert small_runs.rows(tmp_path / "own") == small_runs.rows(tmp_path / "id")


class Wide(toys.Recall):
    """Has actions, observations and rewards that no agent takes as they are."""

    def observation_spec(self) -> specs.Array:
        return specs.Array((2,), np.float64)

    def action_spec(self) -> specs.BoundedArray:
        return specs.BoundedArray((1,), np.float64, 0, 10)

    def reset(self) -> dm_env.TimeStep:
        timestep = super().reset()
        return timestep._replace(observation=timestep.observation.astype(np.float64))

    def step(self, action: Any) -> dm_env.TimeStep:
        assert action.dtype == np.float64
        self.taken = float(action[0])
        timestep = super().step(0)
        return timestep._replace(observation=timestep.observation.astype(np.float64))


def test_what_a_factory_makes_is_brought_into_canonical_form(
    tmp_path: pathlib.Path,
) -> None:
    wide = Wide()
    config = make_config(tmp_path, lambda *, seed, evaluation: wide)
    environment = config.make_environment(seed=3)
    spec = specs.make_environment_spec(environment)
    assert (spec.actions.minimum, spec.actions.maximum) == (-1, 1)
    assert spec.observations.dtype == spec.actions.dtype == np.float32
    assert environment.reset().observation.dtype == np.float32
    timestep = environment.step(np.array([0.5], np.float32))
    assert wide.taken == 7.5  # Three quarters of the way from 0 to 10.
    assert timestep.reward.dtype == np.float32
    assert environment.episode_number == 1


def test_what_is_no_environment_is_refused_before_anything_is_written(
    tmp_path: pathlib.Path,
) -> None:
    config = make_config(tmp_path / "run", lambda *, seed, evaluation: "no environment")
    with pytest.raises(
        environments.EnvironmentIdError, match="'str', which is neither"
    ):
        experiments.run_experiment(config)
    assert not (tmp_path / "run").exists()
