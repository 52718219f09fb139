"""How training scales: environment workers inline, and actors in threads and on Ray.

    python -m benchmarks.scaling workers          # steps/s against workers
    python -m benchmarks.scaling actors           # steps/s against actors, by launcher
    python -m benchmarks.scaling curves           # returns against steps and time
    python -m benchmarks.scaling draw             # the curves' picture, from their lines

Each case is a process of its own, one at a time, and gives a JSON line. A slow
environment waits 10 ms in every step, as a robot or a renderer does; the wait costs no
processor, so that two cores show what many show for environments that do.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import itertools
import json
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import dm_env

from tfagents_core import environments
from tfagents_core.environments import wrappers

RESULTS = pathlib.Path(__file__).parent / "results" / "scaling"
TASK = "control:cartpole:balance"
STEP_S = {"plain": 0.0, "slow": 0.010}


def make_slow(
    *, seed: int, evaluation: bool = False, step_s: float
) -> dm_env.Environment:
    """The task, with a wait in every step of training."""
    made = environments.make(TASK, seed=seed, evaluation=evaluation)
    return made if evaluation or not step_s else wrappers.Delay(made, step_s=step_s)


@dataclasses.dataclass(frozen=True)
class Case:
    """What is run.

    Attributes:
        benchmark: which of the three.
        environment: plain or slow.
        launcher: of the run.
        num_actors: of the run.
        envs_per_actor: of the run.
        workers: processes for environments.
        steps: to train for.
        seed: of the run.
        samples_per_insert: how much is learned.
    """

    benchmark: str
    environment: str
    launcher: str = "inline"
    num_actors: int = 1
    envs_per_actor: int = 8
    workers: int = 0
    steps: int = 4_000
    seed: int = 0
    samples_per_insert: float = 8.0


def worker_cases() -> Iterator[Case]:
    """Inline, eight environments, by workers."""
    for environment, workers in itertools.product(STEP_S, (0, 1, 2, 4)):
        yield Case("workers", environment, workers=workers)


def actor_cases() -> Iterator[Case]:
    """One environment an actor, by launcher and actors."""
    for environment, launcher, num_actors in itertools.product(
        STEP_S, ("threads", "ray"), (1, 2, 4)
    ):
        yield Case(
            "actors", environment, launcher, num_actors=num_actors, envs_per_actor=1
        )


def curve_cases() -> Iterator[Case]:
    """Returns, by launcher and actors, with the published configuration: hours."""
    for environment, launcher, num_actors in itertools.product(
        STEP_S, ("threads", "ray"), (1, 2, 4)
    ):
        yield Case(
            "curves",
            environment,
            launcher,
            num_actors=num_actors,
            envs_per_actor=1,
            steps=50_000,
            samples_per_insert=32.0,
        )


CASES = {"workers": worker_cases, "actors": actor_cases, "curves": curve_cases}


def run(case: Case, run_dir: pathlib.Path) -> dict[str, Any]:
    """Trains; speeds are of the time after the first learner step."""
    from tfagents_core import experiments
    from tfagents_core.agents import d4pg

    config = d4pg.D4PGConfig(samples_per_insert=case.samples_per_insert)
    if case.benchmark != "curves":  # Whose learner has to keep up on few cores.
        config = dataclasses.replace(
            config,
            policy_layer_sizes=(64, 64),
            critic_layer_sizes=(64, 64),
            min_replay_size=500,
        )
    start = time.perf_counter()
    result = experiments.run_experiment(
        experiments.ExperimentConfig(
            agent="d4pg",
            environment=TASK,
            environment_factory=functools.partial(
                make_slow, step_s=STEP_S[case.environment]
            ),
            builder=d4pg.D4PGBuilder(config),
            num_actor_steps=case.steps,
            run_dir=run_dir,
            seed=case.seed,
            launcher=case.launcher,
            num_actors=case.num_actors,
            envs_per_actor=case.envs_per_actor,
            environment_workers=case.workers,
            eval_every=5_000 if case.benchmark == "curves" else 0,
            eval_episodes=2 if case.benchmark == "curves" else 1,
            learner_log_every=1,
        )
    )
    lines = (run_dir / "metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    learned = [row for row in rows if row["kind"] == "learner"]
    first, last = learned[0], learned[-1]
    steps = last["num_actor_steps"] - first["num_actor_steps"]
    return {
        **dataclasses.asdict(case),
        "env_steps_per_s": steps / (last["walltime_s"] - first["walltime_s"]),
        "samples_per_insert_measured": last["replay_samples"] / last["replay_inserts"],
        "sha256": result.variables_sha256 if case.launcher == "inline" else None,
        "start_s": first["walltime_s"],
        "total_s": time.perf_counter() - start,
        "evaluations": [
            [row["num_actor_steps"], row["walltime_s"], row["episode_return"]]
            for row in rows
            if row["kind"] == "eval"
        ],
    }


def draw(lines: pathlib.Path, picture: pathlib.Path) -> None:
    """Draws the returns of `curves` against steps and against time."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    rows = [json.loads(line) for line in lines.read_text().splitlines()]
    launchers = sorted({row["launcher"] for row in rows}, reverse=True)
    figure, axes = pyplot.subplots(
        len(launchers), 2, figsize=(9, 3.2 * len(launchers)), sharey=True, squeeze=False
    )
    for row in rows:
        places = axes[launchers.index(row["launcher"])]
        steps, seconds, returns = zip(*row["evaluations"], strict=True)
        for place, values in zip(places, (steps, seconds), strict=True):
            place.plot(values, returns, "o-", label=f"{row['num_actors']} actors")
    for launcher, (left, right) in zip(launchers, axes, strict=True):
        left.set(xlabel="environment steps", ylabel=f"return, {launcher}")
        right.set(xlabel="seconds")
        right.legend()
    figure.tight_layout()
    figure.savefig(picture, dpi=110)


def main() -> None:
    """Runs the cases of a benchmark one after another, or one case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("benchmark", choices=[*CASES, "case", "draw"])
    parser.add_argument("--case", help="a case as JSON, for `case`")
    parser.add_argument("--only", help="cases in whose JSON this stands")
    parser.add_argument("--steps", type=int, help="instead of the cases' own")
    arguments = parser.parse_args()
    if arguments.benchmark == "draw":
        draw(RESULTS / "curves.jsonl", RESULTS / "curves.png")
        return
    if arguments.benchmark == "case":
        with tempfile.TemporaryDirectory() as folder:
            case = Case(**json.loads(arguments.case))
            print(json.dumps(run(case, pathlib.Path(folder) / "run")), flush=True)
        return
    for case in CASES[arguments.benchmark]():
        if arguments.steps:
            case = dataclasses.replace(case, steps=arguments.steps)
        described = json.dumps(dataclasses.asdict(case))
        if arguments.only and arguments.only not in described:
            continue
        command = [sys.executable, "-m", "benchmarks.scaling", "case", "--case"]
        subprocess.run([*command, described], check=True)


if __name__ == "__main__":
    main()
