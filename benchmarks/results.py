"""Do the agents learn as well as published? Trains each agent on several seeds.

Runs `tfagents train` for every row of `BARS` and every seed, two at a time, under
`runs/results`; finished runs are not repeated. The evaluations, the configuration and
the result of every run are copied to `benchmarks/results`, with a table and a picture
of each row. Takes about an hour on two cores.

    python -m benchmarks.results [--only NAME ...] [--draw]
"""

from __future__ import annotations

import argparse
import concurrent.futures
import dataclasses
import json
import os
import pathlib
import shutil
import subprocess
import sys
from typing import Any

import numpy as np

from tfagents_core import plotting

RUNS = pathlib.Path("runs/results")
RESULTS = pathlib.Path(__file__).parent / "results"
DEMO = RESULTS / "demo-run"  # A run of `make demo`, with all of its metrics.
NUM_JOBS = 2


@dataclasses.dataclass(frozen=True)
class Bar:
    """The returns that one agent must reach on one task.

    Attributes:
        name: name of the folder and of the picture.
        agent: the agent's name, as in `tfagents list`.
        environment: the environment's id; `{seed}` stands for the seed.
        steps: agent steps to train for.
        marks: by agent steps, the evaluation return that the mean over seeds must
            reach.
        reference: published results, for the table.
        arguments: further arguments of `tfagents train`.
        num_seeds: number of seeds: 0, 1, ...
    """

    name: str
    agent: str
    environment: str
    steps: int
    marks: dict[int, float]
    reference: str = ""
    arguments: tuple[str, ...] = ()
    num_seeds: int = 3

    def run_dir(self, seed: int) -> pathlib.Path:
        """The run directory of one seed."""
        return RUNS / self.name / f"seed{seed}"

    def command(self, seed: int) -> list[str]:
        """The command that trains one seed."""
        environment = self.environment.format(seed=seed)
        options = f"--steps {self.steps} --seed {seed} --run-dir {self.run_dir(seed)}"
        words = ["train", self.agent, environment, *options.split()]
        return ["tfagents", *words, *self.arguments]


BARS = (
    Bar(
        "d4pg-cartpole-balance",
        "d4pg",
        "control:cartpole:balance",
        100_000,
        {100_000: 950},
        "D4PG, 10 seeds: 981 ± 30 at 100k",
    ),
    Bar(
        "d4pg-cartpole-swingup",
        "d4pg",
        "control:cartpole:swingup",
        250_000,
        {100_000: 500, 250_000: 840},
        "D4PG, 10 seeds: 551 ± 168 at 100k, 865 ± 8 at 250k",
    ),
    Bar(
        "dqn-cartpole",
        "dqn",
        "gym:CartPole-v1",
        50_000,
        {50_000: 475},
        "DQN, 1 run: 500 at 50k",
        num_seeds=5,
    ),
    Bar(
        "dqn-catch",
        "dqn",
        f"bsuite:catch/0?results_dir={RUNS}/dqn-catch/bsuite{{seed}}",
        90_000,
        {90_000: 0.9},
        "the greatest return there is: 1",
    ),
    Bar(
        "ppo-cartpole",
        "ppo",
        "gym:CartPole-v1",
        100_000,
        {100_000: 475},
        "the greatest return there is: 500",
    ),
    Bar(
        "sac-pendulum",
        "sac",
        "gym:Pendulum-v1",
        20_000,
        {20_000: -200},
        "SAC of RL Zoo, 1 run: -157 at 20k",
        ("--eval-every", "2_000"),
    ),
)


def train(bar: Bar, seed: int) -> None:
    """Trains one seed in another process on one core, unless it is finished."""
    run_dir = bar.run_dir(seed)
    if (run_dir / "result.json").exists():
        return
    shutil.rmtree(run_dir, ignore_errors=True)
    shutil.rmtree(RUNS / bar.name / f"bsuite{seed}", ignore_errors=True)
    command = bar.command(seed)
    print("$", " ".join(command), flush=True)
    # With more threads, the runs at the same time would slow each other.
    one_core = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
    log = RUNS / bar.name / f"seed{seed}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "w") as output:
        subprocess.run(
            [sys.executable, "-m", "tfagents_core.cli", *command[1:]],
            check=True,
            stdout=output,
            stderr=output,
            env={**os.environ, **one_core},
        )


def keep(bar: Bar, seed: int) -> None:
    """Copies one run's evaluations, configuration and result to `RESULTS`."""
    run_dir, kept = bar.run_dir(seed), RESULTS / bar.name / f"seed{seed}"
    kept.mkdir(parents=True, exist_ok=True)
    lines = (run_dir / "metrics.jsonl").read_text().splitlines(keepends=True)
    evaluations = [line for line in lines if json.loads(line)["kind"] == "eval"]
    (kept / "metrics.jsonl").write_text("".join(evaluations))
    for name in ("config.json", "result.json"):
        shutil.copy(run_dir / name, kept / name)
    record = RUNS / bar.name / f"bsuite{seed}"
    if record.exists():
        (kept / "bsuite.json").write_text(json.dumps(bsuite_score(record)) + "\n")


def bsuite_score(record: pathlib.Path) -> dict[str, float]:
    """bsuite's own score and the total regret of a recorded run of catch."""
    from bsuite.experiments.catch import analysis
    from bsuite.logging import csv_load

    data, _ = csv_load.load_bsuite(str(record))
    return {
        "score": float(analysis.score(data)),
        "total_regret": float(data.total_regret.max()),
        "episodes": int(data.episode.max()),
    }


def table() -> str:
    """All stored results, as a Markdown table."""
    lines = [
        "| task | agent steps | bar | mean | each seed | published |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for bar in BARS:
        runs = sorted((RESULTS / bar.name).glob("seed*"))
        for steps in bar.marks if runs else {}:
            returns = [_return_at(run, steps) for run in runs]
            cells: list[Any] = [
                f"{bar.agent} `{bar.environment.partition('?')[0]}`",
                f"{steps:,}",
                f"≥ {bar.marks[steps]:g}",
                f"{np.mean(returns):.1f}",
                ", ".join(f"{value:.1f}" for value in returns),
                bar.reference + _bsuite_note(runs),
            ]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _bsuite_note(runs: list[pathlib.Path]) -> str:
    """bsuite's own scores of recorded runs, for the table; its threshold is 0.9."""
    paths = [run / "bsuite.json" for run in runs if (run / "bsuite.json").exists()]
    scores = [json.loads(path.read_text()) for path in paths]
    if not scores:
        return ""
    return "; bsuite score (total regret) " + ", ".join(
        f"{s['score']:.3f} ({s['total_regret']:.0f})" for s in scores
    )


def _return_at(run: pathlib.Path, steps: int) -> float:
    """Mean return of the first evaluation at or after `steps`."""
    rows = [json.loads(line) for line in (run / "metrics.jsonl").open()]
    return float(
        next(r["episode_return"] for r in rows if r["num_actor_steps"] >= steps)
    )


def draw(output: pathlib.Path = RESULTS) -> None:
    """Draws the stored results and writes their tables into `output`."""
    output.mkdir(parents=True, exist_ok=True)
    commands = "\n".join(f"    {' '.join(bar.command(0))}" for bar in BARS)
    pictures = []
    for bar in BARS:
        runs = sorted((RESULTS / bar.name).glob("seed*"))
        if runs:
            plotting.plot_runs(runs, output / f"{bar.name}.png")
            pictures.append(f"![Learning curves of {bar.name}]({bar.name}.png)\n")
    (output / "README.md").write_text(
        "# Results\n\nWritten by `make results`, and again from the stored runs by "
        "`make pictures`. An evaluation is\nthe mean return over 10 episodes of the "
        "policy without exploration, in environments that training\ndoes not use. "
        "Bands are 95% bootstrap confidence intervals of the mean over seeds. The "
        "commands,\n"
        f"for seed 0:\n\n{commands}\n\n{table()}\n" + "\n".join(pictures)
    )
    plotting.plot_runs([DEMO], output / "demo.png")
    plotting.draw_page(DEMO, output / "demo-page.png")


def main() -> None:
    """Trains the chosen agents, copies their results and draws them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", default=[bar.name for bar in BARS])
    parser.add_argument("--draw", action="store_true", help="only draw what is kept")
    arguments = parser.parse_args()
    if not arguments.draw:
        runs = [
            (bar, seed)
            for bar in BARS
            if bar.name in arguments.only
            for seed in range(bar.num_seeds)
        ]
        with concurrent.futures.ThreadPoolExecutor(NUM_JOBS) as pool:
            list(pool.map(lambda run: train(*run), runs))
        for run in runs:
            keep(*run)
    draw()


if __name__ == "__main__":
    main()
