"""Draws the stored results of the replay's benchmarks."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterable
from typing import Any

from tfagents_core.plotting import style

RESULTS = pathlib.Path(__file__).parent / "results" / "replay"

Line = dict[str, Any]

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
    """Reads the JSON lines of a file of results."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def draw(output: pathlib.Path | None = None) -> None:
    """Draws how CPU time grows with the number of items, from the stored lines.

    Args:
        output: directory of the picture; None for the directory of the lines.
    """
    lines = read(RESULTS / "replay.jsonl")
    picture = (output or RESULTS) / "growth.png"
    with style.picture(picture, len(_PANELS), max_columns=2) as panels:
        for colour, panel, ax in zip(style.COLOURS, _PANELS, panels, strict=False):
            question, fields, title = panel
            _draw_panel(ax, _growth(lines, question, fields), colour)
            ax.plot([], [], ":", color=style.GRAY, label=_FLOORS[question])
            ax.set_xscale("log")
            style.finish(ax, title, x="items in the table", y="µs of processor time")
            ax.legend(loc="upper left")


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
        ax.plot(sizes, plain, "s--", color=style.GRAY, label="plain binary tree, C++")
    ax.plot(sizes, [line["floor_cpu_us"] for line in lines], ":", color=style.GRAY)
    ax.set_ylim(bottom=0)
