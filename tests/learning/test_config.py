"""What configurations refuse, and how they say it."""

from __future__ import annotations

import math
import types
from typing import Any

import pytest

from tfagents_core import learning


@pytest.mark.parametrize("value", [1, 1e-9, None, (1,), (3, 2.5)])
def test_positive_values_and_none_pass(value: Any) -> None:
    learning.check_positive(types.SimpleNamespace(rate=value), "rate")


@pytest.mark.parametrize("value", [0, -1, math.inf, math.nan, (1, 0), (math.nan,)])
def test_a_value_that_is_not_positive_and_finite_is_refused_by_name(value: Any) -> None:
    config = types.SimpleNamespace(good=1, rate=value)
    with pytest.raises(
        ValueError, match="^rate must be positive and finite, not "
    ) as e:
        learning.check_positive(config, "good", "rate")
    assert str(value) in str(e.value)


def test_an_empty_tuple_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="^sizes must not be empty"):
        learning.check_positive(types.SimpleNamespace(sizes=()), "sizes")


@pytest.mark.parametrize("value", [0, 0.5, 1])
def test_values_within_bounds_pass(value: float) -> None:
    learning.check_within(types.SimpleNamespace(discount=value), 0, 1, "discount")


@pytest.mark.parametrize("value", [-1e-9, 1.0001, math.nan, math.inf])
def test_a_value_out_of_bounds_is_refused_by_name(value: float) -> None:
    config = types.SimpleNamespace(discount=value)
    with pytest.raises(ValueError, match=r"^discount must be in \[0, 1\], not "):
        learning.check_within(config, 0, 1, "discount")


def test_without_an_upper_bound_the_message_names_the_lower_one() -> None:
    config = types.SimpleNamespace(sigma=-0.5)
    with pytest.raises(
        ValueError, match=r"^sigma must be finite and at least 0, not -0\.5"
    ):
        learning.check_within(config, 0, math.inf, "sigma")


SIZES: dict[str, Any] = {
    "batch_size": 32,
    "samples_per_insert": 0.5,
    "min_replay_size": 100,
    "max_replay_size": 1000,
}


@pytest.mark.parametrize(
    "overrides", [{}, {"min_replay_size": 1000}, {"batch_size": 1000}]
)
def test_replay_sizes_that_fit_together_pass(overrides: dict[str, int]) -> None:
    config = learning.ReplayConfig(**{**SIZES, **overrides})
    assert {name: getattr(config, name) for name in overrides} == overrides


@pytest.mark.parametrize("name", SIZES)
def test_a_replay_size_that_is_not_positive_is_refused_by_name(name: str) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be positive"):
        learning.ReplayConfig(**{**SIZES, name: 0})


@pytest.mark.parametrize("name", ["batch_size", "min_replay_size"])
def test_what_the_replay_can_never_hold_is_refused_with_both_numbers(name: str) -> None:
    with pytest.raises(
        ValueError, match=rf"^{name} \(1,001\) .* max_replay_size \(1,000\)"
    ):
        learning.ReplayConfig(**{**SIZES, name: 1001})


@pytest.mark.parametrize(
    ("config", "overrides", "message"),
    [
        (learning.LearnerConfig, {"num_sgd_steps_per_step": 0}, "must be positive"),
        (learning.ReplayConfig, {"num_sgd_steps_per_step": 0}, "must be positive"),
        (learning.TransitionConfig, {"num_sgd_steps_per_step": 0}, "must be positive"),
        (learning.TransitionConfig, {"batch_size": 0}, "must be positive"),
        (learning.TransitionConfig, {"n_step": 0}, "must be positive"),
        (learning.TransitionConfig, {"discount": 1.01}, r"must be in \[0, 1\]"),
    ],
)
def test_a_config_checks_its_own_fields_and_those_it_inherits(
    config: type[Any], overrides: dict[str, Any], message: str
) -> None:
    (name,) = overrides
    with pytest.raises(ValueError, match=f"^{name} {message}"):
        config(**overrides)
