"""The specs that agents are built from."""

from __future__ import annotations

import copy
import dataclasses
import pickle
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


CONTINUOUS = specs.BoundedArray((2,), np.float32, -1, 1)
MANY = {"a": FLOATS, "b": FLOATS}


def replace(**changes: Any) -> specs.EnvironmentSpec:
    return dataclasses.replace(make_spec(CONTINUOUS), **changes)


@pytest.mark.parametrize(
    ("require", "spec"),
    [
        (specs.require_discrete_action, replace(actions=specs.DiscreteArray(3))),
        (specs.require_continuous_action, replace()),
        (specs.require_array_observation, replace()),
        (
            specs.require_array_observation,
            replace(observations=specs.StackedArray((4, 8, 8), np.uint8, 0, 255)),
        ),
        (specs.require_vector_observation, replace()),
        (specs.require_scalar_reward, replace()),
    ],
)
def test_what_an_agent_needs_passes(require: Any, spec: specs.EnvironmentSpec) -> None:
    require(spec, "agent")


@pytest.mark.parametrize(
    ("require", "spec", "words"),
    [
        (
            specs.require_discrete_action,
            replace(),
            r"discrete actions, and .* an array of shape \(2,\), float32 in \[-1, 1\]\.",
        ),
        (
            specs.require_discrete_action,
            replace(actions={"a": specs.DiscreteArray(3)}),
            r"discrete actions, and this environment has a structure of 1 arrays\.",
        ),
        (
            specs.require_continuous_action,
            replace(actions=specs.DiscreteArray(3)),
            r"one vector of continuous actions, and .* has 3 discrete actions\.",
        ),
        (
            specs.require_continuous_action,
            replace(actions=specs.BoundedArray((2, 2), np.float32, -1, 1)),
            r"one vector of continuous actions, and .* shape \(2, 2\)",
        ),
        (
            specs.require_continuous_action,
            replace(actions=specs.BoundedArray((2,), np.float32, [-1, -2], [1, 1])),
            r"actions in \[-1, 1\], and .* in \[-2, 1\]; .*CanonicalActions\.",
        ),
        (
            specs.require_array_observation,
            replace(observations=MANY),
            r"observations that are one array, and .* structure of 2 arrays; .*ConcatObservation\.",
        ),
        (
            specs.require_vector_observation,
            replace(observations=MANY),
            r"observations that are one vector, and .* structure of 2 arrays; .*ConcatObservation\.",
        ),
        (
            specs.require_vector_observation,
            replace(observations=specs.Array((4, 2), np.float32)),
            r"observations that are one vector, and .* shape \(4, 2\), float32; .*ConcatObservation\.",
        ),
        (
            specs.require_scalar_reward,
            replace(rewards=FLOATS),
            r"scalar rewards, and .* shape \(2,\), float32; combine",
        ),
        (
            specs.require_scalar_reward,
            replace(rewards=MANY),
            r"scalar rewards, and .* structure of 2 arrays; combine",
        ),
        (
            specs.require_scalar_reward,
            replace(discounts=FLOATS),
            r"scalar discounts, and .* shape \(2,\), float32; combine",
        ),
    ],
)
def test_what_does_not_fit_an_agent_is_refused_in_a_sentence(
    require: Any, spec: specs.EnvironmentSpec, words: str
) -> None:
    with pytest.raises(ValueError, match=f"^agent needs {words}") as caught:
        require(spec, "agent")
    assert "\n" not in str(caught.value)


def test_the_agent_for_the_other_kind_of_actions_is_named() -> None:
    with pytest.raises(ValueError, match=r"; for continuous actions there is other\.$"):
        specs.require_discrete_action(replace(), "agent", alternative="other")
    discrete = replace(actions=specs.DiscreteArray(3))
    with pytest.raises(ValueError, match=r"; for discrete actions there is other\.$"):
        specs.require_continuous_action(discrete, "agent", alternative="other")


def test_specs_stay_what_they_are_when_they_are_copied_or_pickled() -> None:
    """A stack that became an array would be stored as many times as it has frames."""
    stacked = specs.StackedArray((4, 8, 8), np.uint8, 0, 255, name="frames")
    for spec in (stacked, specs.DiscreteArray(3), specs.BoundedArray((), float, 0, 1)):
        for other in (copy.deepcopy(spec), pickle.loads(pickle.dumps(spec))):
            assert type(other) is type(spec)
            assert other == spec
            assert other.name == spec.name
