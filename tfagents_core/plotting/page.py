"""An overview page of one run: returns, losses, speed, replay and sample age."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfagents_core.plotting import runs as plotting_runs
from tfagents_core.plotting import style

if TYPE_CHECKING:
    from matplotlib import axes as mpl_axes

_NUM_BINS = 25  # Of rates, which between single rows are noisy.
_PANEL_INCHES = (5.0, 3.2)
_MAX_LOG_RATIO = 20.0  # Losses farther apart than this share a logarithmic axis.
_STEPS = "environment steps"
_AGE = "sample_age_inserts"
_COUNTS: Any = (
    ("replay_size", "in the replay", {"linewidth": 5, "alpha": 0.3}),
    ("replay_inserts", "inserted", {}),
    ("replay_samples", "sampled", {"linestyle": ":"}),
)

Rows = Sequence[plotting_runs.Row]
Panel = Callable[["mpl_axes.Axes", Rows], None]


def draw_page(run_dir: str | os.PathLike[str], output: pathlib.Path) -> None:
    """Draws returns, losses, speed, the replay and the age of its samples.

    A panel whose metrics the run has not logged is left out. A replay with several
    tables has a line for each.

    Args:
        run_dir: the run's directory; the run may still be in progress.
        output: path of the picture, whose suffix selects PNG, PDF or SVG.

    Raises:
        ValueError: there is no run, or it has logged no metrics yet.
        ImportError: Matplotlib is not installed.
        OSError: `output` cannot be written.
    """
    path = pathlib.Path(run_dir)
    config = plotting_runs.read_config(path)
    rows = list(plotting_runs.read_rows(path))
    panels = [panel for has_figures, panel in _PANELS if has_figures(rows)]
    if not panels:
        raise ValueError(
            f"{path} has nothing to plot yet: no episode has ended and nothing has "
            "been learned."
        )
    task = plotting_runs.task_of(config["environment"])
    title = f"{config['agent']} on {task}, seed {config['seed']}"
    with style.picture(
        output, len(panels), panel_inches=_PANEL_INCHES, title=title
    ) as all_axes:
        for axes, panel in zip(all_axes, panels, strict=True):
            panel(axes, rows)


def _draw_returns(axes: mpl_axes.Axes, rows: Rows) -> None:
    """Training returns as dots with a moving average, evaluation returns as a line."""
    episodes = _of_kind(rows, "train", "episode_return")
    if episodes:
        steps, returns = _columns(episodes, "episode_return")
        _draw_cloud(axes, steps, returns, colour=style.GRAY, of="training episodes")
    evaluations = _of_kind(rows, "eval", "episode_return")
    if evaluations:
        steps, returns = _columns(evaluations, "episode_return")
        each = [row.get("episode_returns") or [np.nan] for row in evaluations]
        axes.fill_between(
            steps,
            [min(values) for values in each],
            [max(values) for values in each],
            color=style.COLOURS[0],
            alpha=0.18,
            linewidth=0,
        )
        axes.plot(
            steps,
            returns,
            color=style.COLOURS[0],
            linewidth=2,
            marker="o",
            markersize=3,
            label="evaluation, mean and range",
        )
    style.finish(axes, "Return", x=_STEPS, y="episode return")
    axes.legend(loc="best")


def _draw_losses(axes: mpl_axes.Axes, rows: Rows) -> None:
    """Every metric of the learner whose name ends in `loss`."""
    lines = {name: _learner_columns(rows, name) for name in _losses(rows)}
    for colour, (name, (steps, values)) in zip(style.COLOURS, lines.items()):
        axes.plot(steps, values, color=colour, linewidth=1.2, label=_in_words(name))
    sizes = [np.nanmean(values) for _, values in lines.values()]
    lowest = min(np.nanmin(values) for _, values in lines.values())
    if lowest > 0 and max(sizes) / min(sizes) > _MAX_LOG_RATIO:
        axes.set_yscale("log")
    style.finish(axes, "Loss", x=_STEPS)
    axes.legend(loc="best")


def _draw_speed(axes: mpl_axes.Axes, rows: Rows) -> None:
    """Actor and learner steps per second of wall-clock time, evaluations included."""
    steps, seconds = _columns(rows, "walltime_s")
    edges = _bin_edges(steps)
    middles = (steps[edges[1:]] + steps[edges[:-1]]) / 2
    elapsed_s = np.diff(seconds[edges])
    for colour, who in zip(style.COLOURS, ("actor", "learner"), strict=False):
        counts = plotting_runs.column(rows, f"num_{who}_steps")
        rate = np.diff(counts[edges]) / np.where(elapsed_s > 0, elapsed_s, np.nan)
        axes.plot(middles, rate, color=colour, label=f"{who} steps")
    axes.margins(y=0.25)  # Room for the legend.
    style.finish(axes, "Speed", x=_STEPS, y="steps a second")
    axes.set_ylim(bottom=0)
    axes.legend(loc="upper right", ncols=2)


def _draw_replay(axes: mpl_axes.Axes, rows: Rows) -> None:
    """Items in each table, and items inserted and sampled so far."""
    for colour, table in zip(style.COLOURS, _tables(rows)):
        for name, words, line in _COUNTS:
            steps, values = _learner_columns(rows, name + table)
            label = words + table.replace("/", ", ")
            axes.plot(steps, values, color=colour, label=label, **line)
    axes.set_yscale("log")
    style.finish(axes, "Replay", x=_STEPS, y="items")
    axes.yaxis.set_major_formatter(lambda value, _: style.short(value))
    axes.legend(loc="best")


def _draw_limiter(axes: mpl_axes.Axes, rows: Rows) -> None:
    """Samples per insert between rows of the learner, and the rate limiter's target."""
    for colour, table in zip(style.COLOURS, _tables(rows)):
        found = _of_kind(rows, "learner", f"replay_samples{table}")
        steps, samples = _columns(found, f"replay_samples{table}")
        inserts = plotting_runs.column(found, f"replay_inserts{table}")
        edges = _bin_edges(inserts)
        ratio = np.diff(samples[edges]) / np.diff(inserts[edges])
        of_table = table.replace("/", ", ")
        axes.plot(steps[edges[1:]], ratio, color=colour, label="reached" + of_table)
        target = plotting_runs.column(found, f"replay_target_samples_per_insert{table}")
        if np.isfinite(target).any():
            label = "target" + of_table
            axes.plot(steps, target, "--", color=style.GRAY, label=label)
    style.finish(axes, "Samples per insert", x=_STEPS, y="samples an item inserted")
    axes.set_ylim(bottom=0)
    axes.legend(loc="best")


def _draw_staleness(axes: mpl_axes.Axes, rows: Rows) -> None:
    """Mean age of the sampled items, in items inserted since."""
    found = _of_kind(rows, "learner", _AGE)
    steps, ages = _columns(found, _AGE)
    _draw_cloud(axes, steps, ages, colour=style.COLOURS[0], of="batches")
    if _tables(rows) == [""]:  # The metric does not name its table.
        size = plotting_runs.column(found, "replay_size")
        label = "uniform draws"
        axes.plot(steps, (size - 1) / 2, "--", color=style.GRAY, label=label)
    style.finish(axes, "Age of samples", x=_STEPS, y="items inserted since")
    axes.yaxis.set_major_formatter(lambda value, _: style.short(value))
    axes.set_ylim(bottom=0)
    axes.legend(loc="best")


def _draw_cloud(
    axes: mpl_axes.Axes, steps: np.ndarray, values: np.ndarray, *, colour: str, of: str
) -> None:
    """Values as dots with their moving average as a line; `of` names the values."""
    window = min(plotting_runs.SMOOTHING_EPISODES, 1 + len(values) // 20)
    axes.scatter(steps, values, s=6, color=colour, alpha=0.35, linewidths=0)
    label = of if window == 1 else f"mean of {window} {of}"
    is_last = np.append(np.diff(steps) > 0, True)  # The last value at each step.
    means = plotting_runs.smooth(values, window)[is_last]
    axes.plot(steps[is_last], means, color=colour, label=label)


# For each panel: whether the run has logged its metrics, and what draws it.
_PANELS: tuple[tuple[Callable[[Rows], bool], Panel], ...] = (
    (
        lambda rows: any(row.get("episode_return") is not None for row in rows),
        _draw_returns,
    ),
    (lambda rows: bool(_losses(rows)), _draw_losses),
    (lambda rows: len(_bin_edges(_columns(rows, "walltime_s")[0])) > 1, _draw_speed),
    (lambda rows: bool(_tables(rows)), _draw_replay),
    (lambda rows: bool(_tables(rows)), _draw_limiter),
    (lambda rows: bool(_of_kind(rows, "learner", _AGE)), _draw_staleness),
)


def _of_kind(rows: Rows, kind: str, name: str) -> Rows:
    """The rows of one kind that have the metric `name`."""
    return [row for row in rows if row["kind"] == kind and row.get(name) is not None]


def _columns(rows: Rows, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Actor steps and the metric `name` of `rows`, both float64 `[N]`."""
    steps = plotting_runs.column(rows, "num_actor_steps")
    return steps, plotting_runs.column(rows, name)


def _learner_columns(rows: Rows, name: str) -> tuple[np.ndarray, np.ndarray]:
    """As `_columns`, of the learner's rows that have the metric."""
    return _columns(_of_kind(rows, "learner", name), name)


def _losses(rows: Rows) -> list[str]:
    """Names of the learner's losses, in the order in which it logs them."""
    names = dict.fromkeys(
        name for row in rows if row["kind"] == "learner" for name in row
    )
    return [
        name
        for name in names
        if name.endswith("loss") and _of_kind(rows, "learner", name)
    ]


def _tables(rows: Rows) -> list[str]:
    """The suffix of each table's metrics, such as `/table`; `""` for a sole table."""
    names = dict.fromkeys(name for row in rows for name in row)
    start = "replay_size"
    return [name.removeprefix(start) for name in names if name.startswith(start)]


def _bin_edges(steps: np.ndarray) -> np.ndarray:
    """Indices of the rows between which rates are computed: about 25, evenly spaced."""
    if not len(steps):
        return np.zeros(0, np.int64)
    edges = np.linspace(steps[0], steps[-1], _NUM_BINS + 1)
    indices: np.ndarray = np.unique(np.searchsorted(steps, edges))
    return indices


def _in_words(name: str) -> str:
    return name.replace("_", " ")
