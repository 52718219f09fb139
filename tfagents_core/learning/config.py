"""Fields that the configurations of agents share, and checks of their values."""

from __future__ import annotations

import dataclasses
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


@dataclasses.dataclass(frozen=True)
class LearnerConfig:
    """What the framework reads of every agent's configuration.

    Attributes:
        num_sgd_steps_per_step: updates in one call of the learner, on batches drawn
            together. Larger values amortise call overhead; actors then see new weights
            later, and new priorities come into effect after the call.
        jit_compile: whether XLA compiles the update on one device, which takes a second or two at the
            start. Rules of many small operations gain by it; those whose time goes
            into matrix products may lose (docs/performance.md).
    """

    num_sgd_steps_per_step: int = 1
    jit_compile: bool = False

    def __post_init__(self) -> None:
        """Refuses impossible values; raises ValueError naming the field.

        A subclass that has checks of its own calls this one first.
        """
        check_positive(self, "num_sgd_steps_per_step")


@dataclasses.dataclass(frozen=True)
class ReplayConfig(LearnerConfig):
    """What agents share that sample a replay at a fixed ratio.

    Attributes:
        batch_size: items in an update.
        samples_per_insert: times each item is sampled on average; `batch_size` of it
            is one update for each item inserted.
        min_replay_size: items in the replay before learning begins.
        max_replay_size: items kept.
    """

    batch_size: int = 256
    samples_per_insert: float = 32.0
    min_replay_size: int = 1_000
    max_replay_size: int = 1_000_000

    def __post_init__(self) -> None:
        """Refuses impossible values; raises ValueError naming the field."""
        super().__post_init__()
        check_positive(
            self,
            "batch_size",
            "samples_per_insert",
            "min_replay_size",
            "max_replay_size",
        )
        for name in ("batch_size", "min_replay_size"):
            if getattr(self, name) > self.max_replay_size:
                raise ValueError(
                    f"{name} ({getattr(self, name):,}) must not be more than "
                    f"max_replay_size ({self.max_replay_size:,})."
                )


@dataclasses.dataclass(frozen=True)
class TransitionConfig(ReplayConfig):
    """What agents share that learn from n-step transitions.

    Attributes:
        discount: gamma, per environment step.
        n_step: environment steps that a target looks ahead.
    """

    discount: float = 0.99
    n_step: int = 1

    def __post_init__(self) -> None:
        """Refuses impossible values; raises ValueError naming the field."""
        super().__post_init__()
        check_positive(self, "n_step")
        check_within(self, 0, 1, "discount")
