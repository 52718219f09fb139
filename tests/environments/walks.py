"""Environments that walk at random, and what may happen to them."""

from __future__ import annotations

import pathlib
import sys
import time
from collections.abc import Callable
from typing import Any

import cloudpickle
import dm_env
import numpy as np
import tree

from tfagents_core import environments, specs
from tfagents_core.environments import batched

# Workers cannot import this module by its name.
cloudpickle.register_pickle_by_value(sys.modules[__name__])


class Walk(dm_env.Environment):
    """Random walks of some steps, in nests of several dtypes.

    Args:
        index: shown in observations.
        mishap: called before every step with the environment; may raise or sleep.
    """

    def __init__(self, index: int, mishap: Callable[[Any], None] | None = None) -> None:
        self.index, self._mishap = index, mishap
        self.reward = 1.0

    def seed(self, seed: int) -> None:
        """All randomness of the next episode."""
        self._rng = np.random.default_rng(seed)

    def reset(self) -> dm_env.TimeStep:
        """Somewhere."""
        self._place = self._rng.normal(size=2)
        self.steps, self._length = 0, int(self._rng.integers(2, 9))
        return dm_env.restart(self._observation())

    def step(self, action: Any) -> dm_env.TimeStep:
        """Moves by the action and at random."""
        if self._mishap is not None:
            self._mishap(self)
        self.steps += 1
        self._place += action["move"] + self._rng.normal(size=2) * action["times"]
        end = dm_env.truncation if self.steps == self._length else dm_env.transition
        return end(self.reward * float(self._place[0]), self._observation())

    def observation_spec(self) -> Any:
        """Place, and an image."""
        return {
            "place": specs.Array((2,), np.float32),
            "image": specs.BoundedArray((3, 3), np.uint8, 0, 255),
        }

    def action_spec(self) -> Any:
        """How far, and how often."""
        return {
            "move": specs.BoundedArray((2,), np.float32, -1, 1),
            "times": specs.DiscreteArray(3),
        }

    def _observation(self) -> Any:
        image = np.full((3, 3), 10 * self.index + self.steps, np.uint8)
        return {"place": self._place.astype(np.float32), "image": image}


class Adapted(environments.SeededEnvironment):
    """Seeds the episodes of a `Walk`."""

    def __init__(self, walk: Walk) -> None:
        super().__init__(seed=walk.index)
        self._walk = walk

    def _begin_episode(self, seed: int) -> dm_env.TimeStep:
        self._walk.seed(seed)
        return self._walk.reset()

    def _step(self, action: Any) -> dm_env.TimeStep:
        timestep = self._walk.step(action)
        # As `environments.make` makes them.
        return timestep._replace(
            reward=np.float32(timestep.reward), discount=np.float32(timestep.discount)
        )

    def observation_spec(self) -> Any:
        """The walk's."""
        return self._walk.observation_spec()

    def action_spec(self) -> Any:
        """The walk's."""
        return self._walk.action_spec()

    def reward_spec(self) -> specs.Array:
        """One number."""
        return specs.Array((), np.float32)

    def discount_spec(self) -> specs.BoundedArray:
        """One number."""
        return specs.BoundedArray((), np.float32, 0, 1)


def make(index: int) -> dm_env.Environment:
    return Adapted(Walk(index))


def serial(size: int) -> environments.SerialEnvironments:
    return environments.SerialEnvironments([make(k) for k in range(size)])


def actions(rng: np.random.Generator, size: int = 3) -> Any:
    return {
        "move": rng.uniform(-1, 1, (size, 2)).astype(np.float32),
        "times": rng.integers(0, 3, size).astype(np.int32),
    }


def play(
    batch: batched.BatchedEnvironment, num_steps: int, *, seed: int = 0
) -> list[dm_env.TimeStep]:
    rng = np.random.default_rng(seed)
    begun = [] if batch.has_begun else [batch.reset()]
    return [*begun, *(batch.step(actions(rng)) for _ in range(num_steps))]


def assert_same(one: Any, other: Any) -> None:
    for a, b in zip(tree.flatten(one), tree.flatten(other), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


def once(file: pathlib.Path, do: Callable[[Any], None]) -> Callable[[int], Any]:
    """Environments of which 1 has a mishap at one second step, until `file` exists."""

    def mishap(walk: Walk) -> None:
        if walk.steps == 1 and not file.exists():
            file.touch()
            do(walk)

    return lambda k: Adapted(Walk(k, mishap if k == 1 else None))


def raise_it(walk: Walk) -> None:
    raise OSError("the robot fell over")


def return_nan(walk: Walk) -> None:
    walk.reward = float("nan")


def sleep_for_ever(walk: Walk) -> None:
    del walk
    time.sleep(3600)
