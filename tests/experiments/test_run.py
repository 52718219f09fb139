"""A run as a user gets it, on Gymnasium's CartPole."""

import dataclasses
import json
import pathlib
import re
from typing import Any

import dm_env
import numpy as np
import pytest

from tfagents_core import checkpointing, core, experiments, replay, specs
from tfagents_core.agents import d4pg, dqn

pytest.importorskip("gymnasium")

CONFIG = dqn.DQNConfig(
    layer_sizes=(16,), min_replay_size=50, batch_size=16, samples_per_insert=8
)


def make_config(run_dir: pathlib.Path, **changes: Any) -> experiments.ExperimentConfig:
    defaults: dict[str, Any] = {
        "agent": "dqn",
        "environment": "gym:CartPole-v1",
        "builder": dqn.DQNBuilder(CONFIG),
        "num_actor_steps": 300,
        "run_dir": run_dir,
        "eval_every": 150,
        "eval_episodes": 3,
        "learner_log_every": 20,
    }
    return experiments.ExperimentConfig(**{**defaults, **changes})


def read_metrics(run_dir: pathlib.Path) -> list[dict[str, Any]]:
    lines = (run_dir / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def without_times(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if not name.endswith("_s")}


def test_a_run_leaves_the_files_it_promises(tmp_path: pathlib.Path) -> None:
    run_dir = tmp_path / "run"
    result = experiments.run_experiment(make_config(run_dir))

    config = json.loads((run_dir / "config.json").read_text())
    assert config["agent_config"] == json.loads(json.dumps(dataclasses.asdict(CONFIG)))
    assert config["seed"] == 0
    assert "tensorflow" in config["versions"]

    rows = read_metrics(run_dir)
    assert {row["kind"] for row in rows} == {"train", "eval", "learner"}
    for row in rows:
        assert {"num_actor_steps", "num_learner_steps", "walltime_s"} <= set(row)
    evaluations = [row for row in rows if row["kind"] == "eval"]
    assert [row["num_actor_steps"] for row in evaluations] == [150, 300]
    assert all(len(row["episode_returns"]) == 3 for row in evaluations)

    written = json.loads((run_dir / "result.json").read_text())
    assert written == dataclasses.asdict(result)
    assert written["num_actor_steps"] == 300
    assert written["episode_return"] == np.mean(written["episode_returns"])
    assert list((run_dir / "events").iterdir())
    assert list((run_dir / "checkpoints").iterdir())


def test_the_learners_rows_tell_the_state_of_the_replay(
    tmp_path: pathlib.Path,
) -> None:
    run_dir = tmp_path / "run"
    result = experiments.run_experiment(make_config(run_dir))
    rows = [row for row in read_metrics(run_dir) if row["kind"] == "learner"]
    assert len(rows) > 1
    for row in rows:
        assert row["replay_samples"] == 16 * row["num_learner_steps"]
        assert row["replay_target_samples_per_insert"] == 8
        assert row["replay_size"] == min(row["replay_inserts"], CONFIG.max_replay_size)
        assert 0 <= row["sample_age_inserts"] < row["replay_inserts"]
    # An item an environment step, and up to n - 1 more an episode.
    extra = rows[-1]["replay_inserts"] - rows[-1]["num_actor_steps"]
    assert -2 <= extra <= 2 * result.num_episodes


@pytest.mark.parametrize("envs_per_actor", [1, 3])
def test_the_same_seed_gives_the_same_run(
    tmp_path: pathlib.Path, envs_per_actor: int
) -> None:
    results = [
        experiments.run_experiment(
            make_config(tmp_path / name, envs_per_actor=envs_per_actor)
        )
        for name in ("one", "two")
    ]
    assert results[0].variables_sha256 == results[1].variables_sha256
    one, two = (read_metrics(tmp_path / name) for name in ("one", "two"))
    assert [without_times(row) for row in one] == [without_times(row) for row in two]


def test_another_seed_gives_another_run(tmp_path: pathlib.Path) -> None:
    results = [
        experiments.run_experiment(make_config(tmp_path / str(seed), seed=seed))
        for seed in (0, 1)
    ]
    assert results[0].variables_sha256 != results[1].variables_sha256


def test_learner_steps_follow_the_samples_per_insert(tmp_path: pathlib.Path) -> None:
    result = experiments.run_experiment(make_config(tmp_path / "run"))
    # An item an environment step and up to n - 1 more an episode; 8 samples an item
    # are half a batch of 16.
    items = result.num_actor_steps + 2 * result.num_episodes
    assert result.num_learner_steps <= items / 2
    assert result.num_learner_steps >= (result.num_actor_steps - 50) / 2


def test_evaluation_plays_the_saved_policy(tmp_path: pathlib.Path) -> None:
    run_dir = tmp_path / "run"
    result = experiments.run_experiment(make_config(run_dir, eval_every=0))
    same = experiments.evaluate(run_dir, num_episodes=3)
    assert same.episode_returns == result.episode_returns
    other = experiments.evaluate(run_dir, num_episodes=4, seed=7)
    assert len(other.episode_returns) == 4


def test_a_finished_run_is_left_as_it_is(tmp_path: pathlib.Path) -> None:
    run_dir = tmp_path / "run"
    result = experiments.run_experiment(make_config(run_dir))
    before = {p: p.stat().st_mtime_ns for p in run_dir.rglob("*")}
    assert experiments.run_experiment(make_config(run_dir)) == result
    assert before == {p: p.stat().st_mtime_ns for p in run_dir.rglob("*")}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 3}, "its seed is 0, not 3"),
        ({"environment": "gym:Acrobot-v1"}, "its environment is gym:CartPole-v1"),
        (
            {"builder": dqn.DQNBuilder(dataclasses.replace(CONFIG, n_step=2))},
            r"different in n_step \(3, not 2\)",
        ),
    ],
)
def test_a_directory_that_holds_another_run_is_refused_and_left_alone(
    tmp_path: pathlib.Path, changes: dict[str, Any], message: str
) -> None:
    run_dir = tmp_path / "run"
    experiments.run_experiment(make_config(run_dir))
    before = {p: p.stat().st_mtime_ns for p in run_dir.rglob("*")}
    with pytest.raises(experiments.RunError, match=message):
        experiments.run_experiment(make_config(run_dir, **changes))
    assert before == {p: p.stat().st_mtime_ns for p in run_dir.rglob("*")}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"environment": "gym:CartPol-v1"}, "CartPole-v1"),
        (
            {"builder": d4pg.D4PGBuilder(d4pg.D4PGConfig())},
            "d4pg needs one vector of continuous actions",
        ),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_written(
    tmp_path: pathlib.Path, changes: dict[str, Any], message: str
) -> None:
    run_dir = tmp_path / "run"
    with pytest.raises(ValueError, match=message):
        experiments.run_experiment(make_config(run_dir, **changes))
    assert not run_dir.exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"num_actor_steps": 0},
        {"envs_per_actor": -1},
        {"eval_episodes": 0},
        {"eval_every": -5},
        {"snapshot_every": -5},
        {"seed": -1},
        {"launcher": "inlin"},
        {"num_actors": 2},
    ],
)
def test_impossible_values_are_refused_by_name(
    tmp_path: pathlib.Path, changes: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=next(iter(changes))):
        make_config(tmp_path, **changes)


def test_a_loss_that_is_no_number_stops_the_run_with_its_name(
    tmp_path: pathlib.Path,
) -> None:
    builder = dqn.DQNBuilder(
        dataclasses.replace(CONFIG, learning_rate=1e30, gradient_clip_norm=None)
    )
    with pytest.raises(experiments.RunError, match="broke down"):
        experiments.run_experiment(make_config(tmp_path / "run", builder=builder))


def test_the_digest_is_that_of_the_saved_variables(tmp_path: pathlib.Path) -> None:
    run_dir = tmp_path / "run"
    result = experiments.run_experiment(make_config(run_dir))
    (checkpoint,) = (run_dir / "checkpoints").iterdir()

    class Saved:
        def __init__(self, value: np.ndarray) -> None:
            self.numpy = lambda: value

    with np.load(checkpoint / "state.npz") as values:
        state = {
            name.removeprefix("learner/"): Saved(values[name])
            for name in values.files
            if name.startswith("learner/")
        }
    assert checkpointing.digest(state) == result.variables_sha256


class TwoTables(dqn.DQNBuilder):
    """DQN with a table that nobody samples beside its own."""

    def plan_replay(self, spec: Any, extras_spec: Any) -> core.ReplayPlan:
        plan = super().plan_replay(spec, extras_spec)
        (table,) = plan.tables
        other = dataclasses.replace(table, name="other", rate_limiter=replay.MinSize(1))
        return dataclasses.replace(plan, tables=[table, other])


def test_several_tables_are_told_apart_by_name(tmp_path: pathlib.Path) -> None:
    config = make_config(tmp_path / "run", builder=TwoTables(CONFIG))
    experiment = experiments.InlineExperiment(config)
    assert experiment.replay_metrics() == {
        "replay_size/transitions": 0,
        "replay_inserts/transitions": 0,
        "replay_samples/transitions": 0,
        "replay_target_samples_per_insert/transitions": 8,
        "replay_size/other": 0,
        "replay_inserts/other": 0,
        "replay_samples/other": 0,
    }
    assert experiment.replay_status() == (
        "transitions: 0 items; 0.0 samples per insert (target 8); "
        "other: 0 items; 0.0 samples per insert"
    )


def test_the_status_of_the_replay_is_for_people(tmp_path: pathlib.Path) -> None:
    builder = dqn.DQNBuilder(dataclasses.replace(CONFIG, max_replay_size=1_234))
    experiment = experiments.InlineExperiment(
        make_config(tmp_path, builder=builder, num_actor_steps=2_000)
    )
    while experiment.counters.num_actor_steps < 2_000:
        experiment.step()
    assert re.fullmatch(
        r"1,234 items; (7\.[89]|8\.0) samples per insert \(target 8\)",
        experiment.replay_status(),
    )


class CountRewards(core.Observer):
    """An observer, to see that its metrics arrive."""

    def __init__(self, spec: specs.EnvironmentSpec) -> None:
        assert spec.is_discrete

    def observe_first(self, timestep: dm_env.TimeStep) -> None:
        self._count = np.zeros(len(timestep.step_type))

    def observe(self, action: np.ndarray, next_timestep: dm_env.TimeStep) -> None:
        first = next_timestep.step_type == dm_env.StepType.FIRST
        self._count = np.where(first, 0, self._count + next_timestep.reward)

    def metrics(self, environment: int) -> dict[str, float]:
        return {"rewards": float(self._count[environment])}


def test_what_observers_see_joins_the_rows_of_episodes(tmp_path: pathlib.Path) -> None:
    run_dir = tmp_path / "run"
    config = make_config(run_dir, observers=(CountRewards,), envs_per_actor=2)
    experiments.run_experiment(config)
    rows = [row for row in read_metrics(run_dir) if row["kind"] == "train"]
    assert rows
    assert all(row["rewards"] == row["episode_return"] for row in rows)
