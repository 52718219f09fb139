"""Tables of curves: CSV for programs, aligned text for people."""

from __future__ import annotations

import csv
import math
import pathlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tfagents_core.plotting import curves as plotting_curves

WORDS = {"mean": "mean", "iqm": "interquartile mean"}
_POSITIONS = {"steps": "num_actor_steps", "walltime": "walltime_s"}


def write_table(curves: Sequence[plotting_curves.Curve], path: pathlib.Path) -> None:
    """Writes CSV, a row for each point of each curve; one seed has empty intervals."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        position, quantity = _POSITIONS[curves[0].x], curves[0].quantity
        group = ("environment", "agent", "num_seeds")
        writer.writerow(
            [*group, position, "statistic", quantity, "lower_95", "upper_95"]
        )
        for curve in curves:
            group = curve.environment, curve.agent, str(curve.num_seeds)
            figures = zip(*curve.estimate, strict=True)
            for where, point in zip(curve.positions, figures, strict=True):
                cells = ["" if math.isnan(value) else f"{value:.6g}" for value in point]
                writer.writerow([*group, where, curve.statistic, *cells])


def format_table(curves: Iterable[plotting_curves.Curve]) -> str:
    """The last point of each curve, as aligned columns of text."""
    curves = list(curves)
    where = "steps" if curves[0].x == "steps" else "seconds"
    quantity = "return" if curves[0].quantity == "episode_return" else "score"
    heading = f"{WORDS[curves[0].statistic]} {quantity}"
    rows = [
        ["environment", "agent", "seeds", where, heading, "95% interval"],
        *([*_group(curve), *_last(curve)] for curve in curves),
    ]
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if index < 2 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )


def _group(curve: plotting_curves.Curve) -> list[str]:
    return [curve.environment, curve.agent, str(curve.num_seeds)]


def _last(curve: plotting_curves.Curve) -> list[str]:
    value, lower, upper = (float(figures[-1]) for figures in curve.estimate)
    unknown = math.isnan(lower)
    interval = "–" if unknown else f"{_figure(lower)} to {_figure(upper)}"
    return [f"{curve.positions[-1]:,.0f}", _figure(value), interval]


def _figure(value: float) -> str:
    """`value` with one decimal from 10 up, with three below."""
    return f"{value:,.1f}" if abs(value) >= 10 else f"{value:.3f}"
