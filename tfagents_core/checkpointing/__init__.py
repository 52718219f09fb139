"""Runs on disk."""

from tfagents_core.checkpointing.directory import (
    is_intact,
    keep_newest,
    latest_intact,
    write,
)
from tfagents_core.checkpointing.variables import digest, restore_group

__all__ = [
    "digest",
    "is_intact",
    "keep_newest",
    "latest_intact",
    "restore_group",
    "write",
]
