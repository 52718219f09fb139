"""The replay's benchmarks answer; how fast is for a quiet machine to say."""

import dataclasses
import json
import pathlib
import sys

import numpy as np
import pytest

# The benchmarks are not installed; what is comes first.
sys.path.append(str(pathlib.Path(__file__).parent.parent))

from benchmarks import (
    floors,
    peers,
    replay,
    replay_figures,
    replay_peers,
    timing,
    training_speed,
)
from benchmarks.peers import ours

LITTLE = replay.Options(sizes=(500, 1_000), num_frames=1_000, repeats=2, seconds=0.02)


@pytest.mark.parametrize("question", replay.QUESTIONS)
def test_every_question_is_answered_in_json(question: str) -> None:
    lines = list(replay.QUESTIONS[question](LITTLE))
    assert lines
    for line in json.loads(json.dumps(lines)):
        assert "floor" in line or "left_out" in line


@pytest.mark.parametrize("workload", peers.WORKLOADS)
def test_our_replay_does_every_workload(workload: str) -> None:
    if "tensors" in workload:
        pytest.importorskip("tensorflow")
    work = ours.make(workload, peers.Settings(num_items=500, num_frames=300))
    batch_size = 1 if workload == "insert_one" else int(workload.split("_")[-1])
    assert work.items == batch_size * peers.NUM_BATCHES.get(workload, 1)
    work.call()


def test_the_plain_tree_draws_by_weight() -> None:
    weights = np.random.default_rng(0).uniform(0.1, 2.0, 1_000)
    tree = floors.PlainTree(weights)
    tree.update(np.array([3, 5]), np.array([0.0, 7.0]))()
    weights[[3, 5]] = 0.0, 7.0
    targets = np.random.default_rng(1).uniform(0, weights.sum(), 200)
    leaves, probabilities, draw = tree.draw(targets)
    draw()
    sums = np.cumsum(weights)
    np.testing.assert_array_equal(leaves, np.searchsorted(sums, targets, side="right"))
    np.testing.assert_allclose(probabilities, weights[leaves] / weights.sum())


def test_timing_calls_in_turn() -> None:
    called = []
    functions = {"a": lambda: called.append("a"), "b": lambda: called.append("b")}
    timings = timing.interleave(functions, repeats=2)
    assert set(called) == set(timings) == {"a", "b"}
    assert 0 < timings["a"].best <= timings["a"].median


def test_the_table_says_how_much_faster_ours_is() -> None:
    common = {"workload": "update_256", "items_per_s": 50.0}
    lines = [
        {**common, "replay": "ours", "items_per_s": 100.0},
        {**common, "replay": "cpprb", "ours_by_items_per_s": 2.0},
    ]
    table = replay_peers.table(lines, "items_per_s")
    assert table.splitlines()[-1] == "| 256 new priorities | 100 | 50 (ours 2×) |"


def test_the_growth_is_drawn_from_the_lines_kept(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib")
    questions = ("draw", "update", "sample_small")
    lines = [
        json.dumps({"question": name, **line}) + "\n"
        for name in questions
        for line in replay.QUESTIONS[name](LITTLE)
    ]
    (tmp_path / "replay.jsonl").write_text("".join(lines))
    monkeypatch.setattr(replay_figures, "RESULTS", tmp_path)
    replay_figures.draw()
    assert (tmp_path / "growth.png").stat().st_size > 10_000


@pytest.mark.parametrize("changes", [{}, {"num_sgd_steps_per_step": 4}])
def test_training_speed_says_where_the_time_goes(changes: dict[str, int]) -> None:
    pytest.importorskip("gymnasium")
    workload = training_speed.WORKLOADS["dqn"]
    little = {"layer_sizes": (8,), "min_replay_size": 100, "batch_size": 8}
    config = dataclasses.replace(workload.config, **little, **changes)
    line = training_speed.measure(workload._replace(config=config, steps=64), 2)
    parts = line["us_per_env_step"]
    assert set(parts) == {"act", "environment", "insert", "sample", "learn", "rest"}
    assert all(microseconds > 0 for microseconds in parts.values())
    assert len(line["env_steps_per_s_of_repeats"]) == 2
    assert line["env_steps_per_s"] == max(line["env_steps_per_s_of_repeats"])
    # 32 samples an insert, in batches of 8.
    assert line["env_steps_per_sgd_step"] == pytest.approx(0.25, rel=0.2)
