"""Means, interquartile means and their intervals, beside rliable's own figures."""

import builtins
import json
import pathlib

import numpy as np
import pytest

from tfagents_core import plotting
from tfagents_core.plotting import statistics

pytest.importorskip("scipy")

CASES = {
    case["name"]: case
    for case in json.loads(
        (pathlib.Path(__file__).parent / "rliable.json").read_text(encoding="utf-8")
    )
}


def _strata(scores):
    """One array `[runs, 1]` for each column of `scores` `[runs, tasks]`."""
    return [np.array(task)[:, None] for task in zip(*scores, strict=True)]


@pytest.mark.parametrize("statistic", ["mean", "iqm"])
@pytest.mark.parametrize("name", CASES)
def test_figures_are_rliables(name, statistic, monkeypatch):
    # rliable drew 50,000 resamples; of as many here, an end of the interval is off by
    # about a hundredth of its width.
    monkeypatch.setattr(statistics, "NUM_RESAMPLES", 50_000)
    value, lower, upper = CASES[name][statistic]
    estimate = plotting.estimate(_strata(CASES[name]["scores"]), statistic)
    assert estimate.value[0] == pytest.approx(value, rel=1e-12)
    assert estimate.lower[0] == pytest.approx(lower, abs=0.02 * (upper - lower))
    assert estimate.upper[0] == pytest.approx(upper, abs=0.02 * (upper - lower))


@pytest.mark.parametrize("statistic", ["mean", "iqm"])
@pytest.mark.parametrize("name", CASES)
def test_as_many_resamples_as_we_take_are_enough(name, statistic):
    _, lower, upper = CASES[name][statistic]
    estimate = plotting.estimate(_strata(CASES[name]["scores"]), statistic)
    assert estimate.lower[0] == pytest.approx(lower, abs=0.07 * (upper - lower))
    assert estimate.upper[0] == pytest.approx(upper, abs=0.07 * (upper - lower))


def test_tasks_are_strata():
    # Two tasks far apart, whose runs agree: whoever mixes them sees a wide interval.
    tasks = [level + np.linspace(0, 1, 5)[:, None] for level in (0.0, 100.0)]
    stratified = plotting.estimate(tasks, "mean")
    mixed = plotting.estimate([np.concatenate(tasks)], "mean")
    assert stratified.value == mixed.value == 50.5
    assert stratified.upper - stratified.lower < 1
    assert mixed.upper - mixed.lower > 50


def test_the_interquartile_mean_leaves_out_a_quarter_at_each_end():
    scores = np.array([-1000.0, 2.0, 7.0, 3.0, 4.0, 5.0, 6.0, 9e9])[:, None]
    assert plotting.estimate([scores], "iqm").value == [np.mean([3.0, 4.0, 5.0, 6.0])]
    assert plotting.estimate([scores[:3]], "iqm").value == [np.mean([-1000, 2, 7])]


def test_every_point_has_its_own_estimate():
    scores = np.random.default_rng(3).normal(size=(6, 4))
    together = plotting.estimate([scores], "iqm")
    apart = [plotting.estimate([scores[:, [n]]], "iqm") for n in range(4)]
    for index, figures in enumerate(together):
        expected = [estimate[index][0] for estimate in apart]
        np.testing.assert_allclose(figures, expected)


def test_in_batches_of_resamples_the_interval_is_the_same(monkeypatch):
    scores = [np.random.default_rng(n).normal(size=(5, 7)) for n in range(2)]
    at_once = plotting.estimate(scores, "mean")
    again = plotting.estimate(scores, "mean")
    np.testing.assert_array_equal(at_once, again)
    monkeypatch.setattr(statistics, "_MAX_FIGURES_AT_ONCE", 100)
    little_by_little = plotting.estimate(scores, "mean")
    width = at_once.upper - at_once.lower
    assert (np.abs(little_by_little.lower - at_once.lower) < 0.1 * width).all()


def test_one_run_of_each_task_says_nothing_of_others():
    estimate = plotting.estimate([np.ones((1, 2)), np.zeros((1, 2))], "mean")
    np.testing.assert_array_equal(estimate.value, [0.5, 0.5])
    assert np.isnan(estimate.lower).all()
    assert np.isnan(estimate.upper).all()


def test_tasks_with_unequal_numbers_of_runs_are_refused():
    with pytest.raises(ValueError, match="equally many runs, not 2, 3"):
        plotting.estimate([np.ones((2, 1)), np.ones((3, 1))], "mean")


def test_without_scipy_the_extra_is_named(monkeypatch):
    real_import = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name.startswith("scipy"):
            raise ModuleNotFoundError("No module named 'scipy'")
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ImportError, match=r"tfagents-core\[plots\]"):
        plotting.estimate([np.ones((2, 1))], "mean")
