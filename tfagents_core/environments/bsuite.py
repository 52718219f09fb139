"""The Behaviour Suite (Osband et al., 2020; arXiv:1908.03568).

Ids are `bsuite:` followed by the suite's own id, such as `bsuite:catch/0`. The length
of an experiment in episodes is `environment.bsuite_num_episodes`. What the suite fixes
per setting (which arm is best, which chain is rewarded) stays fixed; all other
randomness follows from the seed.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from typing import Any

import dm_env
import numpy as np
import numpy.typing as npt
from bsuite import bsuite as loader
from bsuite import sweep
from bsuite.logging import csv_logging

from tfagents_core.environments import base, errors, seeding

_MNIST_DIR = "/tmp/mnist"  # The directory that bsuite itself reads.
_MNIST_FILES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)


@dataclasses.dataclass(frozen=True)
class Options:
    """Options of `bsuite:` ids.

    Attributes:
        results_dir: directory where bsuite's CSV logger records the run, for bsuite's
            own analysis (`bsuite.logging.csv_load`); None for no record. Ignored in
            evaluation. A record covers one process from its first episode: a resumed
            run begins a new one.
        overwrite: replace an existing record.
    """

    results_dir: str | None = None
    overwrite: bool = False


class BsuiteEnvironment(base.SeededEnvironment):
    """A bsuite environment that reseeds every episode; not thread-safe."""

    def __init__(self, environment: Any, *, seed: int) -> None:
        """Takes ownership of `environment`, as `bsuite.load` returns it."""
        super().__init__(seed)
        self._environment = environment

    @property
    def bsuite_num_episodes(self) -> int:
        """Length of the experiment in episodes."""
        return int(self._environment.bsuite_num_episodes)

    def bsuite_info(self) -> dict[str, Any]:
        """The quantities that bsuite scores, such as `total_regret`, summed so far."""
        return dict(self._environment.bsuite_info())

    def _begin_episode(self, seed: int) -> dm_env.TimeStep:
        # Different seeds, or a noise wrapper would draw its environment's numbers.
        for number, rng in enumerate(_generators(self._environment)):
            rng.seed(seeding.episode_seed(seed, number))
        return self._environment.reset()

    def _step(self, action: Any) -> dm_env.TimeStep:
        return self._environment.step(action)

    def observation_spec(self) -> Any:
        """One floating-point array."""
        return self._environment.observation_spec()

    def action_spec(self) -> Any:
        """A discrete action."""
        return self._environment.action_spec()

    def render(self) -> npt.NDArray[np.uint8]:
        """Raises `errors.RenderingError`: the suite has no renderer."""
        raise errors.RenderingError(
            "The bsuite environments draw no pictures, so they cannot be filmed."
        )

    def close(self) -> None:
        """Closes the environment."""
        self._environment.close()


def _generators(environment: Any) -> Iterator[np.random.RandomState]:
    """Random generators of an environment and all it wraps, outermost first."""
    while environment is not None:
        if "_rng" in vars(environment):
            yield environment._rng
        environment = vars(environment).get("_env")


def load(
    task: str, *, seed: int, options: Options, evaluation: bool, render: bool
) -> dm_env.Environment:
    """Makes the environment of one bsuite id, such as `catch/0`.

    Raises:
        errors.EnvironmentIdError: if the id is unknown, its data are not on this
            machine, or its record already exists.
    """
    del render  # bsuite has no renderer.
    if task not in sweep.SETTINGS:
        raise errors.EnvironmentIdError(
            f"Unknown bsuite id {task!r}: {errors.did_you_mean(task, sweep.SWEEP)}"
        )
    experiment, _ = loader.unpack_bsuite_id(task)
    if experiment.startswith("mnist"):
        _check_mnist(task)
    environment = loader.load(experiment, sweep.SETTINGS[task])
    if options.results_dir is not None and not evaluation:
        environment = _record(environment, task, options)
    return BsuiteEnvironment(environment, seed=seed)


def _record(environment: Any, task: str, options: Options) -> Any:
    try:
        return csv_logging.wrap_environment(
            environment, task, options.results_dir, overwrite=options.overwrite
        )
    except ValueError as error:
        raise errors.EnvironmentIdError(
            f"A record of {task!r} already exists in {options.results_dir!r}: name "
            "another results_dir, or add the option overwrite=true."
        ) from error


def _check_mnist(task: str) -> None:
    missing = [
        name
        for name in _MNIST_FILES
        if not os.path.isfile(os.path.join(_MNIST_DIR, name))
    ]
    if missing:
        raise errors.EnvironmentIdError(
            f"The bsuite id {task!r} needs the MNIST data, and bsuite would have to "
            f"download them: put {', '.join(missing)} into {_MNIST_DIR}."
        )


def list_tasks() -> list[str]:
    """Every bsuite id."""
    return list(sweep.SWEEP)
