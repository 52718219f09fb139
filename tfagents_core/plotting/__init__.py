"""Learning curves over seeds, an overview page of one run, and their statistics.

Needs the extra `plots`: SciPy for the statistics, Matplotlib for the pictures.
"""

from tfagents_core.plotting.curves import ALL, Curve, aggregate, plot_runs
from tfagents_core.plotting.page import draw_page
from tfagents_core.plotting.runs import Run, load_run
from tfagents_core.plotting.statistics import STATISTICS, Estimate, estimate
from tfagents_core.plotting.tables import format_table

__all__ = [
    "ALL",
    "STATISTICS",
    "Curve",
    "Estimate",
    "Run",
    "aggregate",
    "draw_page",
    "estimate",
    "format_table",
    "load_run",
    "plot_runs",
]
