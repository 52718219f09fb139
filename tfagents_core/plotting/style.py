"""How every picture looks."""

from __future__ import annotations

import contextlib
import math
import pathlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib import axes as mpl_axes

# Okabe and Ito's palette ("Color Universal Design", 2008), which colour-blind readers
# can tell apart, without its yellow, too pale for a line on white.
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
    """Gives panels to draw on, and writes the picture when that is done.

    Args:
        output: the picture, by its suffix a PNG, PDF or SVG; its directory is made if
            need be.
        num_panels: how many panels.
        max_columns: most of them beside each other.
        panel_inches: width and height of one.
        title: over all of them.

    Raises:
        ImportError: Matplotlib is not installed.
        ValueError: there is no such kind of picture.
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
        mpl.rcdefaults()  # Other packages, bsuite's plots for one, leave theirs behind.
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
    """Gives a panel its words, its grid and figures that can be read.

    To be called when all is drawn and the scales are set.
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
    """`20000` as `20k` and `1500000` as `1.5M`."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"
