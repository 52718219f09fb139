"""Tables of every pattern, and episodes to fill them with, for replays not ours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tfagents_core import replay

STEPS = {
    "observation": {
        "pixels": replay.Column((2, 2), np.uint8),
        "speed": replay.Column((3,), np.float32),
    },
    "action": replay.Column((), np.int32),
    "reward": replay.Column((), np.float32),
    "discount": replay.Column((), np.float32),
    "extras": {"core": replay.Column((2,), np.float32)},
}
_PIXELS = {("observation", "pixels"): 3}
_IS_FIRST = replay.views.IsFirst(0, 4)


def make_table(name: str = "t", **changes: Any) -> replay.Table:
    defaults: dict[str, Any] = {
        "pattern": replay.NStep(3),
        "outputs": replay.n_step_transition(STEPS, 0.9, stack=_PIXELS),
        "max_size": 1000,
        "rate_limiter": replay.MinSize(1),
    }
    return replay.Table(name, **{**defaults, **changes})


def _sequence_outputs() -> replay.SequenceSample:
    data = replay.sequence(STEPS, 4, stack=_PIXELS, core_state="core")
    return data._replace(is_first=_IS_FIRST)


TABLES = [
    pytest.param(changes, id=name)
    for name, changes in {
        "n-step": {},
        "n-step without short starts": {
            "pattern": replay.NStep(3, short_starts=False),
            "outputs": replay.n_step_transition(STEPS, 0.9),
        },
        "padded sequences": {
            "pattern": replay.Sequence(length=5, period=2),
            "outputs": _sequence_outputs(),
        },
        "dropped sequences, time-major": {
            "pattern": replay.Sequence(length=5, period=4, end="drop"),
            "outputs": _sequence_outputs(),
            "time_major": True,
        },
        "unrolls": {
            "pattern": replay.Sequence(length=5, period=4, end="continue"),
            "outputs": replay.unroll(STEPS, 4, stack=_PIXELS, core_state="core"),
        },
        "overlapping unrolls": {
            "pattern": replay.Sequence(length=5, period=3, end="continue"),
            "outputs": replay.unroll(STEPS, 4),
        },
        "episodes": {
            "pattern": replay.Episode(max_length=8),
            "outputs": replay.sequence(STEPS, 7),
        },
    }.items()
]


def ticks(
    num_ticks: int, num_streams: int, *, seed: int = 0
) -> Iterator[tuple[Any, np.ndarray, np.ndarray]]:
    """Rows `[K, ...]`, first and last; episodes of 2 to 7 rows, some abandoned."""
    rng = np.random.default_rng(seed)
    left = np.zeros(num_streams, np.int64)
    for _ in range(num_ticks):
        first = (left == 0) | (rng.random(num_streams) < 0.05)
        left = np.where(first, rng.integers(2, 8, num_streams), left) - 1
        yield _rows(rng, num_streams), first, left == 0


def _rows(rng: np.random.Generator, size: int) -> Any:
    return {
        "observation": {
            "pixels": rng.integers(1, 256, (size, 2, 2), np.uint8),
            "speed": rng.normal(size=(size, 3)).astype(np.float32),
        },
        "action": rng.integers(1000, size=size, dtype=np.int32),
        "reward": rng.normal(size=size).astype(np.float32),
        "discount": rng.choice([0.5, 1.0], size).astype(np.float32),
        "extras": {"core": rng.normal(size=(size, 2)).astype(np.float32)},
    }
