"""Checks for the configurations of agents."""

from __future__ import annotations

import math
from typing import Any


def check_positive(config: Any, *names: str) -> None:
    """Raises ValueError unless the named fields, or all their parts, are positive.

    None, where a field may be None, passes.
    """
    for name in names:
        value = getattr(config, name)
        values = value if isinstance(value, tuple) else (value,)
        if not values:
            raise ValueError(f"{name} must not be empty.")
        if not all(v is None or (v > 0 and math.isfinite(v)) for v in values):
            raise ValueError(f"{name} must be positive and finite, not {value}.")


def check_within(config: Any, low: float, high: float, *names: str) -> None:
    """Raises ValueError unless each named field is finite and in `[low, high]`."""
    for name in names:
        value = getattr(config, name)
        if not (low <= value <= high and math.isfinite(value)):
            wanted = (
                f"finite and at least {low:g}"
                if high == math.inf
                else f"in [{low:g}, {high:g}]"
            )
            raise ValueError(f"{name} must be {wanted}, not {value}.")


def check_replay(config: Any) -> None:
    """Raises ValueError unless the replay's sizes are positive and fit together.

    Expects the fields `batch_size`, `samples_per_insert`, `min_replay_size` and
    `max_replay_size`.
    """
    check_positive(
        config,
        "batch_size",
        "samples_per_insert",
        "min_replay_size",
        "max_replay_size",
    )
    for name in ("batch_size", "min_replay_size"):
        if getattr(config, name) > config.max_replay_size:
            raise ValueError(
                f"{name} ({getattr(config, name):,}) must not be more than "
                f"max_replay_size ({config.max_replay_size:,})."
            )
