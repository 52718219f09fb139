"""An agent as a run's `config.json` describes it."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import Any

import pytest

from tfagents_core import experiments, learning, registry
from tfagents_core.cli import settings
from tfagents_core.experiments import run_directory

from . import toys


@dataclasses.dataclass(frozen=True)
class ScheduleConfig:
    """Two levels down, with tuples."""

    values: tuple[float, ...] = (1.0, 0.1)
    name: str | None = None


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
    """One level down."""

    learning_rate: float = 1e-3
    schedule: ScheduleConfig = ScheduleConfig()


@dataclasses.dataclass(frozen=True)
class Config(learning.LearnerConfig):
    """Holds two of a kind, with other defaults."""

    sizes: tuple[int, ...] = (64,)
    policy: OptimizerConfig = OptimizerConfig()
    critic: OptimizerConfig = OptimizerConfig(learning_rate=1e-4)


class Builder(toys.Builder):
    """As much of an agent as has a configuration."""

    @classmethod
    def default_config(cls, environment_id: str) -> Any:
        """The same everywhere."""
        return Config()


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "find", lambda name: Builder)


def through_json(config: Any, run_dir: pathlib.Path) -> Any:
    """`config` as a run writes it and an evaluation reads it."""
    run = experiments.ExperimentConfig(
        agent="nested",
        environment="gym:A",
        builder=Builder(config),
        num_actor_steps=1,
        run_dir=run_dir,
    )
    directory = run_directory.RunDirectory(run_dir)
    with directory.open(run):
        described = directory.read_config()
    directory.check(run)  # It is the same run.
    return registry.make_builder("nested", "gym:A", described["agent_config"]).config


@pytest.mark.parametrize(
    "changes",
    [
        [],
        ["sizes=3,4", "policy.learning_rate=0.5"],
        ["critic.schedule.values=", "critic.schedule.name=x", "jit_compile=false"],
        ["policy.schedule.values=1,2,3"],
    ],
)
def test_a_nested_configuration_comes_back_from_json(
    changes: list[str], tmp_path: pathlib.Path
) -> None:
    config = settings.override(Config(), changes)
    came_back = through_json(config, tmp_path)
    assert came_back == config
    assert isinstance(came_back.critic.schedule.values, tuple)


def test_a_run_whose_nested_field_is_another_is_refused(tmp_path: pathlib.Path) -> None:
    through_json(Config(), tmp_path)
    with pytest.raises(experiments.DirectoryError, match=r"different in critic"):
        through_json(settings.override(Config(), ["critic.schedule.name=x"]), tmp_path)


def test_a_nested_field_that_is_younger_than_the_run_has_its_default() -> None:
    fields = json.loads(json.dumps(dataclasses.asdict(Config())))
    fields["critic"]["learning_rate"] = 0.25
    del fields["critic"]["schedule"], fields["policy"]
    config = registry.make_builder("nested", "gym:A", fields).config
    critic = dataclasses.replace(Config().critic, learning_rate=0.25)
    assert config == dataclasses.replace(Config(), critic=critic)


@pytest.mark.parametrize(
    ("fields", "name"),
    [({"sises": 1}, "sises"), ({"critic": {"schedule": {"b": 1, "a": 2}}}, "a")],
)
def test_a_field_that_the_agent_does_not_have_is_refused_by_name(
    fields: dict[str, Any], name: str
) -> None:
    with pytest.raises(
        ValueError, match=f"nested's configuration has no field '{name}'"
    ):
        registry.make_builder("nested", "gym:A", fields)
