"""Learning curves of runs, as a picture and as a table.

Runs of one agent in one environment count as seeds of one curve. Needs Matplotlib,
the extra `plots`, for the picture alone.
"""

from __future__ import annotations

import collections
import csv
import dataclasses
import json
import math
import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib import axes as mpl_axes

# Okabe and Ito's palette ("Color Universal Design", 2008), which colour-blind readers
# can tell apart, without its yellow, too pale for a line on white.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_STYLE: Any = {
    "figure.constrained_layout.h_pad": 0.12,  # inches
    "figure.constrained_layout.w_pad": 0.12,
    "font.size": 10,
    "axes.edgecolor": "#888888",
    "axes.labelcolor": "#333333",
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "grid.color": "#e6e6e6",
    "xtick.color": "#555555",
    "ytick.color": "#555555",
}
_MAX_COLUMNS = 3
_PANEL_INCHES = (5.6, 3.8)
_DOTS_PER_INCH = 160
_SMOOTHING_EPISODES = 20
_NUM_RESAMPLES = 2_000
_TABLE_COLUMNS = (
    "environment",
    "agent",
    "num_seeds",
    "num_actor_steps",
    "episode_return",
    "lower_95",
    "upper_95",
)


@dataclasses.dataclass(frozen=True)
class Run:
    """One run's learning curve.

    Attributes:
        path: the run's directory.
        agent: the agent's name.
        environment: the environment's id.
        seed: the run's seed.
        kind: `"eval"`, or `"train"` where the run has no evaluation; training returns
            are smoothed over the last 20 episodes.
        num_actor_steps: int64 `[N]`, rising.
        episode_returns: float64 `[N]`, finite.
    """

    path: pathlib.Path
    agent: str
    environment: str
    seed: int
    kind: str
    num_actor_steps: np.ndarray
    episode_returns: np.ndarray


@dataclasses.dataclass(frozen=True)
class Curve:
    """The mean over the seeds of one agent in one environment.

    Attributes:
        agent: the agent's name.
        environment: the environment's id.
        runs: the seeds.
        num_actor_steps: int64 `[N]`, where every seed has figures.
        mean: float64 `[N]`, over the seeds.
        lower: float64 `[N]`, the lower end of a 95% bootstrap interval of the mean;
            NaN where there is one seed.
        upper: float64 `[N]`, its upper end.
    """

    agent: str
    environment: str
    runs: tuple[Run, ...]
    num_actor_steps: np.ndarray
    mean: np.ndarray
    lower: np.ndarray
    upper: np.ndarray


def load_run(run_dir: str | os.PathLike[str]) -> Run:
    """Reads one run's directory; a run still going on will do.

    Raises:
        ValueError: there is no run, or it has no return yet.
    """
    path = pathlib.Path(run_dir)
    if not (path / "config.json").is_file():
        raise ValueError(f"{path} holds no run: there is no config.json in it.")
    config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    rows = list(_rows(path / "metrics.jsonl"))
    kind = "eval" if any(row["kind"] == "eval" for row in rows) else "train"
    points = [
        (row["num_actor_steps"], row["episode_return"])
        for row in rows
        if row["kind"] == kind and row.get("episode_return") is not None
    ]
    if not points:
        raise ValueError(f"{path} has nothing to plot yet: no episode has ended.")
    steps, returns = (np.array(column) for column in zip(*points, strict=True))
    returns = returns.astype(np.float64)
    return Run(
        path=path,
        agent=config["agent"],
        environment=config["environment"],
        seed=config["seed"],
        kind=kind,
        num_actor_steps=steps.astype(np.int64),
        episode_returns=_smooth(returns) if kind == "train" else returns,
    )


def aggregate(runs: Iterable[Run]) -> list[Curve]:
    """One curve for each agent in each environment, sorted by environment and agent.

    Seeds whose figures are at other steps are interpolated linearly. The same runs
    always give the same intervals.
    """
    groups: dict[tuple[str, str], list[Run]] = collections.defaultdict(list)
    for run in runs:
        groups[run.environment, run.agent].append(run)
    return [_curve(groups[key]) for key in sorted(groups)]


def plot_runs(run_dirs: Sequence[str | os.PathLike[str]], output: pathlib.Path) -> None:
    """Draws runs' learning curves, one panel for each environment.

    Args:
        run_dirs: the runs' directories.
        output: the picture, by its suffix a PNG, PDF or SVG; the same figures go into
            a `.csv` beside it.

    Raises:
        ValueError: there is no run in one of `run_dirs`, or no return in it yet.
        ImportError: Matplotlib is not installed.
        OSError: `output` cannot be written.
    """
    curves = aggregate(load_run(run_dir) for run_dir in run_dirs)
    output.parent.mkdir(parents=True, exist_ok=True)
    _draw(curves, output)
    _write_table(curves, output.with_suffix(".csv"))


def _rows(path: pathlib.Path) -> Iterable[Mapping[str, Any]]:
    """The whole lines of `path`; the last may be torn where the run still writes."""
    if not path.exists():
        return
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.endswith("\n"):
                yield json.loads(line)


def _smooth(values: np.ndarray) -> np.ndarray:
    """At each of `values` `[N]` the mean of the last 20 up to it."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    ends = np.arange(1, len(sums))
    starts = np.maximum(ends - _SMOOTHING_EPISODES, 0)
    smooth: np.ndarray = (sums[ends] - sums[starts]) / (ends - starts)
    return smooth


def _curve(runs: Sequence[Run]) -> Curve:
    """Aggregates the seeds of one agent in one environment."""
    steps = _common_steps([run.num_actor_steps for run in runs])
    returns = np.stack(
        [np.interp(steps, run.num_actor_steps, run.episode_returns) for run in runs]
    )  # [S, N]
    lower, upper = _bootstrap_interval(returns)
    return Curve(
        agent=runs[0].agent,
        environment=runs[0].environment,
        runs=tuple(runs),
        num_actor_steps=steps,
        mean=returns.mean(axis=0),
        lower=lower,
        upper=upper,
    )


def _common_steps(steps: Sequence[np.ndarray]) -> np.ndarray:
    """Every step that a seed has figures at, within what all seeds have reached."""
    last = min(s[-1] for s in steps)
    first = min(max(s[0] for s in steps), last)
    union = np.unique(np.concatenate([*steps, [first]]))
    common: np.ndarray = union[(union >= first) & (union <= last)]
    return common


def _bootstrap_interval(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The 95% percentile interval of the mean of `values` `[S, N]` over axis 0."""
    num_seeds, num_points = values.shape
    if num_seeds == 1:
        unknown = np.full(num_points, math.nan)
        return unknown, unknown
    rng = np.random.default_rng(0)
    weights = rng.multinomial(
        num_seeds, np.full(num_seeds, 1 / num_seeds), size=_NUM_RESAMPLES
    )  # [R, S]
    means = weights @ values / num_seeds  # [R, N]
    lower, upper = np.percentile(means, [2.5, 97.5], axis=0)
    return lower, upper


def _write_table(curves: Iterable[Curve], path: pathlib.Path) -> None:
    """One row for each point of each curve; no interval where there is one seed."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(_TABLE_COLUMNS)
        for curve in curves:
            group = curve.environment, curve.agent, len(curve.runs)
            figures = zip(curve.mean, curve.lower, curve.upper, strict=True)
            for steps, point in zip(curve.num_actor_steps, figures, strict=True):
                cells = ["" if math.isnan(value) else f"{value:.6g}" for value in point]
                writer.writerow([*group, steps, *cells])


def _draw(curves: Sequence[Curve], output: pathlib.Path) -> None:
    """Writes the picture of `curves`."""
    try:
        import matplotlib as mpl
        from matplotlib import figure as mpl_figure
    except ModuleNotFoundError as error:
        raise ImportError(
            "Plots need 'matplotlib', which is not installed: "
            "pip install 'tfagents-core[plots]'."
        ) from error

    environments = sorted({curve.environment for curve in curves})
    agents = sorted({curve.agent for curve in curves})
    colours = {
        agent: _COLOURS[index % len(_COLOURS)] for index, agent in enumerate(agents)
    }
    columns = min(len(environments), _MAX_COLUMNS)
    num_rows = math.ceil(len(environments) / columns)
    width, height = _PANEL_INCHES
    with mpl.rc_context():
        mpl.rcdefaults()  # Other packages, bsuite's plots for one, leave theirs behind.
        mpl.rcParams.update(_STYLE)
        # A figure without pyplot draws with Agg and leaves no global state behind.
        figure = mpl_figure.Figure(
            figsize=(width * columns, height * num_rows), layout="constrained"
        )
        panels = figure.subplots(num_rows, columns, squeeze=False).flat
        for environment, axes in zip(environments, panels, strict=False):
            shown = [curve for curve in curves if curve.environment == environment]
            _draw_panel(axes, shown, colours)
        for axes in list(panels):
            axes.remove()
        figure.savefig(output, dpi=_DOTS_PER_INCH)


def _draw_panel(
    axes: mpl_axes.Axes, curves: Sequence[Curve], colours: Mapping[str, str]
) -> None:
    """One environment's curves."""
    for curve in curves:
        _draw_curve(axes, curve, colours[curve.agent])
    kinds = {run.kind for curve in curves for run in curve.runs}
    axes.set_title(curves[0].environment)
    axes.set_xlabel("environment steps")
    axes.set_ylabel("episode return" if kinds != {"eval"} else "evaluation return")
    axes.xaxis.set_major_formatter(lambda value, _: _thousands(value))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    axes.set_xlim(left=0)
    axes.legend(frameon=False, loc="best")


def _draw_curve(axes: mpl_axes.Axes, curve: Curve, colour: str) -> None:
    """The mean in bold, its interval as a band, each seed as a thin line."""
    marker = "o" if len(curve.num_actor_steps) == 1 else None
    if len(curve.runs) > 1:
        for run in curve.runs:
            axes.plot(
                run.num_actor_steps,
                run.episode_returns,
                color=colour,
                linewidth=0.7,
                alpha=0.35,
            )
        axes.fill_between(
            curve.num_actor_steps,
            curve.lower,
            curve.upper,
            color=colour,
            alpha=0.18,
            linewidth=0,
        )
    axes.plot(
        curve.num_actor_steps,
        curve.mean,
        color=colour,
        linewidth=2,
        marker=marker,
        solid_capstyle="round",
        label=_label(curve),
    )


def _label(curve: Curve) -> str:
    """Such as `d4pg, mean of 5 seeds with 95% interval`."""
    label = curve.agent
    if len(curve.runs) > 1:
        label += f", mean of {len(curve.runs)} seeds with 95% interval"
    if any(run.kind == "train" for run in curve.runs):
        label += f" (training, last {_SMOOTHING_EPISODES} episodes)"
    return label


def _thousands(value: float) -> str:
    """`20000` as `20k` and `1500000` as `1.5M`."""
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"
