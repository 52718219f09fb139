"""Loggers of a run's metrics: JSON lines, TensorBoard events, the console."""

from tfagents_core.loggers.console import Progress, make_progress
from tfagents_core.loggers.json_lines import JsonLinesLogger
from tfagents_core.loggers.tensorboard import TensorBoardLogger

__all__ = ["JsonLinesLogger", "Progress", "TensorBoardLogger", "make_progress"]
