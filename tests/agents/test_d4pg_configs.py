"""What D4PG's configuration refuses."""

from __future__ import annotations

import dataclasses
import inspect
import math
from typing import Any

import pytest

from tfagents_core.agents import d4pg

POSITIVE = [
    "batch_size",
    "samples_per_insert",
    "min_replay_size",
    "max_replay_size",
    "n_step",
    "policy_learning_rate",
    "critic_learning_rate",
    "target_update_period",
    "gradient_clip_norm",
    "dqda_clip_norm",
    "num_sgd_steps_per_step",
]


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf])
@pytest.mark.parametrize("name", POSITIVE)
def test_what_must_be_positive_is_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be positive and finite"):
        d4pg.D4PGConfig(**{name: value})


@pytest.mark.parametrize("name", ["policy_layer_sizes", "critic_layer_sizes"])
@pytest.mark.parametrize("value", [(), (256, 0), (-1,)])
def test_impossible_layers_are_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{name} must"):
        d4pg.D4PGConfig(**{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("discount", -0.01),
        ("discount", 1.01),
        ("discount", math.nan),
        ("sigma", -0.01),
        ("sigma", math.nan),
        ("sigma", math.inf),
        ("num_atoms", 1),
        ("num_atoms", 0),
    ],
)
def test_a_value_out_of_bounds_is_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be .* not {value}"):
        d4pg.D4PGConfig(**{name: value})


@pytest.mark.parametrize(
    ("vmin", "vmax"),
    [
        (150.0, 150.0),
        (151.0, 150.0),
        (math.nan, 150.0),
        (-150.0, math.nan),
        (-math.inf, 150.0),
        (-150.0, math.inf),
    ],
)
def test_an_impossible_range_of_returns_is_refused_by_name(
    vmin: float, vmax: float
) -> None:
    with pytest.raises(ValueError, match="^vmin must be less than vmax") as error:
        d4pg.D4PGConfig(vmin=vmin, vmax=vmax)
    assert f"{vmin}" in str(error.value)
    assert f"{vmax}" in str(error.value)


@pytest.mark.parametrize("name", ["batch_size", "min_replay_size"])
def test_what_the_replay_can_never_hold_is_refused_by_name(name: str) -> None:
    with pytest.raises(ValueError, match=rf"^{name} \(1,000,001\) must not be more"):
        d4pg.D4PGConfig(**{name: 1_000_001})


@pytest.mark.parametrize(
    "overrides",
    [
        {},
        {"discount": 0.0},
        {"discount": 1.0},
        {"sigma": 0.0},
        {"dqda_clip_norm": None},
        {"num_atoms": 2, "vmin": 0.0, "vmax": 1e-3},
        {"batch_size": 8, "min_replay_size": 8, "max_replay_size": 8},
        {"samples_per_insert": 0.01},
    ],
)
def test_possible_values_are_taken_as_they_are(overrides: dict[str, Any]) -> None:
    config = d4pg.D4PGConfig(**overrides)
    assert {name: getattr(config, name) for name in overrides} == overrides


def test_a_changed_copy_is_checked_too() -> None:
    with pytest.raises(ValueError, match="n_step"):
        dataclasses.replace(d4pg.D4PGConfig(), n_step=0)


def test_a_configuration_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        d4pg.D4PGConfig().sigma = 0.0  # type: ignore[misc]


def test_every_field_is_documented() -> None:
    documentation = "".join(inspect.getdoc(c) or "" for c in d4pg.D4PGConfig.__mro__)
    for field in dataclasses.fields(d4pg.D4PGConfig):
        assert f"\n    {field.name}: " in documentation
