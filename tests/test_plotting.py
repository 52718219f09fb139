"""Learning curves: what is read, how seeds are joined, what is written."""

import builtins
import csv
import json

import numpy as np
import pytest

from tfagents_core import plotting


def _row(kind, num_actor_steps, episode_return):
    return {
        "kind": kind,
        "num_actor_steps": num_actor_steps,
        "num_learner_steps": 0,
        "walltime_s": 0.0,
        "episode_return": episode_return,
    }


def _make_run(path, rows, *, agent="d4pg", environment="gym:Pole", seed=0):
    path.mkdir(parents=True)
    config = {"agent": agent, "environment": environment, "seed": seed}
    (path / "config.json").write_text(json.dumps(config))
    lines = [json.dumps(row) + "\n" for row in rows]
    (path / "metrics.jsonl").write_text("".join(lines))
    return path


def _evaluations(points):
    return [_row("eval", steps, value) for steps, value in points]


def _read_table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_is_its_evaluations(tmp_path):
    rows = [
        _row("train", 5, 1.0),
        *_evaluations([(10, 2.0), (20, None), (30, 4.0)]),
        {"kind": "learner", "num_actor_steps": 30, "loss": 1.0},
    ]
    run = plotting.load_run(_make_run(tmp_path / "run", rows, seed=3))
    assert (run.agent, run.environment, run.seed) == ("d4pg", "gym:Pole", 3)
    assert run.kind == "eval"
    np.testing.assert_array_equal(run.num_actor_steps, [10, 30])
    np.testing.assert_array_equal(run.episode_returns, [2.0, 4.0])


def test_without_evaluations_training_returns_are_smoothed_over_twenty(tmp_path):
    rows = [_row("train", step, float(step)) for step in range(1, 31)]
    run = plotting.load_run(_make_run(tmp_path / "run", rows))
    assert run.kind == "train"
    expected = [np.mean(np.arange(max(1, n - 19), n + 1)) for n in range(1, 31)]
    np.testing.assert_allclose(run.episode_returns, expected)


def test_a_torn_last_line_is_left_out(tmp_path):
    path = _make_run(tmp_path / "run", _evaluations([(10, 2.0)]))
    with (path / "metrics.jsonl").open("a") as file:
        file.write('{"kind": "eval", "num_act')
    np.testing.assert_array_equal(plotting.load_run(path).num_actor_steps, [10])


def test_a_directory_without_a_run_is_refused_by_name(tmp_path):
    with pytest.raises(ValueError, match=rf"{tmp_path.name} holds no run"):
        plotting.load_run(tmp_path)


def test_a_run_without_a_return_is_refused_by_name(tmp_path):
    path = _make_run(tmp_path / "young", [])
    with pytest.raises(ValueError, match="young has nothing to plot yet"):
        plotting.load_run(path)


def test_seeds_are_averaged_where_all_have_figures(tmp_path):
    runs = [
        plotting.load_run(
            _make_run(tmp_path / str(seed), _evaluations(points), seed=seed)
        )
        for seed, points in enumerate(
            [[(10, 0.0), (20, 10.0), (30, 20.0)], [(10, 4.0), (20, 6.0)]]
        )
    ]
    (curve,) = plotting.aggregate(runs)
    np.testing.assert_array_equal(curve.num_actor_steps, [10, 20])
    np.testing.assert_allclose(curve.mean, [2.0, 8.0])


def test_seeds_evaluated_at_other_steps_are_interpolated(tmp_path):
    runs = [
        plotting.load_run(_make_run(tmp_path / name, _evaluations(points)))
        for name, points in {
            "a": [(0, 0.0), (20, 20.0)],
            "b": [(0, 0.0), (10, 30.0), (20, 40.0)],
        }.items()
    ]
    (curve,) = plotting.aggregate(runs)
    np.testing.assert_array_equal(curve.num_actor_steps, [0, 10, 20])
    np.testing.assert_allclose(curve.mean, [0.0, 20.0, 30.0])


def test_seeds_with_no_step_in_common_meet_at_the_earlier_end(tmp_path):
    runs = [
        plotting.load_run(_make_run(tmp_path / str(step), _evaluations([(step, 1.0)])))
        for step in (100, 103)
    ]
    (curve,) = plotting.aggregate(runs)
    np.testing.assert_array_equal(curve.num_actor_steps, [100])


def test_the_interval_is_the_bootstraps(tmp_path):
    values = np.random.default_rng(7).normal(size=8)
    runs = [
        plotting.load_run(_make_run(tmp_path / str(seed), _evaluations([(1, value)])))
        for seed, value in enumerate(values)
    ]
    (curve,) = plotting.aggregate(runs)
    rng = np.random.default_rng(11)
    means = rng.choice(values, size=(20_000, 8)).mean(axis=1)
    lower, upper = np.percentile(means, [2.5, 97.5])
    assert curve.lower[0] == pytest.approx(lower, abs=0.06)
    assert curve.upper[0] == pytest.approx(upper, abs=0.06)
    assert plotting.aggregate(runs)[0].lower[0] == curve.lower[0]


def test_one_seed_has_no_interval(tmp_path):
    run = plotting.load_run(_make_run(tmp_path / "run", _evaluations([(1, 2.0)])))
    (curve,) = plotting.aggregate([run])
    assert np.isnan(curve.lower).all()
    assert np.isnan(curve.upper).all()


def test_picture_and_table_are_written_side_by_side(tmp_path):
    paths = [
        _make_run(
            tmp_path / f"{agent}-{seed}",
            _evaluations([(1_000, seed), (2_000, seed + 1.0)]),
            agent=agent,
            environment=environment,
            seed=seed,
        )
        for agent, environment in [("d4pg", "gym:A"), ("dqn", "gym:A"), ("dqn", "b:B")]
        for seed in ([0, 1] if environment == "gym:A" else [2])
    ]
    output = tmp_path / "new" / "curves.png"
    plotting.plot_runs(paths, output)
    assert output.read_bytes().startswith(b"\x89PNG")
    table = _read_table(output.with_suffix(".csv"))
    assert [(row["environment"], row["agent"], row["num_seeds"]) for row in table] == [
        *[("b:B", "dqn", "1")] * 2,
        *[("gym:A", "d4pg", "2")] * 2,
        *[("gym:A", "dqn", "2")] * 2,
    ]
    assert (table[2]["num_actor_steps"], table[2]["episode_return"]) == ("1000", "0.5")
    assert (table[2]["lower_95"], table[2]["upper_95"]) == ("0", "1")
    assert table[0]["lower_95"] == ""


def test_without_matplotlib_the_extra_is_named(tmp_path, monkeypatch):
    path = _make_run(tmp_path / "run", _evaluations([(1, 2.0)]))
    real_import = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name.startswith("matplotlib"):
            raise ModuleNotFoundError("No module named 'matplotlib'")
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ImportError, match=r"tfagents-core\[plots\]"):
        plotting.plot_runs([path], tmp_path / "curves.png")
    assert not (tmp_path / "curves.png").exists()


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (500, "500"), (25_000, "25k"), (1_500_000, "1.5M")],
)
def test_steps_are_written_short(value, text):
    assert plotting._thousands(value) == text


def test_a_style_that_another_package_left_behind_changes_nothing(tmp_path):
    mpl = pytest.importorskip("matplotlib")
    run = _make_run(tmp_path / "run", _evaluations([(10, 2.0), (20, 3.0)]))
    plotting.plot_runs([run], tmp_path / "before.png")
    with mpl.rc_context({"axes.facecolor": "#e5e5e5", "font.size": 20}):
        plotting.plot_runs([run], tmp_path / "after.png")
        assert mpl.rcParams["font.size"] == 20
    pictures = [(tmp_path / f"{name}.png").read_bytes() for name in ("before", "after")]
    assert pictures[0] == pictures[1]
