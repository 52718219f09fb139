"""Gymnasium (Towers et al., 2024; arXiv:2407.17032) behind the `dm_env` interface.

Ids are `gym:` followed by a registered name, such as `gym:CartPole-v1`. Gymnasium's
`terminated` becomes a discount of 0 and `truncated` a discount of 1; if both are set,
the episode has terminated.
"""

from __future__ import annotations

import dataclasses
import os
from typing import Any

import dm_env
import gymnasium
import numpy as np
import numpy.typing as npt
import tree
from gymnasium import spaces

from tfagents_core import specs
from tfagents_core.environments import base, errors, rendering, wrappers

_RENDER_MODE = "rgb_array"
_MUJOCO = "gymnasium.envs.mujoco"  # MuJoCo renders what is in here.


@dataclasses.dataclass(frozen=True)
class Options:
    """Options of `gym:` ids.

    Attributes:
        flatten: concatenate the observations of a Dict or Tuple space into one float32
            vector [D].
        max_episode_steps: the time limit in steps; None keeps the registered limit.
    """

    flatten: bool = False
    max_episode_steps: int | None = None

    def __post_init__(self) -> None:
        if self.max_episode_steps is not None and self.max_episode_steps < 1:
            raise ValueError(
                f"max_episode_steps must be >= 1, not {self.max_episode_steps}."
            )


class GymnasiumAdapter(base.SeededEnvironment):
    """A Gymnasium environment as a `dm_env.Environment`; not thread-safe.

    Observations are copied, so an environment may reuse its buffers.
    """

    def __init__(self, environment: gymnasium.Env[Any, Any], *, seed: int) -> None:
        """Takes ownership of `environment`.

        Args:
            environment: its spaces are Box, Discrete, MultiBinary or MultiDiscrete, or
                Dicts and Tuples of these.
            seed: see `base.SeededEnvironment`.

        Raises:
            errors.UnsupportedEnvironmentError: if a space is of any other kind.
        """
        super().__init__(seed)
        self._environment = environment
        self._observation_spec = _to_spec(environment.observation_space, "observation")
        self._action_spec = _to_spec(environment.action_space, "action")
        self._is_nested = tree.is_nested(self._observation_spec)

    @property
    def steps_per_second(self) -> float:
        """The environment's `render_fps`; 30 if it has none."""
        fps = self._environment.metadata.get("render_fps")
        return super().steps_per_second if fps is None else float(fps)

    def render(self) -> npt.NDArray[np.uint8]:
        """The current state as an RGB image, uint8 [height, width, 3].

        Raises:
            errors.RenderingError: if the environment was made without
                `render_mode="rgb_array"`.
            errors.MissingExtraError: if rendering needs a package that is missing.
        """
        if self._environment.render_mode != _RENDER_MODE:
            raise errors.RenderingError(
                f"The Gymnasium environment {_name(self._environment)} was made without "
                f"render_mode={_RENDER_MODE!r}, so it cannot be filmed."
            )
        try:
            return np.asarray(self._environment.render())
        except gymnasium.error.DependencyNotInstalled as error:
            raise errors.MissingExtraError(
                f"To draw {_name(self._environment)}, pip install "
                f"'tfagents-core[video]' ({error})."
            ) from error

    @property
    def unwrapped(self) -> Any:
        """The innermost Gymnasium environment."""
        return self._environment.unwrapped

    def _begin_episode(self, seed: int) -> dm_env.TimeStep:
        observation, _ = self._environment.reset(seed=seed)
        return dm_env.restart(self._to_observation(observation))

    def _step(self, action: Any) -> dm_env.TimeStep:
        observation, reward, terminated, truncated, _ = self._environment.step(
            _to_gymnasium(self._environment.action_space, action)
        )
        observation = self._to_observation(observation)
        if terminated:
            return dm_env.termination(float(reward), observation)
        if truncated:
            return dm_env.truncation(float(reward), observation)
        return dm_env.transition(float(reward), observation)

    def _to_observation(self, observation: Any) -> Any:
        if not self._is_nested:
            return _to_array(self._environment.observation_space, observation)
        return _map_space(self._environment.observation_space, observation)

    def observation_spec(self) -> Any:
        """The observation space as specs, nested as the space is."""
        return self._observation_spec

    def action_spec(self) -> Any:
        """The action space as specs, nested as the space is."""
        return self._action_spec

    def close(self) -> None:
        """Closes the environment."""
        self._environment.close()


def _name(environment: gymnasium.Env[Any, Any]) -> str:
    spec = environment.spec
    return type(environment.unwrapped).__name__ if spec is None else spec.id


def _to_spec(space: Any, name: str) -> Any:
    if isinstance(space, spaces.Dict):
        return {key: _to_spec(inner, key) for key, inner in space.spaces.items()}
    if isinstance(space, spaces.Tuple):
        return tuple(
            _to_spec(inner, f"{name}_{index}") for index, inner in enumerate(space)
        )
    if isinstance(space, spaces.Discrete):
        return specs.DiscreteArray(int(space.n), dtype=np.int32, name=name)
    low, high = _bounds(space, name)
    return specs.BoundedArray(
        shape=space.shape, dtype=space.dtype, minimum=low, maximum=high, name=name
    )


def _bounds(space: Any, name: str) -> tuple[Any, Any]:
    if isinstance(space, spaces.Box):
        return space.low, space.high
    if isinstance(space, spaces.MultiBinary):
        return 0, 1
    if isinstance(space, spaces.MultiDiscrete):
        return space.start, space.start + space.nvec - 1
    raise errors.UnsupportedEnvironmentError(
        f"The {name} space {space} has no counterpart in dm_env; wrap the environment "
        "to give Box, Discrete, MultiBinary, MultiDiscrete, Dict or Tuple spaces."
    )


def _map_space(space: Any, value: Any) -> Any:
    if isinstance(space, spaces.Dict):
        return {key: _map_space(s, value[key]) for key, s in space.spaces.items()}
    if isinstance(space, spaces.Tuple):
        return tuple(_map_space(s, v) for s, v in zip(space, value, strict=True))
    return _to_array(space, value)


def _to_array(space: Any, value: Any) -> Any:
    if isinstance(space, spaces.Discrete):
        return np.int32(value - space.start)  # Values of dm_env count from 0.
    return np.array(value, dtype=space.dtype)


def _to_gymnasium(space: Any, action: Any) -> Any:
    if isinstance(space, spaces.Discrete):
        return int(action) + int(space.start)
    if isinstance(space, spaces.Dict):
        return {key: _to_gymnasium(s, action[key]) for key, s in space.spaces.items()}
    if isinstance(space, spaces.Tuple):
        return tuple(_to_gymnasium(s, a) for s, a in zip(space, action, strict=True))
    return np.asarray(action, dtype=space.dtype)


def load(
    task: str, *, seed: int, options: Options, evaluation: bool, render: bool
) -> dm_env.Environment:
    """Makes the environment registered as `task`.

    Raises:
        errors.RenderingError: if `render` is True and the environment cannot be
            rendered on this machine.
        errors.EnvironmentIdError: if no environment of that name is registered.
        errors.MissingExtraError: if a package that the environment needs is missing.
    """
    del evaluation  # The same task either way.
    arguments: dict[str, Any] = {"max_episode_steps": options.max_episode_steps}
    if render:
        _prepare_rendering(task)
        arguments["render_mode"] = _RENDER_MODE
    environment = GymnasiumAdapter(_make(task, arguments), seed=seed)
    return wrappers.ConcatObservation(environment) if options.flatten else environment


def _prepare_rendering(task: str) -> None:
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")  # No banner.
    spec = gymnasium.registry.get(task)
    if spec is not None and str(spec.entry_point).startswith(_MUJOCO):
        rendering.choose()


def _make(task: str, arguments: dict[str, Any]) -> gymnasium.Env[Any, Any]:
    try:
        if "render_mode" in arguments:
            return gymnasium.make(task, disable_env_checker=True, **arguments)
        with rendering.not_needed():  # Some import MuJoCo here.
            return gymnasium.make(task, disable_env_checker=True, **arguments)
    except TypeError as error:
        # An environment whose constructor has no parameter `render_mode`.
        if "render_mode" not in str(error):
            raise
        raise errors.RenderingError(
            f"The Gymnasium environment {task!r} takes no render_mode, so it cannot be "
            "filmed."
        ) from error
    except (gymnasium.error.DependencyNotInstalled, ImportError) as error:
        raise errors.MissingExtraError(
            f"The environment 'gym:{task}' needs more than is installed: {error}"
        ) from error
    except gymnasium.error.Error as error:
        raise errors.EnvironmentIdError(
            f"Unknown Gymnasium environment {task!r}: "
            f"{errors.did_you_mean(task, list_tasks())}"
        ) from error


def list_tasks() -> list[str]:
    """Lists the newest version of each environment that Gymnasium itself registers.

    Environments of other packages (`ALE/Pong-v5`) and Gymnasium's converters of older
    interfaces (`GymV26Environment-v0`) are left out; Atari games are in the suite
    `atari:`.
    """
    newest: dict[str, tuple[int, str]] = {}
    for name, spec in gymnasium.registry.items():
        is_own = str(spec.entry_point).startswith("gymnasium.envs.")
        if spec.namespace is None and is_own and not name.startswith("GymV"):
            version = spec.version or 0
            newest[spec.name] = max(newest.get(spec.name, (-1, "")), (version, name))
    return [name for _, name in newest.values()]
