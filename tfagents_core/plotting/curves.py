"""Learning curves: runs of one agent in one environment are seeds of one curve."""

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
_MAX_POINTS = 500
_LAST_EPISODES = f"last {plotting_runs.SMOOTHING_EPISODES} episodes"
_TIMES = ((7200.0, 3600.0, "hours"), (120.0, 60.0, "minutes"), (0.0, 1.0, "seconds"))

X = Literal["steps", "walltime"]
Scales = Mapping[str, tuple[float, float]]


@dataclasses.dataclass(frozen=True)
class Curve:
    """A statistic over the seeds of one agent, in one environment or in all.

    Attributes:
        agent: the agent's name, with the settings in which runs of it differ.
        environment: the environment's id, or `ALL`.
        runs: the seeds; of `ALL`, those of every environment.
        num_seeds: runs of each environment.
        x: what the positions are, `"steps"` of actors or `"walltime"` in seconds.
        statistic: `"mean"` or `"iqm"`, the interquartile mean.
        quantity: `"episode_return"`, or `"score"` where returns were normalised.
        positions: int64 or float64 `[N]`, where every seed has figures.
        estimate: the statistic with its 95% interval, `[N]`.
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
    """One curve for each agent in each environment, sorted by environment and agent.

    Runs of an agent that differ in its settings are curves of their own. Seeds whose
    figures are at other positions are interpolated linearly. The same runs always give
    the same intervals.

    Args:
        runs: as `load_run` gives them.
        x: positions, environment steps or seconds of wall-clock time.
        statistic: `"mean"` or `"iqm"`; see `statistics.estimate`.
        scales: by pattern of environment ids (`*` stands for anything; the first that
            fits counts), the returns whose scores are 0 and 1. With them curves are
            of scores, and where there are several environments an agent that has
            runs in each has one more, over `ALL` of them.

    Raises:
        ValueError: no scale fits an environment, or such an agent has not equally many
            seeds in each.
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
    """Draws runs' learning curves, one panel for each environment.

    Args:
        run_dirs: the runs' directories; one named twice counts once.
        output: the picture, by its suffix a PNG, PDF or SVG; the same figures go into
            a `.csv` beside it.
        x: as in `aggregate`, like what follows.
        statistic: see there.
        scales: see there.

    Returns:
        What was drawn.

    Raises:
        ValueError: there is no run in one of `run_dirs`, or no return in it yet, or
            what `aggregate` raises.
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
    """`run` with scores in the place of returns."""
    for pattern, (zero, one) in scales.items():
        if fnmatch.fnmatchcase(run.environment, pattern):
            scores = (run.episode_returns - zero) / (one - zero)
            return dataclasses.replace(run, episode_returns=scores)
    raise ValueError(
        f"No scale is given for {run.environment}; say which of its returns count as 0 "
        f"and 1, such as {run.environment}=0,1000."
    )


def _names(runs: Sequence[plotting_runs.Run]) -> list[str]:
    """Each run's agent, with the settings in which others of it differ.

    Others are those of the same agent in the same environment: agents have settings of
    their own for some suites.
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
    """The seeds in each environment of every agent that has some in all."""
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
    """Aggregates the seeds of one agent, by task."""
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
    """Every position that a seed has figures at, within what all seeds have reached.

    Where those are more than a picture can show, as many as it can, evenly spaced.
    """
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
    """One environment's curves."""
    scale, unit = _unit(curves)
    for curve in curves:
        _draw_curve(axes, curve, colours[curve.agent], scale=scale)
    style.finish(axes, curves[0].environment, x=unit, y=_quantity(curves))
    axes.legend(loc="best")


def _quantity(curves: Sequence[Curve]) -> str:
    """What a panel shows, such as `evaluation return` and, below, which statistic."""
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
    """What to divide positions by, and what they are then."""
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
    if len(curve.runs) > 1 and curve.environment != ALL:
        for run in curve.runs:
            seed = _positions(run, curve.x) / scale
            axes.plot(
                seed, run.episode_returns, color=colour, linewidth=0.7, alpha=0.35
            )
    if has_one_point:
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
    """Such as `d4pg, 5 seeds`."""
    label = curve.agent
    if len(curve.runs) > 1:
        label += f", {curve.num_seeds} seed{'s' if curve.num_seeds > 1 else ''}"
        label += " each" if curve.environment == ALL else ""
    if {run.kind for run in curve.runs} == {"eval"}:
        return label
    return f"{label}, training, {_LAST_EPISODES}"
