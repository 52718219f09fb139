"""Names for the values that pass between the parts."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeAlias

Nest: TypeAlias = Any
"""A nested structure (mappings, sequences, named tuples) with arrays at its leaves."""

NestedArray: TypeAlias = Nest
"""A nest of NumPy arrays."""

NestedTensor: TypeAlias = Nest
"""A nest of TensorFlow tensors."""

NestedSpec: TypeAlias = Nest
"""A nest of dm_env array specs."""


@dataclasses.dataclass(frozen=True)
class Episode:
    """What one finished episode came to.

    Attributes:
        environment: index of the environment that played it, in `[0, K)`.
        total_reward: undiscounted sum of its rewards.
        length: environment steps.
        metrics: what observers made of it.
    """

    environment: int
    total_reward: float
    length: int
    metrics: Mapping[str, float] = dataclasses.field(default_factory=dict)
