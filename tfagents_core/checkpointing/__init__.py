"""Checkpoints and snapshots of runs on disk."""

from tfagents_core.checkpointing.background import BackgroundWriter
from tfagents_core.checkpointing.directory import (
    UnknownFormatError,
    is_intact,
    keep_newest,
    latest_intact,
    list_all,
    write,
)
from tfagents_core.checkpointing.variables import digest, restore_group

__all__ = [
    "BackgroundWriter",
    "UnknownFormatError",
    "digest",
    "is_intact",
    "keep_newest",
    "latest_intact",
    "list_all",
    "restore_group",
    "write",
]
