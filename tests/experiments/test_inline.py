"""The inline launcher: what its learner may say, and what ends in a sentence."""

from __future__ import annotations

import os
import pathlib
import signal
from typing import Any

import pytest

from tfagents_core import core, experiments
from tfagents_core.experiments import roles

from .. import toys
from . import small_runs


def make_config(run_dir: pathlib.Path, **changes: Any) -> experiments.ExperimentConfig:
    defaults: dict[str, Any] = {
        "agent": toys.NAME,
        "environment": "test",
        "builder": toys.Builder(toys.Config()),
        "num_actor_steps": 60,
        "run_dir": run_dir,
        "eval_every": 0,
        "eval_episodes": 2,
        "environment_factory": toys.make_environment,
    }
    return experiments.ExperimentConfig(**{**defaults, **changes})


class Rash(core.BatchSource):
    """A source that says it is ready when it would have to wait."""

    def __init__(self, source: core.BatchSource) -> None:
        self._source = source

    def is_ready(self) -> bool:
        return True

    def next(self) -> Any:
        return self._source.next()

    def update_priorities(self, *arguments: Any) -> None:
        self._source.update_priorities(*arguments)


def test_a_learner_that_asks_for_less_than_it_draws_fails_and_does_not_hang(
    tmp_path: pathlib.Path,
) -> None:
    class RashBuilder(toys.Builder):
        """Its learner does not ask first."""

        def make_learner(
            self, rule: core.UpdateRule, source: core.BatchSource, *, seed: int
        ) -> core.Learner:
            """Of a rash source."""
            return super().make_learner(rule, Rash(source), seed=seed)

    with pytest.raises(
        experiments.RunError,
        match=r"said that it could step and then found no batch: .* as its step draws\.",
    ):
        experiments.run_experiment(
            make_config(tmp_path, builder=RashBuilder(toys.Config()))
        )


def test_a_learner_that_never_steps_fails_and_does_not_hang(
    tmp_path: pathlib.Path,
) -> None:
    class Idle(toys.Builder):
        """Its learner never steps."""

        def make_learner(self, *arguments: Any, **options: Any) -> core.Learner:
            """Of a source that is never ready."""
            learner = super().make_learner(*arguments, **options)
            learner.can_step = lambda: False  # type: ignore[method-assign]
            return learner

    with pytest.raises(experiments.RunError, match="Acting got ahead of learning"):
        experiments.run_experiment(make_config(tmp_path, builder=Idle(toys.Config())))


@pytest.mark.parametrize("num_sgd_steps", [1, 3])
def test_the_loop_learns_as_often_as_the_ratio_says(
    num_sgd_steps: int, tmp_path: pathlib.Path
) -> None:
    config = toys.Config(num_sgd_steps_per_step=num_sgd_steps)
    experiment = experiments.InlineExperiment(
        make_config(tmp_path, builder=toys.Builder(config), num_actor_steps=300)
    )
    while experiment.counters.num_actor_steps < 300:
        experiment.step()
    metrics = experiment.replay_metrics()
    num_learner_steps = experiment.counters.num_learner_steps
    assert num_learner_steps % num_sgd_steps == 0
    assert metrics["replay_samples"] == 8 * num_learner_steps
    ratio = metrics["replay_samples"] / metrics["replay_inserts"]
    assert 0.8 * 4 < ratio <= 4
    (counted,) = experiment.learner.get_variables(["num_learner_steps"])[0]
    assert counted == num_learner_steps


def test_a_second_checkpoint_at_the_same_step_is_the_one_that_is_resumed_from(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tick of nothing but resets is no step, but a new state."""
    whole = experiments.run_experiment(make_config(tmp_path / "whole"))
    step = experiments.InlineExperiment.step

    def interrupted_step(self: experiments.InlineExperiment) -> Any:
        before = self.counters.num_actor_steps
        outcome = step(self)
        if before == self.counters.num_actor_steps > 30:
            os.kill(os.getpid(), signal.SIGTERM)
        return outcome

    monkeypatch.setattr(experiments.InlineExperiment, "step", interrupted_step)
    run_dir = tmp_path / "run"
    config = make_config(run_dir, checkpoint_every=1)
    with pytest.raises(experiments.Interrupted) as caught:
        experiments.run_experiment(config)
    assert caught.value.signal == signal.SIGTERM
    first, second = small_runs.checkpoint_names(run_dir)
    assert second == f"{first}-000001"

    monkeypatch.undo()
    restore, restored = experiments.InlineExperiment.restore, []

    def noting_restore(
        self: experiments.InlineExperiment, path: pathlib.Path
    ) -> list[int]:
        restored.append(path.name)
        return restore(self, path)

    monkeypatch.setattr(experiments.InlineExperiment, "restore", noting_restore)
    resumed = experiments.run_experiment(config)
    assert restored == [second]
    assert resumed.variables_sha256 == whole.variables_sha256
    assert resumed.episode_returns == whole.episode_returns
    assert small_runs.rows(run_dir) == small_runs.rows(tmp_path / "whole")


def test_the_newest_of_three_checkpoints_at_one_step_is_found(
    tmp_path: pathlib.Path,
) -> None:
    experiment = experiments.InlineExperiment(make_config(tmp_path / "unused"))
    directory = experiments.run.run_directory.RunDirectory(tmp_path / "run")
    with directory.open(make_config(tmp_path / "run")):
        for step in (9, 10, 10, 10):
            save = experiment.begin_save()
            directory.save(step, lambda path, save=save: save(path, list), keep=3)
    names = [f"step-000000000010{again}" for again in ("", "-000001", "-000002")]
    assert small_runs.checkpoint_names(tmp_path / "run") == names
    latest = directory.latest_checkpoint()
    assert latest is not None
    assert latest.name == names[-1]
    assert experiments.run.run_directory.num_actor_steps(latest) == 10


def test_the_roles_of_an_experiment_share_one_replay(tmp_path: pathlib.Path) -> None:
    config = make_config(tmp_path, envs_per_actor=3)
    batch = roles.make_environments(config)
    agent = roles.make_agent(config, batch)
    buffer = roles.make_replay(agent, num_streams=3, rows_per_append=3)
    actor = roles.make_actor(agent, buffer)
    learner = roles.make_learner(agent, roles.make_source(agent, buffer, timeout_s=0))
    loop = roles.make_loop(agent, batch, actor)
    while not learner.can_step():
        loop.step()
    learner.step()
    assert buffer.tables["transitions"].stats().num_sampled == 8
