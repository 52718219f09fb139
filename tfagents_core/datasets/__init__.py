"""Batches for learners."""

from tfagents_core.datasets.sources import PipelineSource, TableSource
from tfagents_core.datasets.table import from_table

__all__ = ["PipelineSource", "TableSource", "from_table"]
