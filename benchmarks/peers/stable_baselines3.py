"""Stable-Baselines3's ReplayBuffer: NumPy arrays, batches as PyTorch tensors."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from gymnasium import spaces
from stable_baselines3.common import buffers

from benchmarks import peers, sizes


def make(workload: str, settings: peers.Settings) -> peers.Work | None:
    """See `benchmarks.peers`."""
    kind, _, number = workload.rpartition("_")
    batch_size = 1 if number == "one" else int(number)
    if kind == "insert":
        return _insert(_small(settings.num_items, batch_size), batch_size)
    if kind == "uniform":
        buffer = _small(settings.num_items, 1)
    elif kind == "atari":
        buffer = _atari(settings.num_frames)
    else:
        return None
    return peers.Work(functools.partial(buffer.sample, batch_size), batch_size)


def _small(num_items: int, num_envs: int) -> Any:
    """A full buffer of small transitions."""
    buffer = buffers.ReplayBuffer(
        num_items,
        spaces.Box(-np.inf, np.inf, (sizes.OBSERVATION_SIZE,), np.float32),
        spaces.Discrete(5),
        device="cpu",
        n_envs=num_envs,
    )
    some = peers.transitions(num_envs)
    while not buffer.full:
        _add(buffer, some)
    return buffer


def _add(buffer: Any, some: dict[str, Any]) -> None:
    buffer.add(
        some["observation"],
        some["next_observation"],
        some["action"],
        some["reward"],
        1.0 - some["discount"],
        [{}] * len(some["action"]),
    )


def _insert(buffer: Any, num_envs: int) -> peers.Work:
    return peers.Work(
        functools.partial(_add, buffer, peers.transitions(num_envs)), num_envs
    )


def _atari(num_frames: int) -> Any:
    """A full buffer of stacks, in its memory-saving variant: each stack stored once."""
    buffer = buffers.ReplayBuffer(
        num_frames,
        spaces.Box(0, 255, (sizes.STACK, *sizes.FRAME), np.uint8),
        spaces.Discrete(5),
        device="cpu",
        optimize_memory_usage=True,
        handle_timeout_termination=False,
    )
    frames = peers.frames()
    zero = np.zeros(1, np.float32)
    stack = np.stack([next(frames) for _ in range(sizes.STACK)])
    for _ in range(num_frames):
        newer = np.concatenate([stack[1:], next(frames)[None]])
        buffer.add(stack[None], newer[None], np.zeros(1, int), zero, zero, [{}])
        stack = newer
    return buffer
