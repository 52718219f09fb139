"""Learning curves: the runs of one agent in one environment are a curve's seeds."""

from __future__ import annotations

import collections
import dataclasses
import fnmatch
import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from tfagents_core.plotting import runs as plotting_runs
from tfagents_core.plotting import statistics, style, tables

if TYPE_CHECKING:
    from matplotlib import axes as mpl_axes

ALL = "all environments"
_MAX_POINTS = 500  # About the width of a panel in pixels; more would not be seen.
_LAST_EPISODES = f"last {plotting_runs.SMOOTHING_EPISODES} episodes"
# Units of wall-clock time: shortest run in seconds, size in seconds, name.
_TIMES = ((7200.0, 3600.0, "hours"), (120.0, 60.0, "minutes"), (0.0, 1.0, "seconds"))

X = Literal["steps", "walltime"]
Scales = Mapping[str, tuple[float, float]]


@dataclasses.dataclass(frozen=True)
class Curve:
    """A statistic over the seeds of one agent, in one environment or in all.

    Attributes:
        agent: the agent's name, with the settings in which its runs differ.
        environment: the environment's id, or `ALL`.
        runs: one for each seed; for `ALL`, those of every environment.
        num_seeds: number of runs in each environment.
        x: the unit of `positions`: `"steps"` (actor steps) or `"walltime"` (seconds).
        statistic: `"mean"` or `"iqm"`, the interquartile mean.
        quantity: `"episode_return"`, or `"score"` for normalised returns.
        positions: int64 or float64 `[N]`, within the range that all seeds have reached.
        estimate: the statistic with its 95% confidence interval, `[N]`.
    """

    agent: str
    environment: str
    runs: tuple[plotting_runs.Run, ...]
    num_seeds: int
    x: X
    statistic: str
    quantity: str
    positions: np.ndarray
    estimate: statistics.Estimate


def aggregate(
    runs: Iterable[plotting_runs.Run],
    *,
    x: X = "steps",
    statistic: str = "mean",
    scales: Scales | None = None,
) -> list[Curve]:
    """Computes a curve for each agent in each environment, sorted by both.

    Runs of one agent with different settings belong to different curves. Seeds that
    were evaluated at different positions are interpolated linearly. The same runs
    always yield the same intervals.

    Args:
        runs: as returned by `load_run`.
        x: unit of the positions, actor steps or seconds of wall-clock time.
        statistic: `"mean"` or `"iqm"`; see `statistics.estimate`.
        scales: maps patterns of environment ids (`*` matches anything; the first match
            counts) to the returns that have the scores 0 and 1. If given, curves show
            scores; and with several environments, each agent that has runs in all of
            them gets one more curve, over `ALL`.

    Raises:
        ValueError: no pattern matches an environment, or an agent's number of seeds
            differs between environments.
        ImportError: SciPy is not installed.
    """
    runs = list(runs)
    if scales is not None:
        runs = [_normalize(run, scales) for run in runs]
    groups: dict[str, dict[str, list[plotting_runs.Run]]] = {}
    for name, run in zip(_names(runs), runs, strict=True):
        seeds = groups.setdefault(run.environment, {}).setdefault(name, [])
        seeds.append(run)
    strata = {
        (environment, name): [seeds]
        for environment, by_name in sorted(groups.items())
        for name, seeds in sorted(by_name.items())
    }
    if scales is not None and len(groups) > 1:
        strata |= {(ALL, name): tasks for name, tasks in _pool(groups).items()}
    quantity = "episode_return" if scales is None else "score"
    return [
        _curve(
            tasks, environment, agent=name, x=x, statistic=statistic, quantity=quantity
        )
        for (environment, name), tasks in strata.items()
    ]


def plot_runs(
    run_dirs: Sequence[str | os.PathLike[str]],
    output: pathlib.Path,
    *,
    x: X = "steps",
    statistic: str = "mean",
    scales: Scales | None = None,
) -> list[Curve]:
    """Draws the learning curves of runs, one panel for each environment.

    Args:
        run_dirs: the runs' directories; duplicates count once.
        output: path of the picture, whose suffix selects PNG, PDF or SVG; the curves
            are also written to a `.csv` beside it.
        x: see `aggregate`.
        statistic: see `aggregate`.
        scales: see `aggregate`.

    Returns:
        The curves drawn.

    Raises:
        ValueError: one of `run_dirs` holds no run or has no return yet; also for the
            reasons of `aggregate`.
        ImportError: Matplotlib or SciPy is not installed.
        OSError: `output` cannot be written.
    """
    each_once = {pathlib.Path(run_dir).resolve(): run_dir for run_dir in run_dirs}
    curves = aggregate(
        (plotting_runs.load_run(run_dir) for run_dir in each_once.values()),
        x=x,
        statistic=statistic,
        scales=scales,
    )
    environments = list(dict.fromkeys(curve.environment for curve in curves))
    agents = sorted({curve.agent for curve in curves})
    colours = {
        agent: style.COLOURS[index % len(style.COLOURS)]
        for index, agent in enumerate(agents)
    }
    with style.picture(output, len(environments)) as panels:
        for environment, axes in zip(environments, panels, strict=True):
            shown = [curve for curve in curves if curve.environment == environment]
            _draw_panel(axes, shown, colours)
    tables.write_table(curves, output.with_suffix(".csv"))
    return curves


def _normalize(run: plotting_runs.Run, scales: Scales) -> plotting_runs.Run:
    """`run` with its returns replaced by scores."""
    for pattern, (zero, one) in scales.items():
        if fnmatch.fnmatchcase(run.environment, pattern):
            scores = (run.episode_returns - zero) / (one - zero)
            return dataclasses.replace(run, episode_returns=scores)
    raise ValueError(
        f"No scale is given for {run.environment}; say which of its returns count as 0 "
        f"and 1, such as {run.environment}=0,1000."
    )


def _names(runs: Sequence[plotting_runs.Run]) -> list[str]:
    """Each run's agent name, with the settings in which that agent's runs differ.

    Only runs in the same environment are compared, because agents have other default
    settings for some suites.
    """
    groups = collections.defaultdict(list)
    for run in runs:
        groups[run.environment, run.agent].append(run.settings)
    names = []
    for run in runs:
        others = groups[run.environment, run.agent]
        settings = [
            f"{name}={run.settings.get(name)}"
            for name in dict.fromkeys(name for other in others for name in other)
            if any(other.get(name) != run.settings.get(name) for other in others)
        ]
        names.append(run.agent + (f" ({', '.join(settings)})" if settings else ""))
    return names


def _pool(
    groups: Mapping[str, Mapping[str, list[plotting_runs.Run]]],
) -> dict[str, list[list[plotting_runs.Run]]]:
    """The runs by environment, of every agent that has runs in all of them."""
    pooled = {}
    for name in sorted(set.intersection(*map(set, groups.values()))):
        tasks = [groups[environment][name] for environment in sorted(groups)]
        if len({len(seeds) for seeds in tasks}) != 1:
            numbers = ", ".join(
                f"{len(seeds)} in {environment}"
                for environment, seeds in zip(sorted(groups), tasks, strict=True)
            )
            raise ValueError(
                f"A score over all environments needs equally many runs in each, and "
                f"{name} has {numbers}."
            )
        pooled[name] = tasks
    return pooled


def _curve(
    tasks: Sequence[Sequence[plotting_runs.Run]],
    environment: str,
    *,
    agent: str,
    x: X,
    statistic: str,
    quantity: str,
) -> Curve:
    """Aggregates the runs of one agent; `tasks` holds the seeds of each environment."""
    runs = tuple(run for seeds in tasks for run in seeds)
    positions = _common_positions([_positions(run, x) for run in runs])
    strata = [
        np.stack(
            [
                np.interp(positions, _positions(run, x), run.episode_returns)
                for run in seeds
            ]
        )  # [S, N]
        for seeds in tasks
    ]
    return Curve(
        agent=agent,
        environment=environment,
        runs=runs,
        num_seeds=len(tasks[0]),
        x=x,
        statistic=statistic,
        quantity=quantity,
        positions=positions,
        estimate=statistics.estimate(strata, statistic),
    )


def _positions(run: plotting_runs.Run, x: X) -> np.ndarray:
    return run.num_actor_steps if x == "steps" else run.walltime_s


def _common_positions(positions: Sequence[np.ndarray]) -> np.ndarray:
    """Positions of any seed's returns, within the range that all seeds have reached.

    Where there are more than a picture can show, that many, evenly spaced.
    """
    # Past the end of the shortest run, the mean would be over fewer seeds.
    last = min(p[-1] for p in positions)
    first = min(max(p[0] for p in positions), last)
    union = np.unique(np.concatenate([*positions, [first]]))
    common: np.ndarray = union[(union >= first) & (union <= last)]
    if len(common) > _MAX_POINTS:
        common = np.linspace(first, last, _MAX_POINTS).astype(common.dtype)
    return common


def _draw_panel(
    axes: mpl_axes.Axes, curves: Sequence[Curve], colours: Mapping[str, str]
) -> None:
    """Draws the curves of one environment."""
    scale, unit = _unit(curves)
    for curve in curves:
        _draw_curve(axes, curve, colours[curve.agent], scale=scale)
    style.finish(axes, curves[0].environment, x=unit, y=_quantity(curves))
    axes.legend(loc="best")


def _quantity(curves: Sequence[Curve]) -> str:
    """The y-axis label: such as `evaluation return` and, below it, the statistic."""
    kinds = {run.kind for curve in curves for run in curve.runs}
    words = {"episode_return": "return", "score": "score"}[curves[0].quantity]
    if kinds == {"eval"}:
        words = f"evaluation {words}"
    elif kinds == {"train"}:
        words = f"training {words}, {_LAST_EPISODES}"
    if any(len(curve.runs) > 1 for curve in curves):
        words += f"\n{tables.WORDS[curves[0].statistic]} and 95% interval"
    return words


def _unit(curves: Sequence[Curve]) -> tuple[float, str]:
    """The divisor of the positions, and the x-axis label of the quotient."""
    if curves[0].x == "steps":
        return 1.0, "environment steps"
    longest = max(curve.positions[-1] for curve in curves)
    return next(
        (size, f"{name} of wall-clock time")
        for least, size, name in _TIMES
        if longest >= least
    )


def _draw_curve(
    axes: mpl_axes.Axes, curve: Curve, colour: str, *, scale: float
) -> None:
    """The statistic in bold, its interval as a band, each seed as a thin line."""
    positions, estimate = curve.positions / scale, curve.estimate
    has_one_point = len(positions) == 1
    # Seeds of different environments are at different positions, so `ALL` has no lines.
    if len(curve.runs) > 1 and curve.environment != ALL:
        for run in curve.runs:
            seed = _positions(run, curve.x) / scale
            axes.plot(
                seed, run.episode_returns, color=colour, linewidth=0.7, alpha=0.35
            )
    if has_one_point:  # A band of no width would not be seen.
        axes.vlines(positions, estimate.lower, estimate.upper, color=colour)
    axes.fill_between(
        positions,
        estimate.lower,
        estimate.upper,
        color=colour,
        alpha=0.18,
        linewidth=0,
    )
    axes.plot(
        positions,
        estimate.value,
        color=colour,
        linewidth=2,
        marker="o" if has_one_point else None,
        solid_capstyle="round",
        label=_label(curve),
    )


def _label(curve: Curve) -> str:
    """A legend entry, such as `d4pg, 5 seeds`."""
    label = curve.agent
    if len(curve.runs) > 1:
        label += f", {curve.num_seeds} seed{'s' if curve.num_seeds > 1 else ''}"
        label += " each" if curve.environment == ALL else ""
    if {run.kind for run in curve.runs} == {"eval"}:
        return label
    return f"{label}, training, {_LAST_EPISODES}"
