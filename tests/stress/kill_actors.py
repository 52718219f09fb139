"""Kills a random actor of a Ray run every few seconds, and looks at what the replay has.

    python -m tests.stress.kill_actors --seconds 60 --every 5 --step-s 0.01

The environments number their steps and never end an episode. At the end the replay must
have each environment's steps without a gap, and none twice, whoever was killed when; and
every actor that was killed must have acted again within `--back-within` seconds. An
actor takes some six seconds of a core to begin, so there must be a core to spare:
`--step-s` has environments wait, as simulators do, and with 0 actors take all there is.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import functools
import os
import pathlib
import random
import signal
import tempfile
import time
from typing import Any

import dm_env
import numpy as np
import ray
from dm_env import specs

from tfagents_core import experiments
from tfagents_core.agents import dqn
from tfagents_core.distributed import ray_launcher


class Counting(dm_env.Environment):
    """Observes who it is, and how many steps it has taken."""

    def __init__(self, seed: int, step_s: float) -> None:
        self._seed = seed % 2**20
        self._tick = -1
        self._step_s = step_s

    def reset(self) -> dm_env.TimeStep:
        self._tick += 1
        return dm_env.restart(self._observe())

    def step(self, action: Any) -> dm_env.TimeStep:
        time.sleep(self._step_s)
        self._tick += 1
        return dm_env.transition(0.0, self._observe())

    def _observe(self) -> np.ndarray:
        return np.array([self._seed, self._tick], np.float32)

    def observation_spec(self) -> specs.Array:
        return specs.Array((2,), np.float32)

    def action_spec(self) -> specs.DiscreteArray:
        return specs.DiscreteArray(2)


def make_environment(
    *, seed: int, evaluation: bool = False, step_s: float
) -> dm_env.Environment:
    """An environment of its seed."""
    return Counting(seed, step_s)


def make_config(run_dir: pathlib.Path, step_s: float) -> experiments.ExperimentConfig:
    """DQN, whose replay forgets nothing."""
    config = dqn.DQNConfig(
        layer_sizes=(16,),
        n_step=1,
        min_replay_size=100,
        max_replay_size=1_000_000,
        samples_per_insert=1.0,
    )
    return experiments.ExperimentConfig(
        agent="dqn",
        environment="counting",
        builder=dqn.DQNBuilder(config),
        num_actor_steps=10**9,
        run_dir=run_dir,
        launcher="ray",
        num_actors=4,
        envs_per_actor=2,
        environment_factory=functools.partial(make_environment, step_s=step_s),
    )


def run(experiment: Any, *, seconds: float, every: float) -> list[float]:
    """Steps and kills; returns how long each killed actor was away, in seconds."""
    actors = list(experiment._actors)
    chance = random.Random(0)
    away: dict[Any, tuple[float, int]] = {}
    back: list[float] = []
    end, next_kill = time.monotonic() + seconds, 0.0
    while time.monotonic() < end or away:
        experiment.step()
        now = time.monotonic()
        for actor, (since, steps) in list(away.items()):
            if experiment._actor_steps[experiment._actors[actor].index] > steps:
                back.append(now - since)
                del away[actor]
        there = [each for each in actors if each not in away]
        if next_kill <= now < end and there:
            next_kill = now + every
            actor = chance.choice(there)
            with contextlib.suppress(ray.exceptions.RayActorError):
                os.kill(_process_of(actor.handle), signal.SIGKILL)
                steps = int(experiment._actor_steps[experiment._actors[actor].index])
                away[actor] = (now, steps)
    return back


def _process_of(handle: Any) -> int:
    return int(ray.get(handle.__ray_call__.remote(lambda _: os.getpid())))


def check(experiment: Any) -> int:
    """Checks the steps in the replay; returns how many there are.

    Raises:
        AssertionError: one is missing or double.
    """

    def read(host: Any) -> Any:
        (table,) = host._service._buffer.tables.values()
        return table.get(table.keys()).data.observation

    observations = ray.get(experiment._shards[0].handle.__ray_call__.remote(read))
    ticks = collections.defaultdict(list)
    for seed, tick in observations:
        ticks[int(seed)].append(int(tick))
    for mine in ticks.values():
        assert sorted(mine) == list(range(len(mine))), "a step is missing or double"
    return len(observations)


def main() -> None:
    """Runs, kills, checks, and says how it went."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--every", type=float, default=5.0)
    parser.add_argument("--step-s", type=float, default=0.01)
    parser.add_argument("--back-within", type=float, default=10.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        config = make_config(pathlib.Path(directory), options.step_s)
        experiment = ray_launcher.RayExperiment(config)
        with contextlib.closing(experiment):
            while experiment.counters.num_actor_steps < 1_000:
                experiment.step()
            back = run(experiment, seconds=options.seconds, every=options.every)
            experiment.halt()
            num_steps = check(experiment)
    print(
        f"{len(back)} kills; actors were back after {np.median(back):.1f} s, at most "
        f"{max(back):.1f} s; {num_steps:,} transitions, none missing or double"
    )
    assert max(back) < options.back_within


if __name__ == "__main__":
    main()
