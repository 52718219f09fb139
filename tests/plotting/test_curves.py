"""Learning curves: what is read, how seeds are joined, what is written."""

import builtins
import csv

import numpy as np
import pytest

from tfagents_core import plotting
from tfagents_core.plotting import style

from . import helpers


def _load(path, points, **config):
    """A run whose evaluations are `points`."""
    rows = helpers.evaluations(points)
    return plotting.load_run(helpers.make_run(path, rows, **config))


def _read_table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_is_its_evaluations(tmp_path):
    rows = [
        helpers.row("train", 5, 1.0),
        *helpers.evaluations([(10, 2.0), (20, None), (30, 4.0)]),
        {"kind": "learner", "num_actor_steps": 30, "loss": 1.0},
    ]
    run = plotting.load_run(helpers.make_run(tmp_path / "run", rows, seed=3))
    assert (run.agent, run.environment, run.seed) == ("d4pg", "gym:Pole", 3)
    assert run.kind == "eval"
    np.testing.assert_array_equal(run.num_actor_steps, [10, 30])
    np.testing.assert_array_equal(run.episode_returns, [2.0, 4.0])


def test_without_evaluations_training_returns_are_smoothed_over_twenty(tmp_path):
    rows = [helpers.row("train", step, float(step)) for step in range(1, 31)]
    run = plotting.load_run(helpers.make_run(tmp_path / "run", rows))
    assert run.kind == "train"
    expected = [np.mean(np.arange(max(1, n - 19), n + 1)) for n in range(1, 31)]
    np.testing.assert_allclose(run.episode_returns, expected)


def test_a_torn_last_line_is_left_out(tmp_path):
    path = helpers.make_run(tmp_path / "run", helpers.evaluations([(10, 2.0)]))
    with (path / "metrics.jsonl").open("a") as file:
        file.write('{"kind": "eval", "num_act')
    np.testing.assert_array_equal(plotting.load_run(path).num_actor_steps, [10])


def test_a_directory_without_a_run_is_refused_by_name(tmp_path):
    with pytest.raises(ValueError, match=rf"{tmp_path.name} holds no run"):
        plotting.load_run(tmp_path)


def test_a_run_without_a_return_is_refused_by_name(tmp_path):
    path = helpers.make_run(tmp_path / "young", [])
    with pytest.raises(ValueError, match="young has nothing to plot yet"):
        plotting.load_run(path)


def test_seeds_are_averaged_where_all_have_figures(tmp_path):
    runs = [
        _load(tmp_path / str(seed), points, seed=seed)
        for seed, points in enumerate(
            [[(10, 0.0), (20, 10.0), (30, 20.0)], [(10, 4.0), (20, 6.0)]]
        )
    ]
    (curve,) = plotting.aggregate(runs)
    np.testing.assert_array_equal(curve.positions, [10, 20])
    np.testing.assert_allclose(curve.estimate.value, [2.0, 8.0])


def test_seeds_evaluated_at_other_steps_are_interpolated(tmp_path):
    runs = [
        _load(tmp_path / name, points)
        for name, points in {
            "a": [(0, 0.0), (20, 20.0)],
            "b": [(0, 0.0), (10, 30.0), (20, 40.0)],
        }.items()
    ]
    (curve,) = plotting.aggregate(runs)
    np.testing.assert_array_equal(curve.positions, [0, 10, 20])
    np.testing.assert_allclose(curve.estimate.value, [0.0, 20.0, 30.0])


def test_seeds_with_no_step_in_common_meet_at_the_earlier_end(tmp_path):
    runs = [_load(tmp_path / str(step), [(step, 1.0)]) for step in (100, 103)]
    (curve,) = plotting.aggregate(runs)
    np.testing.assert_array_equal(curve.positions, [100])


def test_the_interval_is_the_bootstraps(tmp_path):
    values = np.random.default_rng(7).normal(size=8)
    runs = [
        _load(tmp_path / str(seed), [(1, value)]) for seed, value in enumerate(values)
    ]
    (curve,) = plotting.aggregate(runs)
    rng = np.random.default_rng(11)
    means = rng.choice(values, size=(20_000, 8)).mean(axis=1)
    lower, upper = np.percentile(means, [2.5, 97.5])
    assert curve.estimate.lower[0] == pytest.approx(lower, abs=0.06)
    assert curve.estimate.upper[0] == pytest.approx(upper, abs=0.06)
    assert plotting.aggregate(runs)[0].estimate.lower[0] == curve.estimate.lower[0]


def test_the_statistic_is_the_one_asked_for(tmp_path):
    runs = [
        _load(tmp_path / str(seed), [(1, value)])
        for seed, value in enumerate([0.0, 1.0, 2.0, 90.0])
    ]
    (curve,) = plotting.aggregate(runs, statistic="iqm")
    assert curve.estimate.value == [1.5]


def test_over_wall_clock_time_seeds_meet_at_equal_times(tmp_path):
    runs = [
        _load(tmp_path / "fast", [(10, 0.0, 1.0), (20, 10.0, 2.0), (30, 20.0, 3.0)]),
        _load(tmp_path / "slow", [(10, 0.0, 2.0), (20, 10.0, 4.0)]),
    ]
    (curve,) = plotting.aggregate(runs, x="walltime")
    np.testing.assert_array_equal(curve.positions, [2.0, 3.0])
    np.testing.assert_allclose(curve.estimate.value, [5.0, 12.5])


def test_runs_with_other_settings_are_no_seeds_of_each_other(tmp_path):
    runs = [
        _load(tmp_path / str(n), [(1, n)], learning_rate=rate, n_step=3)
        for n, rate in enumerate([0.1, 0.2, 0.1])
    ]
    first, second = plotting.aggregate(runs)
    assert (first.agent, first.num_seeds) == ("d4pg (learning_rate=0.1)", 2)
    assert (second.agent, second.num_seeds) == ("d4pg (learning_rate=0.2)", 1)


def test_settings_of_another_environment_make_no_difference(tmp_path):
    runs = [
        _load(tmp_path / name, [(1, 0.0)], environment=name, batch_size=size)
        for name, size in [("gym:A", 32), ("gym:B", 256)]
    ]
    assert [curve.agent for curve in plotting.aggregate(runs)] == ["d4pg", "d4pg"]


@pytest.mark.parametrize(
    ("environment", "task"),
    [
        ("bsuite:catch/0?results_dir=runs/0", "bsuite:catch/0"),
        ("bsuite:catch/0?overwrite=true&results_dir=runs/0", "bsuite:catch/0"),
        ("atari:Pong?sticky_actions=false", "atari:Pong?sticky_actions=false"),
    ],
)
def test_where_a_record_goes_is_no_part_of_the_task(tmp_path, environment, task):
    assert (
        _load(tmp_path / "a", [(1, 0.0)], environment=environment).environment == task
    )


def test_many_points_are_thinned_to_what_a_picture_can_show(tmp_path):
    runs = [
        _load(tmp_path / str(n), [(step, step + n) for step in range(n, 2_000, 2)])
        for n in range(2)
    ]
    (curve,) = plotting.aggregate(runs)
    assert len(curve.positions) == 500
    assert (curve.positions[0], curve.positions[-1]) == (1, 1_998)
    np.testing.assert_allclose(curve.estimate.value, curve.positions + 0.5)


def _scored(tmp_path, numbers):
    """Runs of `d4pg` whose return is half of what counts as 1."""
    levels = {"gym:A": 50.0, "gym:B": 5.0}
    return [
        _load(tmp_path / f"{name}{seed}", [(1, levels[name])], environment=name)
        for name, number in numbers.items()
        for seed in range(number)
    ]


_SCALES = {"gym:A": (0.0, 100.0), "gym:*": (0.0, 10.0)}


def test_scores_of_all_environments_make_one_more_curve(tmp_path):
    runs = _scored(tmp_path, {"gym:A": 2, "gym:B": 2})
    curves = plotting.aggregate(runs, scales=_SCALES)
    assert [curve.environment for curve in curves] == ["gym:A", "gym:B", plotting.ALL]
    assert [curve.num_seeds for curve in curves] == [2, 2, 2]
    assert {curve.quantity for curve in curves} == {"score"}
    assert all(curve.estimate.value == [0.5] for curve in curves)


def test_an_agent_without_some_environment_has_no_score_of_all(tmp_path):
    runs = _scored(tmp_path, {"gym:A": 1, "gym:B": 1})
    runs.append(_load(tmp_path / "c", [(1, 0.0)], agent="dqn", environment="gym:B"))
    agents = [
        curve.agent
        for curve in plotting.aggregate(runs, scales=_SCALES)
        if curve.environment == plotting.ALL
    ]
    assert agents == ["d4pg"]


def test_unequal_numbers_of_seeds_make_no_score_of_all(tmp_path):
    runs = _scored(tmp_path, {"gym:A": 2, "gym:B": 1})
    with pytest.raises(ValueError, match="d4pg has 2 in gym:A, 1 in gym:B"):
        plotting.aggregate(runs, scales=_SCALES)


def test_an_environment_without_a_scale_is_refused_by_name(tmp_path):
    runs = _scored(tmp_path, {"gym:A": 1, "gym:B": 1})
    with pytest.raises(ValueError, match="No scale is given for gym:B"):
        plotting.aggregate(runs, scales={"gym:A": (0.0, 1.0)})


def test_one_seed_has_no_interval(tmp_path):
    run = _load(tmp_path / "run", [(1, 2.0)])
    (curve,) = plotting.aggregate([run])
    assert np.isnan(curve.estimate.lower).all()
    assert np.isnan(curve.estimate.upper).all()


def test_picture_and_table_are_written_side_by_side(tmp_path):
    paths = [
        helpers.make_run(
            tmp_path / f"{agent}-{seed}",
            helpers.evaluations([(1_000, seed), (2_000, seed + 1.0)]),
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


def test_a_run_named_twice_is_one_seed(tmp_path):
    run = helpers.make_run(tmp_path / "run", helpers.evaluations([(1, 2.0)]))
    same = tmp_path / "other" / ".." / "run"
    (tmp_path / "other").mkdir()
    (curve,) = plotting.plot_runs([run, same], tmp_path / "curves.png")
    assert curve.num_seeds == 1


def test_the_table_over_time_is_of_seconds(tmp_path):
    run = helpers.make_run(tmp_path / "run", helpers.evaluations([(1, 2.0, 7_300.5)]))
    plotting.plot_runs([run], tmp_path / "curves.png", x="walltime", statistic="iqm")
    (row,) = _read_table(tmp_path / "curves.csv")
    assert (row["walltime_s"], row["statistic"]) == ("7300.5", "iqm")


def test_the_text_says_where_each_curve_ends(tmp_path):
    runs = [
        _load(tmp_path / str(seed), [(1, 0.0), (20_000, 100.0 + seed)])
        for seed in range(2)
    ]
    runs.append(_load(tmp_path / "b", [(5, 0.5)], environment="gym:A"))
    text = plotting.format_table(plotting.aggregate(runs))
    assert text.splitlines() == [
        "environment  agent  seeds   steps  mean return    95% interval",
        "gym:A        d4pg       1       5        0.500               –",
        "gym:Pole     d4pg       2  20,000        100.5  100.0 to 101.0",
    ]


def test_without_matplotlib_the_extra_is_named(tmp_path, monkeypatch):
    path = helpers.make_run(tmp_path / "run", helpers.evaluations([(1, 2.0)]))
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
    [(0, "0"), (500, "500"), (25_000, "25k"), (1_500_000, "1.5M"), (2e9, "2G")],
)
def test_steps_are_written_short(value, text):
    assert style.short(value) == text


def test_a_style_that_another_package_left_behind_changes_nothing(tmp_path):
    mpl = pytest.importorskip("matplotlib")
    run = helpers.make_run(
        tmp_path / "run", helpers.evaluations([(10, 2.0), (20, 3.0)])
    )
    plotting.plot_runs([run], tmp_path / "before.png")
    with mpl.rc_context({"axes.facecolor": "#e5e5e5", "font.size": 20}):
        plotting.plot_runs([run], tmp_path / "after.png")
        assert mpl.rcParams["font.size"] == 20
    pictures = [(tmp_path / f"{name}.png").read_bytes() for name in ("before", "after")]
    assert pictures[0] == pictures[1]
