"""A user's own environment, made by a factory function.

Ids are `python:package.module:factory`. `factory(seed=...)`, or `factory()` where it
takes no seed, returns a `dm_env` or a Gymnasium environment.

To film a Gymnasium environment, the factory is called with `render_mode="rgb_array"` if
it has a parameter `render_mode`. A `dm_env` environment needs a method `render()` that
returns an RGB image, uint8 [height, width, 3].

Gymnasium environments are reseeded at every episode by `reset(seed=...)`, and a
`dm_env` environment by its method `seed(seed: int)`, which is called before each reset.
Without that method only the factory's seed determines the episodes, in order: a run can
be repeated from its start but not resumed exactly, and `environment.reseeds_episodes`
is False.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import inspect
from collections.abc import Callable
from typing import Any

import dm_env
import numpy as np
import numpy.typing as npt

from tfagents_core.environments import base, errors, wrappers


@dataclasses.dataclass(frozen=True)
class Options:
    """Options of `python:` ids.

    Attributes:
        flatten: concatenate nested observations into one float32 vector [D].
    """

    flatten: bool = False


class DmEnvAdapter(base.SeededEnvironment):
    """Counts a user's `dm_env` episodes, and seeds them if it has a method `seed`."""

    def __init__(self, environment: dm_env.Environment, *, seed: int) -> None:
        """Takes ownership of `environment`."""
        super().__init__(seed)
        self._environment = environment

    @property
    def environment(self) -> dm_env.Environment:
        """The user's environment."""
        return self._environment

    @property
    def reseeds_episodes(self) -> bool:
        """Whether the environment has a method `seed`."""
        return callable(getattr(self._environment, "seed", None))

    def _begin_episode(self, seed: int) -> dm_env.TimeStep:
        if self.reseeds_episodes:
            self._environment.seed(seed)
        return self._environment.reset()

    def _step(self, action: Any) -> dm_env.TimeStep:
        return self._environment.step(action)

    def observation_spec(self) -> Any:
        """The user's observation spec."""
        return self._environment.observation_spec()

    def action_spec(self) -> Any:
        """The user's action spec."""
        return self._environment.action_spec()

    def reward_spec(self) -> Any:
        """The user's reward spec."""
        return self._environment.reward_spec()

    def discount_spec(self) -> Any:
        """The user's discount spec."""
        return self._environment.discount_spec()

    def render(self) -> npt.NDArray[np.uint8]:
        """The image that the environment's own `render` returns.

        Raises:
            errors.RenderingError: if it has no such method.
        """
        if not callable(getattr(self._environment, "render", None)):
            return super().render()
        return np.asarray(self._environment.render())

    def close(self) -> None:
        """Closes the environment."""
        self._environment.close()


def load(
    task: str, *, seed: int, options: Options, evaluation: bool, render: bool
) -> dm_env.Environment:
    """Makes an environment with the factory `package.module:factory`.

    Raises:
        errors.EnvironmentIdError: if there is no such factory, or it returns neither a
            `dm_env` nor a Gymnasium environment.
    """
    del evaluation  # Factories have no such parameter.
    made = _call(_find_factory(task), seed=seed, render=render)
    environment = adapt(task, made, seed=seed)
    return wrappers.ConcatObservation(environment) if options.flatten else environment


def _find_factory(task: str) -> Callable[..., Any]:
    module_name, _, name = task.partition(":")
    if not module_name or not name:
        raise errors.EnvironmentIdError(
            f"'python:{task}' is not of the form 'python:package.module:factory'."
        )
    module = _import_module(module_name)
    factory = getattr(module, name, None)
    if not callable(factory):
        known = [n for n, v in vars(module).items() if callable(v) and n[0] != "_"]
        raise errors.EnvironmentIdError(
            f"Module {module_name!r} has no function {name!r}: "
            + errors.did_you_mean(name, known)
        )
    function: Callable[..., Any] = factory
    return function


def _import_module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if name != missing and not name.startswith(f"{missing}."):
            raise  # The module is there; what it imports is not.
        raise errors.EnvironmentIdError(
            f"There is no module {name!r} to import: install its package, or put the "
            "directory that holds it on PYTHONPATH."
        ) from error


def _call(factory: Callable[..., Any], *, seed: int, render: bool) -> Any:
    parameters = inspect.signature(factory).parameters
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    arguments: dict[str, Any] = {}
    if takes_any or "seed" in parameters:
        arguments["seed"] = seed
    if render and "render_mode" in parameters:
        arguments["render_mode"] = "rgb_array"
    return factory(**arguments)


def adapt(task: str, environment: Any, *, seed: int) -> dm_env.Environment:
    """A user's `dm_env` or Gymnasium environment with counted, seeded episodes.

    Raises:
        errors.EnvironmentIdError: if it is neither; `task` names it.
    """
    if isinstance(environment, dm_env.Environment):
        # A user's own `SeededEnvironment` counts its episodes itself.
        is_counted = hasattr(environment, "next_episode_number")
        return environment if is_counted else DmEnvAdapter(environment, seed=seed)
    if importlib.util.find_spec("gymnasium") is not None:
        import gymnasium

        from tfagents_core.environments.gymnasium import GymnasiumAdapter

        if isinstance(environment, gymnasium.Env):
            return GymnasiumAdapter(environment, seed=seed)
    raise errors.EnvironmentIdError(
        f"'python:{task}' returned {type(environment).__name__!r}, which is neither a "
        "dm_env.Environment nor a gymnasium.Env."
    )


def list_tasks() -> list[str]:
    """An empty list: these ids are the user's own."""
    return []
