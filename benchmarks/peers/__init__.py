"""The same workloads on different replays, each used as its documentation advises.

Each replay's module has `make(workload, settings)`, which fills a replay and returns
the call to time, or None if the replay does not support the workload. Such a module
imports only that replay, its dependencies and NumPy, so that it runs in the replay's
own environment.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks import sizes

WORKLOADS = {
    "insert_one": "transitions inserted one by one",
    "insert_256": "transitions of 256 environments inserted in one call",
    "insert_run_1024": "1,024 transitions of one environment inserted in one call",
    "uniform_32": "32 transitions drawn uniformly",
    "uniform_256": "256 transitions drawn uniformly",
    "prioritized_256": "256 transitions drawn by priority, with weights",
    "update_256": "256 new priorities",
    "sample_update_256": "256 transitions by priority, and their new priorities",
    "atari_32": "32 Atari transitions, stacks of 4 frames",
    "atari_256": "256 Atari transitions, stacks of 4 frames",
    "tensors_256": "256 transitions by priority, 8 batches in a `tf.function`",
    "atari_tensors_32": "32 Atari transitions, 8 batches in a `tf.function`",
    "atari_tensors_256": "256 Atari transitions, 4 batches in a `tf.function`",
}

# Batches that one call of a `tf.function` takes, for as many SGD steps.
NUM_BATCHES = {"tensors_256": 8, "atari_tensors_32": 8, "atari_tensors_256": 4}


@dataclasses.dataclass(frozen=True)
class Settings:
    """The sizes of the replays.

    Attributes:
        num_items: number of small transitions.
        num_frames: number of Atari transitions.
    """

    num_items: int
    num_frames: int


@dataclasses.dataclass(frozen=True)
class Work:
    """A workload to time.

    Attributes:
        call: does the work once.
        items: number of items that one call handles.
    """

    call: Callable[[], object]
    items: int


def transitions(num: int) -> dict[str, npt.NDArray[Any]]:
    """Random small transitions: arrays `[num, ...]`."""
    rng = np.random.default_rng(0)
    shape = (num, sizes.OBSERVATION_SIZE)
    return {
        "observation": rng.uniform(size=shape).astype(np.float32),
        "action": rng.integers(0, 5, num).astype(np.int32),
        "reward": rng.uniform(size=num).astype(np.float32),
        "discount": np.ones(num, np.float32),
        "next_observation": rng.uniform(size=shape).astype(np.float32),
    }


def frames() -> Iterator[npt.NDArray[np.uint8]]:
    """Endless frames: moving squares on a plain background."""
    rng = np.random.default_rng(0)
    size = 6
    corners = rng.integers(0, np.array(sizes.FRAME) - size, (20, 2))
    while True:
        corners += rng.integers(-2, 3, corners.shape)
        corners = np.clip(corners, 0, np.array(sizes.FRAME) - size)
        frame = np.full(sizes.FRAME, 87, np.uint8)
        for row, column in corners:
            frame[row : row + size, column : column + size] = 200
        yield frame


def priorities() -> npt.NDArray[np.float64]:
    """New priorities for one batch, float64 `[BATCH]`."""
    return np.random.default_rng(0).uniform(0.1, 2.0, sizes.BATCH)
