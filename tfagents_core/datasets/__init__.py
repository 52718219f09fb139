"""Pipelines of batches for learners."""

from tfagents_core.datasets.table import from_table

__all__ = ["from_table"]
