"""What DQN's configuration refuses, and its settings for each suite."""

from __future__ import annotations

import dataclasses
import inspect
import math
from typing import Any

import pytest

from tfagents_core.agents import dqn

POSITIVE = [
    "batch_size",
    "samples_per_insert",
    "min_replay_size",
    "max_replay_size",
    "n_step",
    "learning_rate",
    "adam_epsilon",
    "huber_delta",
    "target_update_period",
    "gradient_clip_norm",
    "max_abs_reward",
    "num_sgd_steps_per_step",
]
PROBABILITIES = ["discount", "epsilon_initial", "epsilon_final", "evaluation_epsilon"]
NOT_NEGATIVE = [
    "epsilon_decay_steps",
    "priority_exponent",
    "priority_epsilon",
    "importance_exponent_initial",
    "importance_exponent_final",
    "importance_annealing_steps",
]


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf])
@pytest.mark.parametrize("name", POSITIVE)
def test_what_must_be_positive_is_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be positive and finite"):
        dqn.DQNConfig(**{name: value})


@pytest.mark.parametrize("value", [-0.01, 1.01, math.nan])
@pytest.mark.parametrize("name", PROBABILITIES)
def test_what_must_be_within_0_and_1_is_refused_by_name(
    name: str, value: float
) -> None:
    with pytest.raises(ValueError, match=rf"^{name} must be in \[0, 1\], not {value}"):
        dqn.DQNConfig(**{name: value})


@pytest.mark.parametrize("value", [-0.01, math.nan, math.inf])
@pytest.mark.parametrize("name", NOT_NEGATIVE)
def test_what_must_not_be_negative_is_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(
        ValueError, match=f"^{name} must be finite and at least 0, not {value}"
    ):
        dqn.DQNConfig(**{name: value})


@pytest.mark.parametrize("value", [(), (128, 0), (-1,)])
def test_impossible_layers_are_refused_by_name(value: Any) -> None:
    with pytest.raises(ValueError, match="^layer_sizes must"):
        dqn.DQNConfig(layer_sizes=value)


@pytest.mark.parametrize("name", ["batch_size", "min_replay_size"])
def test_what_the_replay_can_never_hold_is_refused_by_name(name: str) -> None:
    with pytest.raises(ValueError, match=rf"^{name} \(100,001\) must not be more"):
        dqn.DQNConfig(**{name: 100_001})


@pytest.mark.parametrize("name", PROBABILITIES)
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_0_and_1_are_probabilities(name: str, value: float) -> None:
    assert getattr(dqn.DQNConfig(**{name: value}), name) == value


@pytest.mark.parametrize("name", NOT_NEGATIVE)
def test_what_must_not_be_negative_may_be_0(name: str) -> None:
    assert getattr(dqn.DQNConfig(**{name: 0}), name) == 0


@pytest.mark.parametrize("name", ["gradient_clip_norm", "max_abs_reward"])
def test_limits_may_be_left_out(name: str) -> None:
    assert getattr(dqn.DQNConfig(**{name: None}), name) is None


@pytest.mark.parametrize(
    ("environment_id", "expected"),
    [
        ("atari:Pong", dqn.DQNConfig.for_atari()),
        ("bsuite:catch/0", dqn.DQNConfig.for_bsuite()),
        ("gym:CartPole-v1", dqn.DQNConfig()),
        ("python:atari_like:make", dqn.DQNConfig()),
    ],
)
def test_each_suite_has_its_settings(
    environment_id: str, expected: dqn.DQNConfig
) -> None:
    assert dqn.DQNBuilder.default_config(environment_id) == expected


def test_atari_learns_once_every_four_steps() -> None:
    config = dqn.DQNConfig.for_atari()
    assert config.batch_size / config.samples_per_insert == 4


def test_a_changed_copy_is_checked_too() -> None:
    with pytest.raises(ValueError, match="n_step"):
        dataclasses.replace(dqn.DQNConfig.for_atari(), n_step=0)


def test_a_configuration_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        dqn.DQNConfig().dueling = False  # type: ignore[misc]


def test_every_field_is_documented() -> None:
    documentation = "".join(inspect.getdoc(c) or "" for c in dqn.DQNConfig.__mro__)
    for field in dataclasses.fields(dqn.DQNConfig):
        assert f"\n    {field.name}: " in documentation
