"""What SAC's configuration refuses, and its defaults."""

from __future__ import annotations

import inspect
import math
from typing import Any

import pytest

from tfagents_core.agents import sac

POSITIVE = [
    "batch_size",
    "samples_per_insert",
    "min_replay_size",
    "max_replay_size",
    "n_step",
    "learning_rate",
    "initial_temperature",
    "tau",
    "num_sgd_steps_per_step",
]
NOT_NEGATIVE = ["temperature_learning_rate", "num_random_steps"]


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf])
@pytest.mark.parametrize("name", POSITIVE)
def test_what_must_be_positive_is_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be positive and finite"):
        sac.SACConfig(**{name: value})


@pytest.mark.parametrize("value", [-1, math.nan, math.inf])
@pytest.mark.parametrize("name", NOT_NEGATIVE)
def test_what_must_not_be_negative_is_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be finite and at least 0"):
        sac.SACConfig(**{name: value})


@pytest.mark.parametrize("name", ["policy_layer_sizes", "critic_layer_sizes"])
@pytest.mark.parametrize("value", [(), (256, 0), (-1,)])
def test_impossible_layers_are_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{name} must"):
        sac.SACConfig(**{name: value})


def test_a_step_of_the_targets_beyond_the_critics_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^tau must be in \[0, 1\], not 1.1"):
        sac.SACConfig(tau=1.1)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_an_impossible_target_entropy_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="^target_entropy must be finite or None"):
        sac.SACConfig(target_entropy=value)


@pytest.mark.parametrize(
    "overrides",
    [
        {"tau": 1.0},
        {"temperature_learning_rate": 0.0},
        {"num_random_steps": 0},
        {"target_entropy": -3.0},
        {"target_entropy": 1.5},
    ],
)
def test_possible_values_are_taken_as_they_are(overrides: dict[str, Any]) -> None:
    config = sac.SACConfig(**overrides)
    assert {name: getattr(config, name) for name in overrides} == overrides


def test_the_defaults_are_the_papers_and_learn_once_for_each_step() -> None:
    config = sac.SACBuilder.default_config("gym:Pendulum-v1")
    assert config == sac.SACConfig()
    assert config.samples_per_insert == config.batch_size == 256
    assert (config.discount, config.tau, config.n_step) == (0.99, 0.005, 1)


@pytest.mark.parametrize("name", list(sac.SACConfig.__annotations__))
def test_every_field_of_its_own_is_documented(name: str) -> None:
    assert f"\n    {name}: " in (inspect.getdoc(sac.SACConfig) or "")
