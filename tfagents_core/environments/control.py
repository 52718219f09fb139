"""The DeepMind Control Suite (Tassa et al., 2018; arXiv:1801.00690).

Ids are `control:DOMAIN:TASK`, such as `control:cartpole:swingup`. The discount is the
task's own: 1 throughout, also at the time limit, except where a task terminates early.

Whether dm_control can render is decided when a process first imports it. The import is
silent and several times faster without OpenGL, so OpenGL is left out unless the first
`control:` environment of a process is made with `render=True`; see `rendering`.
"""

from __future__ import annotations

import contextlib
import dataclasses
from typing import Any

import dm_env
import numpy as np
import numpy.typing as npt

from tfagents_core import specs
from tfagents_core.environments import base, errors, rendering, wrappers

# The two lqr tasks draw their model at construction. A fixed seed makes it the same
# task for actors, evaluator and every run; episodes are seeded separately.
_MODEL_SEED = 0

# The bound that MuJoCo reports for actuators without limits (those of lqr).
_UNLIMITED = 1e10

# This task uploads its terrain to the renderer at each reset and fails without one.
_NEEDS_RENDERER = "quadruped:escape"

_HEIGHT, _WIDTH = 480, 640  # Of images, in pixels: the most that the models allow.


@dataclasses.dataclass(frozen=True)
class Options:
    """Options of `control:` ids.

    Attributes:
        flatten: concatenate the task's observations into one float32 vector [D].
    """

    flatten: bool = True


class ControlEnvironment(base.SeededEnvironment):
    """A task of the suite that reseeds every episode; not thread-safe."""

    def __init__(self, environment: Any, *, seed: int) -> None:
        """Takes ownership of `environment`, a `dm_control.rl.control.Environment`."""
        super().__init__(seed)
        self._environment = environment

    @property
    def physics(self) -> Any:
        """The `dm_control` physics, MuJoCo's simulator."""
        return self._environment.physics

    @property
    def steps_per_second(self) -> float:
        """Steps per second of simulated time: 1 / control timestep."""
        return 1.0 / float(self._environment.control_timestep())

    def render(self) -> npt.NDArray[np.uint8]:
        """The image of the model's first camera, uint8 [480, 640, 3].

        Raises:
            errors.RenderingError: if the suite was imported without a renderer.
        """
        try:
            return np.asarray(self.physics.render(_HEIGHT, _WIDTH, camera_id=0))
        except RuntimeError as error:
            raise errors.RenderingError(
                "The control suite was imported without a renderer: the first of its "
                f"environments in a process has to be made with render=True ({error})."
            ) from error

    def _begin_episode(self, seed: int) -> dm_env.TimeStep:
        self._environment.task.random.seed(seed)
        return self._environment.reset()

    def _step(self, action: Any) -> dm_env.TimeStep:
        return self._environment.step(action)

    def observation_spec(self) -> Any:
        """An `OrderedDict` of float64 specs."""
        return self._environment.observation_spec()

    def action_spec(self) -> Any:
        """One bounded float64 array; `[-1, 1]` for actuators without limits."""
        spec = self._environment.action_spec()
        is_limited = np.maximum(-spec.minimum, spec.maximum) < _UNLIMITED
        return specs.BoundedArray(
            shape=spec.shape,
            dtype=spec.dtype,
            minimum=np.where(is_limited, spec.minimum, -1.0),
            maximum=np.where(is_limited, spec.maximum, 1.0),
            name="action",
        )

    def reward_spec(self) -> Any:
        """A float64 scalar."""
        return self._environment.reward_spec()

    def discount_spec(self) -> Any:
        """A float64 scalar in `[0, 1]`."""
        return self._environment.discount_spec()

    def close(self) -> None:
        """Frees the simulator."""
        self._environment.close()


def load(
    task: str, *, seed: int, options: Options, evaluation: bool, render: bool
) -> dm_env.Environment:
    """Makes the task `DOMAIN:TASK`.

    Raises:
        errors.EnvironmentIdError: if there is no such task, or it needs a renderer and
            there is none.
        errors.RenderingError: if `render` is True and no renderer works.
    """
    del evaluation  # The same task either way.
    if render:
        rendering.choose()  # Before the import, which reads the choice once.
    if task == _NEEDS_RENDERER and not rendering.is_set():
        raise errors.EnvironmentIdError(
            f"The control task {task!r} needs a renderer: set MUJOCO_GL=egl before "
            "starting, on a machine with a graphics card."
        )
    suite = _import_suite(draws=render or task == _NEEDS_RENDERER)
    if task not in list_tasks():
        raise errors.EnvironmentIdError(
            f"Unknown control task {task!r}: {errors.did_you_mean(task, list_tasks())}"
        )
    domain_name, task_name = task.split(":")
    environment = ControlEnvironment(
        suite.load(domain_name, task_name, task_kwargs={"random": _MODEL_SEED}),
        seed=seed,
    )
    return wrappers.ConcatObservation(environment) if options.flatten else environment


def list_tasks() -> list[str]:
    """Every `DOMAIN:TASK` of the suite."""
    return [":".join(pair) for pair in _import_suite().ALL_TASKS]


def _import_suite(*, draws: bool = False) -> Any:
    """Imports `dm_control.suite`; only the first import of it heeds `draws`."""
    with contextlib.nullcontext() if draws else rendering.not_needed():
        from dm_control import suite
    return suite
