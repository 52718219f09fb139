"""From the timesteps of environments to the items of a replay."""

from tfagents_core.adders.items import (
    episode_table,
    frame_stacks,
    n_step_table,
    sequence_table,
    unroll_table,
)
from tfagents_core.adders.plans import (
    TRANSITIONS,
    TransitionConfig,
    plan_transitions,
)
from tfagents_core.adders.rows import Row, RowAdder, compress_images, row_spec

__all__ = [
    "TRANSITIONS",
    "Row",
    "RowAdder",
    "TransitionConfig",
    "compress_images",
    "episode_table",
    "frame_stacks",
    "n_step_table",
    "plan_transitions",
    "row_spec",
    "sequence_table",
    "unroll_table",
]
