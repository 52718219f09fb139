"""Small replays, and rows to put into them, that the tests of this folder share."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tfagents_core import replay

from . import oracle

STEPS = {
    "observation": replay.Column((2,), np.float32),
    "action": replay.Column((), np.int32),
    "reward": replay.Column((), np.float32),
    "discount": replay.Column((), np.float32),
}


def make_row(rng: np.random.Generator) -> oracle.Row:
    """A random row of STEPS."""
    return {
        "observation": rng.normal(size=2).astype(np.float32),
        "action": np.int32(rng.integers(1000)),
        "reward": np.float32(rng.normal()),
        "discount": np.float32(rng.choice([0.0, 0.5, 1.0])),
    }


def make_table(name: str = "table", **overrides: Any) -> replay.Table:
    """A uniform table of one-step transitions, but for what is overridden."""
    options: dict[str, Any] = {
        "pattern": replay.NStep(n=1),
        "outputs": {"action": replay.views.Row("action", -1)},
        "sampler": replay.Uniform(),
        "remover": replay.Fifo(),
        "max_size": 1000,
        "rate_limiter": replay.MinSize(1),
    }
    return replay.Table(name, **{**options, **overrides})


def make_replay(
    *, num_streams: int = 1, seed: int = 0, segment_rows: int = 0, **overrides: Any
) -> tuple[replay.Replay, replay.TableHandle]:
    """A replay of STEPS with one such table."""
    table = make_table(**overrides)
    rb = replay.Replay(
        STEPS, [table], num_streams=num_streams, segment_rows=segment_rows, seed=seed
    )
    return rb, rb.tables[table.name]


def drained(**overrides: Any) -> dict[str, Any]:
    """Table options under which sampling gives each item once, oldest first."""
    return {"sampler": replay.Fifo(), "max_times_sampled": 1, **overrides}


def append_items(rb: replay.Replay, num_items: int) -> None:
    """Appends an episode that makes `num_items` one-step items; actions count up."""
    for step in range(num_items + 1):
        row = {
            "observation": np.full(2, step, np.float32),
            "action": np.int32(step - 1),
            "reward": np.float32(step),
            "discount": np.float32(1),
        }
        rb.append_one(row, first=step == 0, last=False)


def can_compress() -> bool:
    """Whether LZ4 was there when the extension was built."""
    steps = {"x": replay.Column((64,), np.uint8, compression="lz4")}
    table = make_table(pattern=None, outputs=replay.views.Row("x", -1))
    try:
        replay.Replay(steps, [table])
    except RuntimeError as error:
        assert "liblz4-dev" in str(error)
        return False
    return True


compressed = pytest.mark.skipif(not can_compress(), reason="built without LZ4")
