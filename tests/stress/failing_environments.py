"""Trains in environments that raise, return NaN and stall now and then.

    python tests/stress/failing_environments.py
    python tests/stress/failing_environments.py --always

DQN on CartPole must reach the score that it reaches in sound ones; with `--always`
every step raises, and the run must end in one error with the traceback of the first.
Failures come at random, so they do not come again where an episode is played anew.
"""

from __future__ import annotations

import argparse
import functools
import logging
import pathlib
import random
import sys
import tempfile
import time
from typing import Any

import dm_env

from tfagents_core import environments, experiments
from tfagents_core.agents import dqn
from tfagents_core.environments import wrappers

_LEAST_RETURN = 450.0
_TIMEOUT_S = 5.0


class Failing(wrappers.EnvironmentWrapper):
    """Raises at random: in a step with 1e-4, in a reset with 1e-3; and is odd otherwise.

    With 2e-5 each, a step returns NaN or sleeps for an hour.
    """

    def __init__(self, environment: dm_env.Environment, *, always: bool) -> None:
        super().__init__(environment)
        self._always = always
        self._random = random.Random()  # Not seeded, by intention.

    def reset(self) -> dm_env.TimeStep:
        """Begins an episode, or raises."""
        if self._random.random() < 1e-3:
            raise ConnectionError("the simulator did not come up")
        return super().reset()

    def step(self, action: Any) -> dm_env.TimeStep:
        """Takes a step, or fails."""
        chance = self._random.random()
        if self._always or chance < 1e-4:
            raise FloatingPointError("the simulator diverged")
        if chance > 1 - 2e-5:
            time.sleep(3600)
        timestep = super().step(action)
        if chance > 1 - 4e-5 and not timestep.first():
            return timestep._replace(reward=float("nan"))
        return timestep


def make(
    *, seed: int, evaluation: bool = False, always: bool = False
) -> dm_env.Environment:
    """CartPole that fails in training."""
    made = environments.make("gym:CartPole-v1", seed=seed, evaluation=evaluation)
    return made if evaluation else Failing(made, always=always)


def main() -> None:
    """Trains, and looks at the outcome."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--always", action="store_true")
    parser.add_argument("--steps", type=int, default=50_000)
    parser.add_argument("--workers", type=int, default=1)
    arguments = parser.parse_args()
    logging.basicConfig(format="%(message)s")
    builder = dqn.DQNBuilder(dqn.DQNBuilder.default_config("gym:CartPole-v1"))
    with tempfile.TemporaryDirectory() as folder:
        config = experiments.ExperimentConfig(
            agent="dqn",
            environment="failing CartPole",
            environment_factory=functools.partial(make, always=arguments.always),
            builder=builder,
            num_actor_steps=arguments.steps,
            run_dir=pathlib.Path(folder) / "run",
            environment_workers=arguments.workers,
            environment_timeout_s=_TIMEOUT_S,
        )
        try:
            result = experiments.run_experiment(config)
        except experiments.RunError as error:
            print(error)
            sys.exit(0 if arguments.always else 1)
    print(f"return {result.episode_return:.1f} at {result.num_actor_steps:,} steps")
    sys.exit(
        0 if result.episode_return >= _LEAST_RETURN and not arguments.always else 1
    )


if __name__ == "__main__":
    main()
