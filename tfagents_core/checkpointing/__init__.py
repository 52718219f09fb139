"""Runs on disk."""

from tfagents_core.checkpointing.variables import digest, restore_group, save

__all__ = ["digest", "restore_group", "save"]
