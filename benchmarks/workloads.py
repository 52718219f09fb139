"""The replays that the benchmarks measure, and functions that fill them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks import sizes
from tfagents_core import replay

SMALL = {
    "observation": replay.Column((sizes.OBSERVATION_SIZE,), np.float32),
    "action": replay.Column((), np.int32),
    "reward": replay.Column((), np.float32),
    "discount": replay.Column((), np.float32),
    "extras": replay.Column((), np.float32),
}
# Four small columns, as of a classic control task.
TINY = {
    "observation": replay.Column((4,), np.float32),
    "action": replay.Column((), np.int32),
    "reward": replay.Column((), np.float32),
    "discount": replay.Column((), np.float32),
}
TINY_BYTES = 4 * 7
SMALL_BYTES = 4 * (sizes.OBSERVATION_SIZE + 4)
ATARI = {
    "observation": replay.Column(sizes.FRAME, np.uint8),
    "action": replay.Column((), np.int32),
    "reward": replay.Column((), np.float32),
    "discount": replay.Column((), np.float32),
}


def small(
    num_items: int,
    sampler: replay.selectors.Selector,
    *,
    num_envs: int = sizes.NUM_ENVS,
    steps: Any = SMALL,
) -> replay.Replay:
    """An empty replay of one-step transitions: five columns, 24 float32 observed."""
    table = replay.Table(
        "table",
        pattern=replay.NStep(1),
        outputs=replay.n_step_transition(steps, gamma=0.99),
        max_size=num_items,
        rate_limiter=replay.MinSize(1),
        sampler=sampler,
    )
    return replay.Replay(steps, [table], num_streams=num_envs)


def draws_only(num_items: int) -> replay.Replay:
    """An empty prioritized replay without outputs, so that sampling only draws."""
    steps = {"value": replay.Column((), np.int32)}
    table = replay.Table(
        "table",
        pattern=replay.NStep(1),
        outputs={},
        max_size=num_items,
        rate_limiter=replay.MinSize(1),
        sampler=replay.Prioritized(sizes.ALPHA),
    )
    return replay.Replay(steps, [table], num_streams=sizes.NUM_ENVS)


def atari(num_items: int, *, compression: str | None = None) -> replay.Replay:
    """An empty replay of Atari transitions: two stacks of 4 frames are one of 5."""
    frame = replay.Column(sizes.FRAME, np.uint8, compression=compression)
    table = replay.Table(
        "table",
        pattern=replay.NStep(1),
        outputs={
            "frames": replay.views.Row("observation", -1, stack=sizes.STACK + 1),
            "action": replay.views.Row("action", -1),
            "reward": replay.views.Row("reward", -1),
            "discount": replay.views.Row("discount", -1),
        },
        max_size=num_items,
        rate_limiter=replay.MinSize(1),
    )
    steps = {**ATARI, "observation": frame}
    return replay.Replay(steps, [table], num_streams=8)


def sequences(num_items: int, *, length: int = 80, period: int = 40) -> replay.Replay:
    """An empty replay of R2D2's overlapping sequences of frames."""
    table = replay.Table(
        "table",
        pattern=replay.Sequence(length + 1, period),
        outputs=replay.sequence(ATARI, length),
        max_size=num_items,
        rate_limiter=replay.MinSize(1),
    )
    return replay.Replay(ATARI, [table], num_streams=8)


def rows(steps: Any, num_rows: int, seed: int = 0) -> dict[str, npt.NDArray[Any]]:
    """Random rows, of as many environments or of one: arrays `[num_rows, *shape]`."""
    rng = np.random.default_rng(seed)

    def random(column: replay.Column) -> npt.NDArray[Any]:
        shape = (num_rows, *column.shape)
        if column.dtype.kind == "f":
            return rng.uniform(0.0, 1.0, shape).astype(column.dtype)
        return rng.integers(0, 200, shape).astype(column.dtype)

    return {name: random(column) for name, column in steps.items()}


def fill(buffer: replay.Replay, num_items: int) -> replay.TableHandle:
    """Appends rows until the table has `num_items`, then spreads their priorities."""
    table = buffer.tables["table"]
    append_items(buffer, num_items)
    if isinstance(table.config.sampler, replay.Prioritized):
        spread_priorities(table)
    return table


def append_items(buffer: replay.Replay, num_items: int) -> None:
    """Appends rows, which begin with new episodes, until they made so many items."""
    table = buffer.tables["table"]
    # Eight different batches: making new ones would take longer than appending them.
    batches = [rows(buffer.steps, buffer.num_streams, seed) for seed in range(8)]
    until = table.stats().num_inserted + num_items
    tick = 0
    while table.stats().num_inserted < until:
        step = tick % sizes.EPISODE_LENGTH
        buffer.append(
            batches[tick % len(batches)],
            first=step == 0,
            last=step == sizes.EPISODE_LENGTH - 1,
        )
        tick += 1


def spread_priorities(table: replay.TableHandle, *, batch_size: int = 65_536) -> None:
    """Draws items, twice as many as there are, and sets priorities in [0.1, 2)."""
    rng = np.random.default_rng(0)
    for _ in range(2 * table.size // batch_size + 1):
        keys = table.sample(batch_size).info.key
        table.update_priorities(keys, rng.uniform(0.1, 2.0, batch_size))
