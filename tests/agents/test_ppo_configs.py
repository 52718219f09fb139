"""What PPO's configuration refuses, and its settings for each suite."""

from __future__ import annotations

import dataclasses
import inspect
import math
from typing import Any

import pytest

from tfagents_core.agents import ppo

POSITIVE = [
    "initial_std",
    "num_unrolls",
    "unroll_length",
    "num_epochs",
    "num_minibatches",
    "clip_epsilon",
    "value_clip_epsilon",
    "max_abs_observation",
    "learning_rate",
    "learning_rate_decay_updates",
    "adam_epsilon",
    "gradient_clip_norm",
    "max_abs_reward",
    "num_sgd_steps_per_step",
]
FRACTIONS = ["discount", "gae_lambda"]
NOT_NEGATIVE = ["value_coefficient", "entropy_coefficient"]
LIMITS = [
    "value_clip_epsilon",
    "learning_rate_decay_updates",
    "gradient_clip_norm",
    "max_abs_reward",
]


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf])
@pytest.mark.parametrize("name", POSITIVE)
def test_what_must_be_positive_is_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be positive and finite"):
        ppo.PPOConfig(**{name: value})


@pytest.mark.parametrize("value", [-0.01, 1.01, math.nan])
@pytest.mark.parametrize("name", FRACTIONS)
def test_what_must_be_within_0_and_1_is_refused_by_name(
    name: str, value: float
) -> None:
    with pytest.raises(ValueError, match=rf"^{name} must be in \[0, 1\], not {value}"):
        ppo.PPOConfig(**{name: value})


@pytest.mark.parametrize("value", [-0.01, math.nan, math.inf])
@pytest.mark.parametrize("name", NOT_NEGATIVE)
def test_what_must_not_be_negative_is_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(
        ValueError, match=f"^{name} must be finite and at least 0, not {value}"
    ):
        ppo.PPOConfig(**{name: value})


@pytest.mark.parametrize("value", [(), (128, 0), (-1,)])
def test_impossible_layers_are_refused_by_name(value: Any) -> None:
    with pytest.raises(ValueError, match="^layer_sizes must"):
        ppo.PPOConfig(layer_sizes=value)


def test_minibatches_must_share_the_steps_evenly() -> None:
    ppo.PPOConfig(num_unrolls=3, unroll_length=10, num_minibatches=6)
    with pytest.raises(ValueError, match=r"^num_minibatches \(4\) must divide .* = 30"):
        ppo.PPOConfig(num_unrolls=3, unroll_length=10, num_minibatches=4)


@pytest.mark.parametrize("name", FRACTIONS)
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_0_and_1_are_fractions(name: str, value: float) -> None:
    assert getattr(ppo.PPOConfig(**{name: value}), name) == value


@pytest.mark.parametrize("name", LIMITS)
def test_limits_may_be_left_out(name: str) -> None:
    assert getattr(ppo.PPOConfig(**{name: None}), name) is None


@pytest.mark.parametrize(
    ("environment_id", "expected"),
    [
        ("atari:Pong", ppo.PPOConfig.for_atari()),
        ("control:cartpole:balance", ppo.PPOConfig.for_control()),
        ("gym:CartPole-v1", ppo.PPOConfig()),
        ("python:atari_like:make", ppo.PPOConfig()),
    ],
)
def test_each_suite_has_its_settings(
    environment_id: str, expected: ppo.PPOConfig
) -> None:
    assert ppo.PPOBuilder.default_config(environment_id) == expected


def test_an_update_takes_the_papers_number_of_steps() -> None:
    atari, control = ppo.PPOConfig.for_atari(), ppo.PPOConfig.for_control()
    assert atari.num_unrolls * atari.unroll_length == 1_024
    assert control.num_unrolls * control.unroll_length == 2_048
    assert 1_024 / atari.num_minibatches == 256
    small = ppo.PPOConfig()
    assert small.num_unrolls * small.unroll_length / small.num_minibatches == 64
    assert 2_048 / control.num_minibatches == 64


@pytest.mark.parametrize("suite", ["atari", "control", "gym"])
def test_an_update_takes_one_unroll_of_each_environment(suite: str) -> None:
    config = ppo.PPOBuilder.default_config(f"{suite}:anything")
    assert config.num_unrolls == ppo.PPOBuilder.envs_per_actor


def test_a_changed_copy_is_checked_too() -> None:
    with pytest.raises(ValueError, match="num_epochs"):
        dataclasses.replace(ppo.PPOConfig.for_atari(), num_epochs=0)


def test_every_field_is_documented() -> None:
    documentation = inspect.getdoc(ppo.PPOConfig) or ""
    for field in dataclasses.fields(ppo.PPOConfig):
        if field.name not in ("num_sgd_steps_per_step", "jit_compile"):  # Inherited.
            assert f"\n    {field.name}: " in documentation
