"""Kills a training run again and again, and checks what is left.

A child trains from the newest checkpoint until `kill -9` hits it at a random step, or
at a random moment of its start. The parent then checks that the newest intact
checkpoint is that of the last save that was due, or the one before where the kill hit
that save; that `metrics.jsonl` has whole lines only, but for a torn last one; and that
the next child does begin at that checkpoint. In the end the run must have the
variables, the returns and the rows of one that nobody touched.

Children are forked from a parent that has imported TensorFlow and used nothing of it,
so each costs no second import; a child alone starts TensorFlow's threads.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import mmap
import os
import pathlib
import signal
import tempfile
import time
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np

from tfagents_core import checkpointing, core, experiments
from tfagents_core.agents import d4pg, dqn, ppo, sac

STARTS_KILLED = 0.2  # This share of kills hit a child that has not taken a step yet.
LONGEST_START_S = 4.0
STUCK_S = 600.0


@dataclasses.dataclass(frozen=True)
class Task:
    """What is trained: `num_steps` actor steps, a checkpoint every `period`."""

    environment: str
    builder: core.Builder[Any, Any]
    num_steps: int
    period: int

    def config(self, run_dir: pathlib.Path) -> experiments.ExperimentConfig:
        """The run in `run_dir`; saves by time would make periods vary."""
        return experiments.ExperimentConfig(
            agent="agent",
            environment=self.environment,
            builder=self.builder,
            num_actor_steps=self.num_steps,
            run_dir=run_dir,
            envs_per_actor=1,
            eval_every=self.num_steps // 3,
            eval_episodes=1,
            learner_log_every=7,
            checkpoint_every=self.period,
            checkpoint_every_s=1e9,
        )


SMALL = {"min_replay_size": 50, "max_replay_size": 1_000, "samples_per_insert": 64.0}
DQN = dqn.DQNConfig(layer_sizes=(32,), **SMALL)
D4PG = d4pg.D4PGConfig(
    policy_layer_sizes=(32,), critic_layer_sizes=(32,), jit_compile=False, **SMALL
)
ATARI = dataclasses.replace(
    dqn.DQNConfig.for_atari(), min_replay_size=50, max_replay_size=1_000
)
SAC = sac.SACConfig(
    policy_layer_sizes=(32,),
    critic_layer_sizes=(32,),
    batch_size=32,
    num_random_steps=50,
    **SMALL,
)
PPO = ppo.PPOConfig(num_unrolls=2, unroll_length=64, normalize_observations=True)
BUILDERS: dict[tuple[str, str], core.Builder[Any, Any]] = {
    ("dqn", "gym:CartPole-v1"): dqn.DQNBuilder(DQN),
    ("dqn", "bsuite:catch/0"): dqn.DQNBuilder(DQN),
    ("dqn", "atari:Pong"): dqn.DQNBuilder(ATARI),
    ("d4pg", "control:cartpole:swingup"): d4pg.D4PGBuilder(D4PG),
    ("ppo", "gym:CartPole-v1"): ppo.PPOBuilder(PPO),
    ("sac", "gym:Pendulum-v1"): sac.SACBuilder(SAC),
}


class Progress:
    """What a child tells its parent, in memory that both see.

    Attributes:
        steps: actor steps that the child had taken when it was last heard of, and
            those that it began with; -1 before its first tick.
    """

    def __init__(self) -> None:
        self.steps = np.frombuffer(mmap.mmap(-1, 16), np.int64)
        self.clear()

    def clear(self) -> None:
        """Forgets the child before."""
        self.steps[:] = -1

    def watch(self) -> None:
        """Has every step of the calling process reported."""
        step = experiments.InlineExperiment.step

        def reporting_step(self_: experiments.InlineExperiment) -> Any:
            if self.steps[1] < 0:
                self.steps[1] = self_.counters.num_actor_steps
            outcome = step(self_)
            self.steps[0] = self_.counters.num_actor_steps
            return outcome

        experiments.InlineExperiment.step = reporting_step  # type: ignore[method-assign]


def start(work: Callable[[], object]) -> int:
    """Forks a child that does `work`; gives its process id."""
    child = os.fork()
    if child:
        return child
    try:
        work()
    except Exception:  # noqa: BLE001 - the child must not become a second parent.
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def wait(child: int, until: Callable[[], bool]) -> None:
    """Returns once `until`; AssertionError when the child ends before."""
    deadline_s = time.monotonic() + STUCK_S
    while not until():
        ended, status = os.waitpid(child, os.WNOHANG)
        assert ended == 0, f"the child ended by itself: {status}"
        assert time.monotonic() < deadline_s, "the child is stuck"
        time.sleep(0.0005)


def check(run_dir: pathlib.Path, reached: int, period: int) -> tuple[int, bool]:
    """Checks the files of a run that was killed when it had reached so many steps.

    Returns:
        The step of the newest intact checkpoint, 0 without one, and whether the kill
        hit a save.
    """
    parent = run_dir / "checkpoints"
    newest = checkpointing.latest_intact(parent)
    saved = 0 if newest is None else int(newest.name.split("-")[1])
    was_saving = any(parent.glob("*.unfinished"))
    # The last save that had begun for certain: the next step comes after.
    begun = max(reached - 1, 0) // period * period
    oldest = begun - period if was_saving else begun
    assert saved >= oldest, f"killed at {reached}, the newest is of {saved}"
    metrics = run_dir / "metrics.jsonl"
    lines = metrics.read_bytes().split(b"\n")[:-1] if metrics.exists() else []
    for line in lines:
        json.loads(line)
    return saved, was_saving


def torture(task: Task, num_kills: int, seed: int, run_dir: pathlib.Path) -> None:
    """Kills the run `num_kills` times; AssertionError when that did harm."""
    rng, progress = np.random.default_rng(seed), Progress()
    saved = num_within = oldest = 0

    def train() -> None:
        progress.watch()
        experiments.run_experiment(task.config(run_dir))

    for kill in range(num_kills):
        progress.clear()
        child = start(train)
        if rng.random() < STARTS_KILLED:
            time.sleep(rng.uniform(0, LONGEST_START_S))
        else:
            share = (task.num_steps - saved) // (num_kills - kill + 1)
            goal = saved + int(rng.integers(1, 2 * share + 1))
            wait(child, lambda goal=goal: progress.steps[0] >= goal)  # type: ignore[misc]
            time.sleep(rng.uniform(0, 0.02))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        reached, began = (int(n) for n in progress.steps)
        assert began in (-1, saved), f"began at {began}, not at {saved}"
        saved, was_saving = check(run_dir, max(reached, saved), task.period)
        num_within += was_saving
        oldest = max(oldest, reached - saved)
    child = start(train)
    assert os.waitpid(child, 0)[1] == 0
    print(
        f"{num_kills} kills, {num_within} of them within a save: every start found an "
        f"intact checkpoint, at most {oldest} steps old where {task.period} lie "
        "between two"
    )


def outcome(run_dir: pathlib.Path) -> dict[str, Any]:
    """What two runs must agree in."""
    result = json.loads((run_dir / "result.json").read_text())
    lines = (run_dir / "metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    return {
        "variables_sha256": result["variables_sha256"],
        "episode_returns": result["episode_returns"],
        "rows": [
            {name: v for name, v in row.items() if not name.endswith("_s")}
            for row in rows
        ],
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    agents, environments = (sorted(set(names)) for names in zip(*BUILDERS, strict=True))
    parser.add_argument("--agent", choices=agents, default="dqn")
    parser.add_argument(
        "--environment", choices=environments, default="gym:CartPole-v1"
    )
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--steps", type=int, default=5_000)
    parser.add_argument("--period", type=int, default=50, help="steps between saves")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    pair = (arguments.agent, arguments.environment)
    if pair not in BUILDERS:
        parser.error(f"no such pair; there are {', '.join(map(str, BUILDERS))}")
    builder = BUILDERS[pair]
    task = Task(arguments.environment, builder, arguments.steps, arguments.period)
    with tempfile.TemporaryDirectory() as directory:
        whole, killed = pathlib.Path(directory, "whole"), pathlib.Path(directory, "run")
        child = start(lambda: experiments.run_experiment(task.config(whole)))
        torture(task, arguments.kills, arguments.seed, killed)
        assert os.waitpid(child, 0)[1] == 0
        ours, theirs = outcome(killed), outcome(whole)
        for name, value in theirs.items():
            assert ours[name] == value, f"{name} differs from the run left alone"
    print(
        f"the same variables ({ours['variables_sha256'][:12]}), returns and "
        f"{len(ours['rows'])} rows as in a run left alone"
    )


if __name__ == "__main__":
    main()
