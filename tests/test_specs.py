"""The specs that agents are built from."""

from __future__ import annotations

from typing import Any

import dm_env
import numpy as np
import pytest

from tfagents_core import specs

FLOATS = specs.Array((2,), np.float32)
REWARD = specs.Array((), np.float32)
DISCOUNT = specs.BoundedArray((), np.float32, 0, 1)


def make_spec(actions: Any) -> specs.EnvironmentSpec:
    return specs.EnvironmentSpec(FLOATS, actions, REWARD, DISCOUNT)


@pytest.mark.parametrize(
    ("actions", "is_discrete", "is_continuous"),
    [
        (specs.DiscreteArray(3), True, False),
        (specs.BoundedArray((2,), np.float32, -1, 1), False, True),
        (specs.BoundedArray((), np.float64, 0, 9), False, True),
        (specs.BoundedArray((2,), np.int32, 0, 3), False, False),
        (specs.Array((2,), np.float32), False, False),  # No bounds to explore in.
        ({"move": specs.DiscreteArray(3)}, False, False),
    ],
)
def test_actions_are_discrete_or_continuous_or_neither(
    actions: Any, is_discrete: bool, is_continuous: bool
) -> None:
    spec = make_spec(actions)
    assert spec.is_discrete == is_discrete
    assert spec.is_continuous == is_continuous


def test_a_stack_knows_its_frames() -> None:
    stack = specs.StackedArray((4, 84, 80), np.uint8, 0, 255, name="pixels")
    assert stack.num_frames == 4
    assert stack.frame.shape == (84, 80)
    assert stack.frame.dtype == np.uint8
    assert stack.frame.name == "pixels"
    assert (stack.frame.minimum, stack.frame.maximum) == (0, 255)
    assert not isinstance(stack.frame, specs.StackedArray)


def test_a_frames_bounds_are_the_widest_of_the_stack() -> None:
    minimum = np.array([[0, -1], [-3, 0]], np.float32)
    stack = specs.StackedArray((2, 2), np.float32, minimum, minimum + 5)
    assert (stack.frame.minimum, stack.frame.maximum) == (-3, 5)


def test_a_stack_is_an_array_spec_like_any_other() -> None:
    stack = specs.StackedArray((4, 2), np.uint8, 0, 255)
    stack.validate(np.zeros((4, 2), np.uint8))
    with pytest.raises(ValueError, match="shape"):
        stack.validate(np.zeros((3, 2), np.uint8))


def test_an_environments_specs_are_read_off_it() -> None:
    class Environment(dm_env.Environment):
        def reset(self) -> dm_env.TimeStep:
            raise NotImplementedError

        def step(self, action: Any) -> dm_env.TimeStep:
            raise NotImplementedError

        def observation_spec(self) -> specs.Array:
            return FLOATS

        def action_spec(self) -> specs.DiscreteArray:
            return specs.DiscreteArray(3)

    spec = specs.make_environment_spec(Environment())
    assert spec.observations == FLOATS
    assert spec.actions == specs.DiscreteArray(3)
    assert spec.rewards.shape == ()  # dm_env's own default.
    assert (spec.discounts.minimum, spec.discounts.maximum) == (0, 1)


def test_zeros_have_the_specs_structure_shapes_and_dtypes() -> None:
    nest = {"a": FLOATS, "b": (specs.DiscreteArray(3), DISCOUNT)}
    zeros = specs.zeros(nest)
    assert list(zeros) == ["a", "b"]
    assert isinstance(zeros["b"], tuple)
    for array, spec in zip(
        (zeros["a"], *zeros["b"]), (nest["a"], *nest["b"]), strict=True
    ):
        spec.validate(array)
        assert not array.any()
