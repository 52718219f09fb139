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
    """Summary of one finished episode.

    Attributes:
        environment: index of the environment that played it, in `[0, K)`.
        total_reward: undiscounted sum of its rewards, over all their components.
        length: environment steps.
        metrics: of observers; where a reward has several components, also the return
            of each, as `episode_return/<path>`.
        elsewhere: the id of the environment that it was played in, if that is not the
            run's own.
    """

    environment: int
    total_reward: float
    length: int
    metrics: Mapping[str, float] = dataclasses.field(default_factory=dict)
    elsewhere: str | None = None
