"""Frame stacking (Mnih et al., 2015, Methods)."""

from __future__ import annotations

from typing import Any

import dm_env
import numpy as np
import numpy.typing as npt
import tree

from tfagents_core import specs
from tfagents_core.environments.wrappers import base


class FrameStacking(base.EnvironmentWrapper):
    """Stacks the last frames along a new leading axis, oldest first.

    Keeps the promise of `specs.StackedArray`: each stack is the previous one shifted by
    one frame, and an episode's first stack repeats its first frame. Adders rely on it
    to store each frame once. Every stack is a new array. Nested observations are
    stacked leaf by leaf.
    """

    def __init__(self, environment: dm_env.Environment, num_frames: int) -> None:
        """Wraps `environment`; `num_frames` >= 1 is the size of a stack.

        Raises:
            ValueError: if `num_frames` is less than 1.
        """
        super().__init__(environment)
        if num_frames < 1:
            raise ValueError(f"num_frames must be >= 1, not {num_frames}.")
        self._num_frames = num_frames
        self._stack: Any = None
        self._observation_spec = tree.map_structure(
            self._stacked_spec, environment.observation_spec()
        )

    def _stacked_spec(self, spec: specs.Array) -> specs.StackedArray:
        minimum, maximum = _bounds(spec)
        return specs.StackedArray(
            shape=(self._num_frames, *spec.shape),
            dtype=spec.dtype,
            minimum=minimum,
            maximum=maximum,
            name=spec.name,
        )

    def reset(self) -> dm_env.TimeStep:
        """Begins the next episode."""
        return self._push(self._environment.reset())

    def step(self, action: Any) -> dm_env.TimeStep:
        """Takes one step."""
        return self._push(self._environment.step(action))

    def _push(self, timestep: dm_env.TimeStep) -> dm_env.TimeStep:
        if timestep.first():
            self._stack = tree.map_structure(self._repeat, timestep.observation)
        else:
            self._stack = tree.map_structure(_shift, self._stack, timestep.observation)
        return timestep._replace(observation=self._stack)

    def _repeat(self, frame: Any) -> npt.NDArray[Any]:
        return np.repeat(np.asarray(frame)[np.newaxis], self._num_frames, axis=0)

    def observation_spec(self) -> Any:
        """A `specs.StackedArray` of shape [num_frames, ...] for every leaf."""
        return self._observation_spec


def _shift(stack: npt.NDArray[Any], frame: Any) -> npt.NDArray[Any]:
    return np.concatenate([stack[1:], np.asarray(frame)[np.newaxis]])


def _bounds(spec: specs.Array) -> tuple[Any, Any]:
    if isinstance(spec, specs.BoundedArray):
        return spec.minimum, spec.maximum
    if np.issubdtype(spec.dtype, np.floating):
        return -np.inf, np.inf
    if spec.dtype == np.bool_:
        return False, True
    return np.iinfo(spec.dtype).min, np.iinfo(spec.dtype).max
