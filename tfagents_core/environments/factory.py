"""Makes environments from ids, in one form that every agent can use."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import importlib.util
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import dm_env

from tfagents_core import seeds
from tfagents_core.environments import errors, ids, seeding, wrappers


@dataclasses.dataclass(frozen=True)
class _Suite:
    """A suite's adapter module, and the package and extra that it needs.

    An adapter module defines `Options`, a dataclass; `load(task, *, seed, options,
    evaluation, render)`; and `list_tasks()`.
    """

    module: str
    package: str | None = None
    extra: str | None = None


_SUITES = {
    "control": _Suite("control", package="dm_control", extra="control"),
    "atari": _Suite("atari", package="ale_py", extra="atari"),
    "gym": _Suite("gymnasium", package="gymnasium", extra="gym"),
    "bsuite": _Suite("bsuite", package="bsuite", extra="bsuite"),
    "python": _Suite("python"),
}


def make(
    environment_id: str, *, seed: int, evaluation: bool = False, render: bool = False
) -> dm_env.Environment:
    """Makes an environment with canonical observations, actions and rewards.

    Floating-point observations and all rewards and discounts are float32, discrete
    actions are int32, and continuous actions are float32 in `[-1, 1]`, scaled to the
    task's bounds. `discount` is 0 at a true terminal and 1 at a time limit. Episode `n`
    is a pure function of `(seed, n, actions)`; see `base.SeededEnvironment`, whose
    `episode_number` and `next_episode_number` every environment made here has. The
    outermost wrapper is `wrappers.CanonicalActions`: the environment that it wraps
    takes the task's own actions.

    Args:
        environment_id: `suite:task` or `suite:task?option=value&option=value`, such as
            `control:cartpole:swingup`, `atari:Pong?sticky_actions=false`,
            `gym:CartPole-v1`, `bsuite:catch/0` or `python:package.module:factory`. Each
            suite's module documents its options.
        seed: source of all randomness of the environment; an integer >= 0.
        evaluation: whether returns will be reported: options that only help learning
            (clipped rewards, a discount of 0 at the loss of a life) are then ignored.
        render: whether `render()` will be called: a working renderer is then looked
            for, which takes time.

    Raises:
        errors.EnvironmentIdError: if the id is malformed, names no known environment,
            or has an option that does not exist.
        errors.UnsupportedEnvironmentError: if the environment's actions or observations
            have no canonical form; an `EnvironmentIdError`.
        errors.MissingExtraError: if the suite is not installed.
        errors.RenderingError: if `render` is True and no renderer works on this
            machine.
        ValueError: if `seed` is negative.
    """
    seeding.check_seed(seed)
    parsed = ids.parse(environment_id)
    with _naming_extra(parsed.suite):
        adapter = _import_adapter(parsed.suite)
        options = ids.read_options(parsed, adapter.Options)
        environment = adapter.load(
            parsed.task,
            seed=seed,
            options=options,
            evaluation=evaluation,
            render=render,
        )
    return wrappers.CanonicalActions(wrappers.SinglePrecision(environment))


def make_canonical(environment: Any, *, seed: int) -> dm_env.Environment:
    """The canonical form, as `make` describes it, of an environment made in code.

    Args:
        environment: a `dm_env` or Gymnasium environment, which the result owns.
        seed: seeds its episodes; an integer >= 0.

    Raises:
        errors.UnsupportedEnvironmentError: if its actions or observations have no
            canonical form.
        errors.EnvironmentIdError: if it is of neither kind.
    """
    from tfagents_core.environments import python

    adapted = python.adapt(type(environment).__name__, environment, seed=seed)
    return wrappers.CanonicalActions(wrappers.SinglePrecision(adapted))


@dataclasses.dataclass(frozen=True)
class Factory:
    """Makes the environments of a run; a `core.EnvironmentFactory` for any process.

    Attributes:
        environment_id: as `make` takes it.
        function: makes them in place of the id; its environments are made canonical.
    """

    environment_id: str
    function: Callable[..., Any] | None = None

    def __call__(self, *, seed: int, evaluation: bool = False) -> dm_env.Environment:
        """A new environment in its canonical form."""
        if self.function is None:
            return make(self.environment_id, seed=seed, evaluation=evaluation)
        made = self.function(seed=seed, evaluation=evaluation)
        return make_canonical(made, seed=seed)


@dataclasses.dataclass(frozen=True)
class TrainingEnvironments:
    """Makes the environments that an actor trains in, by their index.

    Attributes:
        factory: makes one from a seed.
        seed: the run's.
        first: index of the actor's first environment among all of the run.
    """

    factory: Callable[..., dm_env.Environment]
    seed: int
    first: int = 0

    def __call__(self, index: int) -> dm_env.Environment:
        """The actor's environment `index`, in `[0, K)`."""
        seed = seeds.derive(self.seed, "environment", self.first + index)
        return self.factory(seed=seed)


def list_ids(suite: str | None = None) -> list[str]:
    """Lists the environment ids, sorted within each suite.

    Args:
        suite: the suite to list; None for every suite that is installed. `python:` ids
            are the user's own and are never listed.

    Raises:
        errors.EnvironmentIdError: if `suite` is unknown.
        errors.MissingExtraError: if the suite asked for is not installed.
    """
    suites = [suite] if suite is not None else [s for s in _SUITES if _is_installed(s)]
    found = []
    for name in suites:
        with _naming_extra(name):
            tasks = _import_adapter(name).list_tasks()
        found += [f"{name}:{task}" for task in sorted(tasks)]
    return found


# On 3.13, labmaze (which dm-control requires and the suite does not use) has no wheels.
_NO_LABMAZE = (
    ", then pip install --no-deps dm-control." if sys.version_info >= (3, 13) else "."
)


def _is_installed(suite: str) -> bool:
    package = _SUITES[suite].package
    return package is None or importlib.util.find_spec(package) is not None


def _import_adapter(name: str) -> types.ModuleType:
    if name not in _SUITES:
        raise errors.EnvironmentIdError(
            f"Unknown environment suite {name!r}: {errors.did_you_mean(name, _SUITES)}"
        )
    return importlib.import_module(f"{__package__}.{_SUITES[name].module}")


@contextlib.contextmanager
def _naming_extra(name: str) -> Iterator[None]:
    """Names the extra to install where a suite's package is missing.

    Modules that the user's own code or this package fails to find keep their error.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        suite = _SUITES[name]
        if suite.package is None or (error.name or "").startswith("tfagents_core"):
            raise
        raise errors.MissingExtraError(
            f"The environment suite {name!r} needs {error.name!r}, which is not "
            f"installed: pip install 'tfagents-core[{suite.extra}]'"
            + (_NO_LABMAZE if error.name == "dm_control" else ".")
        ) from error
