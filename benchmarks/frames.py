"""Memory and time of Atari frames, raw and compressed, from games played at random."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from benchmarks import floors, sizes, timing, workloads
from tfagents_core import replay

_GAMES = ("Pong", "Breakout", "SpaceInvaders")
_NUM_PLAYED = 10_000
_NUM_STREAMS = 8

Frames = npt.NDArray[np.uint8]


class Amount(Protocol):
    """The size of the benchmark: frames stored, and repeats of each measurement."""

    @property
    def num_frames(self) -> int: ...
    @property
    def repeats(self) -> int: ...


def compressed_frames(amount: Amount) -> Iterator[dict[str, Any]]:
    """Bytes per frame in three games, and the time to draw 256 windows of 5 frames.

    `bytes_per_frame` counts the whole row, `gib_of_1m` is the memory of a million such
    rows, and `compress_mb_per_s` is per CPU second of the compressing thread. Only the
    first frames of a game are played, with random actions; they are stored repeatedly,
    which does not change their compressed size.
    """
    for game in _GAMES:
        try:
            frames = _play(game, min(amount.num_frames, _NUM_PLAYED))
            packed = _store(frames, amount.num_frames, "lz4")
        except (ImportError, RuntimeError) as error:
            yield {"left_out": str(error)}
            return
        raw = _store(frames, amount.num_frames, None)
        batch = functools.partial(raw[0].tables["table"].sample, sizes.BATCH)
        packed_batch = functools.partial(packed[0].tables["table"].sample, sizes.BATCH)
        np.testing.assert_array_equal(
            batch().data["frames"], packed_batch().data["frames"]
        )
        piece_bytes = (sizes.STACK + 1) * sizes.FRAME_BYTES
        footprint = amount.num_frames * sizes.FRAME_BYTES
        timings = timing.interleave(
            {
                "": packed_batch,
                "raw_": batch,
                "floor_": floors.copy_pieces(sizes.BATCH, piece_bytes, footprint),
            },
            repeats=amount.repeats,
        )
        line: dict[str, Any] = {"game": game, "num_items": amount.num_frames}
        for prefix, (buffer, seconds) in {"": packed, "raw_": raw}.items():
            line |= _size(prefix, buffer, amount.num_frames)
            if prefix == "":
                line["compress_mb_per_s"] = round(footprint / 1e6 / max(seconds, 1e-9))
        for prefix, measured in timings.items():
            line |= measured.fields(prefix)
        line["floor"] = "memcpy of as many random pieces of the same bytes"
        for name in ("raw", "floor"):
            ratio = timings[""].cpu / timings[f"{name}_"].cpu
            line[f"of_{name}"] = timing.significant(ratio)
        yield line


def _play(game: str, num_frames: int) -> Frames:
    """The newest frames of `num_frames` observations, uint8 `[N, 84, 84]`."""
    from tfagents_core import environments

    try:
        environment = environments.make(f"atari:{game}", seed=0)
    except environments.MissingExtraError as error:
        raise ImportError(str(error)) from error
    rng = np.random.default_rng(0)
    num_actions = environment.action_spec().num_values
    frames = np.empty((num_frames, *sizes.FRAME), np.uint8)
    timestep = environment.reset()
    for i in range(num_frames):
        frames[i] = timestep.observation[-1]
        is_last = timestep.last()
        action = rng.integers(num_actions)
        timestep = environment.reset() if is_last else environment.step(action)
    return frames


def _store(
    frames: Frames, num_frames: int, compression: str | None
) -> tuple[replay.Replay, float]:
    """A full replay, and the CPU seconds that its own threads took to fill it."""
    buffer = workloads.atari(num_frames, compression=compression)
    table = buffer.tables["table"]
    rows = workloads.rows(buffer.steps, _NUM_STREAMS)
    offsets = np.arange(_NUM_STREAMS) * len(frames) // _NUM_STREAMS
    start = time.process_time() - time.thread_time()
    tick = 0
    while table.size < num_frames:
        rows["observation"] = frames[(offsets + tick) % len(frames)]
        buffer.append(rows, first=tick % sizes.EPISODE_LENGTH == 0)
        tick += 1
    buffer.wait_until_compressed()
    return buffer, time.process_time() - time.thread_time() - start


def _size(prefix: str, buffer: replay.Replay, num_frames: int) -> dict[str, float]:
    per_frame = buffer.bytes_in_use / num_frames
    return {
        f"{prefix}bytes_per_frame": timing.significant(per_frame, 5),
        f"{prefix}gib_of_1m": timing.significant(per_frame * 1e6 / 2**30),
    }
