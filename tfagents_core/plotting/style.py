"""The common look of all pictures."""

from __future__ import annotations

import contextlib
import math
import pathlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib import axes as mpl_axes

# Okabe and Ito's palette ("Color Universal Design", 2008), which colour-blind readers
# can tell apart. Its yellow is left out: it is too pale for a line on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
GRAY = "#888888"
_STYLE: Any = {
    "figure.constrained_layout.h_pad": 0.12,  # inches
    "figure.constrained_layout.w_pad": 0.12,
    "font.size": 10,
    "axes.edgecolor": GRAY,
    "axes.labelcolor": "#333333",
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "grid.color": "#e6e6e6",
    "legend.frameon": False,
    "xtick.color": "#555555",
    "ytick.color": "#555555",
}
_DOTS_PER_INCH = 160


@contextlib.contextmanager
def picture(
    output: pathlib.Path,
    num_panels: int,
    *,
    max_columns: int = 3,
    panel_inches: tuple[float, float] = (5.6, 3.8),
    title: str = "",
) -> Iterator[list[mpl_axes.Axes]]:
    """Yields panels to draw on, and writes the picture when the block ends.

    Args:
        output: path of the picture, whose suffix selects PNG, PDF or SVG; its directory
            is created if needed.
        num_panels: number of panels.
        max_columns: most panels side by side.
        panel_inches: width and height of a panel.
        title: title above all panels.

    Raises:
        ImportError: Matplotlib is not installed.
        ValueError: the suffix is of no known format.
        OSError: `output` cannot be written.
    """
    try:
        import matplotlib as mpl
        from matplotlib import figure as mpl_figure
    except ModuleNotFoundError as error:
        raise ImportError(
            "Plots need 'matplotlib', which is not installed: "
            "pip install 'tfagents-core[plots]'."
        ) from error

    columns = min(num_panels, max_columns)
    num_rows = math.ceil(num_panels / columns)
    width, height = panel_inches
    with mpl.rc_context():
        mpl.rcdefaults()  # bsuite's plots, for one, change the global settings.
        mpl.rcParams.update(_STYLE)
        # A figure without pyplot draws with Agg and leaves no global state behind.
        figure = mpl_figure.Figure(
            figsize=(width * columns, height * num_rows), layout="constrained"
        )
        panels = list(figure.subplots(num_rows, columns, squeeze=False).flat)
        for unused in panels[num_panels:]:
            unused.remove()
        if title:
            figure.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=13)
        yield panels[:num_panels]
        output.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(output, dpi=_DOTS_PER_INCH)


def finish(axes: mpl_axes.Axes, title: str, *, x: str, y: str = "") -> None:
    """Sets a panel's title, axis labels, grid and readable tick labels.

    Call it when everything is drawn and the scales are set, because setting a scale
    replaces the tick labels.
    """
    axes.set_title(title)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.xaxis.set_major_formatter(lambda value, _: short(value))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    if axes.get_xscale() == "linear":
        axes.set_xlim(left=0)


def short(value: float) -> str:
    """Formats 20000 as `20k` and 1500000 as `1.5M`."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"
