"""Writes rliable.json: what the rliable package says of a few scores.

rliable 1.2.0 does not run beside pandas 3, so it has an environment of its own:

    python3.11 -m venv rliable
    rliable/bin/pip install rliable==1.2.0 'pandas<3'
    rliable/bin/python tests/plotting/record_rliable.py
"""

import json
import pathlib

import numpy as np
from rliable import library, metrics

NUM_RESAMPLES = 50_000
AGGREGATES = {"mean": metrics.aggregate_mean, "iqm": metrics.aggregate_iqm}


def make_scores():
    """Scores by case, `[runs, tasks]`; tasks of one case are on levels of their own."""
    generator = np.random.default_rng(0)
    return {
        "3 runs of 1 task": generator.normal(size=(3, 1)),
        "10 runs of 1 task": generator.gamma(2.0, size=(10, 1)),
        "5 runs of 6 tasks": generator.normal(size=(5, 6)) + 4.0 * np.arange(6),
        "10 runs of 3 tasks": generator.gamma(2.0, size=(10, 3)) * [1.0, 5.0, 0.2],
    }


def main():
    np.random.seed(0)  # What rliable draws from.
    cases = []
    for name, scores in make_scores().items():
        scores = scores.round(4)
        estimates = {}
        for statistic, aggregate in AGGREGATES.items():
            points, intervals = library.get_interval_estimates(
                {"": scores},
                lambda s, aggregate=aggregate: np.array([aggregate(s)]),
                reps=NUM_RESAMPLES,
            )
            estimates[statistic] = [float(points[""][0]), *intervals[""][:, 0].tolist()]
        cases.append({"name": name, "scores": scores.tolist(), **estimates})
    path = pathlib.Path(__file__).with_name("rliable.json")
    lines = ",\n".join(json.dumps(case) for case in cases)
    path.write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
