"""What an environment looks like from outside: shapes, dtypes, bounds.

The array specs are dm_env's own (`Array`, `BoundedArray`, `DiscreteArray`); this
module adds the record that agents are built from and the one spec dm_env lacks,
a stack of frames.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import dm_env
import numpy as np
import tree
from dm_env.specs import Array, BoundedArray, DiscreteArray

__all__ = [
    "Array",
    "BoundedArray",
    "DiscreteArray",
    "EnvironmentSpec",
    "StackedArray",
    "describe",
    "make_environment_spec",
    "middle_and_half_range",
    "require_array_observation",
    "require_continuous_action",
    "require_discrete_action",
    "require_scalar_reward",
    "require_vector_observation",
    "zeros",
]


class StackedArray(BoundedArray):
    """The last `shape[0]` frames of an observation, oldest first.

    A spec of this class promises that the value at one step is the value at the step
    before, shifted by one frame, with the newest frame last, and that an episode's
    first value repeats its first frame. Adders then store each frame once and the
    replay rebuilds the stack.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        """Stays what it is when it is copied or pickled; dm_env's would not."""
        arguments = (self.shape, self.dtype, self.minimum, self.maximum, self.name)
        return StackedArray, arguments

    @property
    def num_frames(self) -> int:
        """How many frames one value holds."""
        return int(self.shape[0])

    @property
    def frame(self) -> BoundedArray:
        """The spec of one frame, of shape `shape[1:]`."""
        return BoundedArray(
            shape=self.shape[1:],
            dtype=self.dtype,
            minimum=np.min(self.minimum),
            maximum=np.max(self.maximum),
            name=self.name,
        )


@dataclasses.dataclass(frozen=True)
class EnvironmentSpec:
    """The four specs of a dm_env environment; each may be a nested structure."""

    observations: Any
    actions: Any
    rewards: Any
    discounts: Any

    @property
    def is_discrete(self) -> bool:
        """Whether an action is one integer in `[0, num_values)`."""
        return isinstance(self.actions, DiscreteArray)

    @property
    def is_continuous(self) -> bool:
        """Whether an action is one bounded array of floats."""
        return isinstance(self.actions, BoundedArray) and np.issubdtype(
            self.actions.dtype, np.floating
        )


def make_environment_spec(environment: dm_env.Environment) -> EnvironmentSpec:
    """Reads the specs of `environment`."""
    return EnvironmentSpec(
        observations=environment.observation_spec(),
        actions=environment.action_spec(),
        rewards=environment.reward_spec(),
        discounts=environment.discount_spec(),
    )


def zeros(spec: Any) -> Any:
    """Zero-filled NumPy arrays of the nested structure `spec` describes."""
    return tree.map_structure(lambda s: np.zeros(s.shape, s.dtype), spec)


def middle_and_half_range(spec: BoundedArray) -> tuple[np.ndarray, np.ndarray]:
    """What makes of an action `a` in [-1, 1] one of `spec`: `middle + a * half_range`.

    Returns:
        Both float64, of the spec's shape.
    """
    minimum = np.broadcast_to(spec.minimum, spec.shape).astype(np.float64)
    maximum = np.broadcast_to(spec.maximum, spec.shape).astype(np.float64)
    return (maximum + minimum) / 2, (maximum - minimum) / 2


def describe(spec: Any) -> str:
    """A nested spec in a few words, for an error."""
    if isinstance(spec, DiscreteArray):
        return f"{spec.num_values} discrete actions"
    if isinstance(spec, Array):
        bounds = (
            f" in [{np.min(spec.minimum):g}, {np.max(spec.maximum):g}]"
            if isinstance(spec, BoundedArray)
            else ""
        )
        return f"an array of shape {spec.shape}, {spec.dtype}{bounds}"
    return f"a structure of {len(tree.flatten(spec))} arrays"


def require_discrete_action(
    spec: EnvironmentSpec, agent: str, *, alternative: str = ""
) -> None:
    """Refuses what is not one discrete action.

    Args:
        spec: the environment's.
        agent: the agent's name, for the error.
        alternative: the agent to name for continuous actions, if there is one.

    Raises:
        ValueError: one sentence that says what does not fit.
    """
    if not spec.is_discrete:
        raise ValueError(
            f"{agent} needs discrete actions, and this environment has "
            f"{describe(spec.actions)}{_hint('continuous', alternative)}."
        )


def require_continuous_action(
    spec: EnvironmentSpec, agent: str, *, alternative: str = ""
) -> None:
    """Refuses what is not one vector of continuous actions in [-1, 1].

    Args:
        spec: the environment's.
        agent: the agent's name, for the error.
        alternative: the agent to name for discrete actions, if there is one.

    Raises:
        ValueError: one sentence that says what does not fit.
    """
    if not spec.is_continuous or len(spec.actions.shape) != 1:
        raise ValueError(
            f"{agent} needs one vector of continuous actions, and this environment "
            f"has {describe(spec.actions)}{_hint('discrete', alternative)}."
        )
    bounds = spec.actions
    if not (np.all(bounds.minimum == -1) and np.all(bounds.maximum == 1)):
        raise ValueError(
            f"{agent} needs actions in [-1, 1], and this environment has "
            f"{describe(bounds)}; wrap it in environments.wrappers.CanonicalActions."
        )


def require_array_observation(spec: EnvironmentSpec, agent: str) -> None:
    """Refuses observations that are not one array.

    Raises:
        ValueError: one sentence that says what does not fit.
    """
    if not isinstance(spec.observations, Array):
        raise ValueError(
            f"{agent} needs observations that are one array, and this environment's "
            f"are {describe(spec.observations)}; wrap it in "
            "environments.wrappers.ConcatObservation."
        )


def require_vector_observation(spec: EnvironmentSpec, agent: str) -> None:
    """Refuses observations that are not one vector.

    Raises:
        ValueError: one sentence that says what does not fit.
    """
    observation = spec.observations
    if not isinstance(observation, Array) or len(observation.shape) != 1:
        raise ValueError(
            f"{agent} needs observations that are one vector, and this environment's "
            f"are {describe(observation)}; wrap it in "
            "environments.wrappers.ConcatObservation."
        )


def require_scalar_reward(spec: EnvironmentSpec, agent: str) -> None:
    """Refuses rewards or discounts of several components.

    Raises:
        ValueError: one sentence that says what does not fit.
    """
    for name, values in (("rewards", spec.rewards), ("discounts", spec.discounts)):
        if not isinstance(values, Array) or values.shape != ():
            raise ValueError(
                f"{agent} needs scalar {name}, and this environment's are "
                f"{describe(values)}; combine their components in a wrapper."
            )


def _hint(kind: str, alternative: str) -> str:
    return f"; for {kind} actions there is {alternative}" if alternative else ""
