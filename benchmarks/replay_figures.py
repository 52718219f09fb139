"""Pictures and tables of the lines that the replay's benchmarks left."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterable
from typing import Any

RESULTS = pathlib.Path(__file__).parent / "results" / "replay"

Line = dict[str, Any]

# Okabe and Ito's colours, which colour-blind readers can tell apart.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
_GRAY = "#888888"
_PANELS = (
    ("draw", {}, "256 prioritized draws"),
    ("update", {}, "256 new priorities"),
    ("sample_small", {"sampler": "uniform"}, "256 transitions, uniform"),
    ("sample_small", {"sampler": "prioritized"}, "256 transitions, prioritized"),
)
_FLOORS = {
    "draw": "pointer chase",
    "update": "pointer chase",
    "sample_small": "memcpy of as much",
}


def read(path: pathlib.Path) -> list[Line]:
    """The lines of a file of results."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def draw() -> None:
    """Draws how cost grows with the number of items, from the lines kept."""
    from matplotlib import pyplot

    lines = read(RESULTS / "replay.jsonl")
    style = {"axes.spines.right": False, "axes.spines.top": False, "font.size": 10}
    with pyplot.rc_context(style):
        figure, axes = pyplot.subplots(
            2, 2, figsize=(10, 6.5), layout="constrained", sharex=True
        )
        for colour, panel, ax in zip(_COLOURS, _PANELS, axes.flat, strict=True):
            question, fields, title = panel
            _draw_panel(ax, _growth(lines, question, fields), colour)
            ax.set_title(title, loc="left", fontweight="bold")
            ax.plot([], [], ":", color=_GRAY, label=_FLOORS[question])
            ax.legend(frameon=False, loc="upper left")
        for ax in axes[1]:
            ax.set_xlabel("items in the table")
        for ax in axes[:, 0]:
            ax.set_ylabel("microseconds of processor time")
        figure.savefig(RESULTS / "growth.png", dpi=160)


def _growth(lines: Iterable[Line], question: str, fields: Line) -> list[Line]:
    wanted = {"question": question, **fields}
    found = [line for line in lines if wanted.items() <= line.items()]
    return sorted(found, key=lambda line: line["num_items"])


def _draw_panel(ax: Any, lines: list[Line], colour: str) -> None:
    sizes = [line["num_items"] for line in lines]
    ax.plot(
        sizes, [line["cpu_us"] for line in lines], "o-", color=colour, label="replay"
    )
    if lines and "plain_tree_cpu_us" in lines[0]:
        plain = [line["plain_tree_cpu_us"] for line in lines]
        ax.plot(sizes, plain, "s--", color=_GRAY, label="plain binary tree, C++")
    ax.plot(sizes, [line["floor_cpu_us"] for line in lines], ":", color=_GRAY)
    ax.set_xscale("log")
    ax.set_ylim(bottom=0)
    ax.grid(color="#e6e6e6")
