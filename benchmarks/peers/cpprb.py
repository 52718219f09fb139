"""cpprb, a replay in C++ and Cython."""

from __future__ import annotations

import functools
import itertools
from typing import Any

import cpprb
import numpy as np

from benchmarks import peers, sizes


def make(workload: str, settings: peers.Settings) -> peers.Work | None:
    """See `benchmarks.peers`."""
    kind, _, number = workload.rpartition("_")
    if kind.endswith("tensors"):
        return None
    batch_size = 1 if number == "one" else int(number)
    if kind == "atari":
        buffer = _atari(settings.num_frames)
        return peers.Work(functools.partial(buffer.sample, batch_size), batch_size)
    buffer = _small(kind, settings.num_items)
    if kind in ("insert", "insert_run"):
        return _insert(buffer, batch_size)
    if kind == "uniform":
        return peers.Work(functools.partial(buffer.sample, batch_size), batch_size)
    sample = functools.partial(buffer.sample, batch_size, beta=sizes.BETA)
    new = peers.priorities()[:batch_size]
    if kind == "update":
        keys = itertools.cycle([sample()["indexes"] for _ in range(256)])
        return peers.Work(lambda: buffer.update_priorities(next(keys), new), batch_size)
    if kind == "sample_update":
        return peers.Work(
            lambda: buffer.update_priorities(sample()["indexes"], new), batch_size
        )
    return peers.Work(sample, batch_size)


def _small(kind: str, num_items: int) -> Any:
    """A full buffer of small transitions."""
    columns = {
        "observation": {"shape": sizes.OBSERVATION_SIZE, "dtype": np.float32},
        "next_observation": {"shape": sizes.OBSERVATION_SIZE, "dtype": np.float32},
        "action": {"dtype": np.int32},
        "reward": {"dtype": np.float32},
        "discount": {"dtype": np.float32},
    }
    if kind in ("uniform", "insert", "insert_run"):
        buffer = cpprb.ReplayBuffer(num_items, columns)
    else:
        buffer = cpprb.PrioritizedReplayBuffer(num_items, columns, alpha=sizes.ALPHA)
    some = peers.transitions(1_000)
    for _ in range(num_items // 1_000 + 1):
        buffer.add(**some)
    return buffer


def _insert(buffer: Any, batch_size: int) -> peers.Work:
    some = peers.transitions(batch_size)
    if batch_size == 1:
        some = {name: array[0] for name, array in some.items()}
    return peers.Work(lambda: buffer.add(**some), batch_size)


def _atari(num_frames: int) -> Any:
    """A full buffer of stacks, with cpprb's memory compression: frames stored once."""
    columns = {
        "obs": {"shape": (*sizes.FRAME, sizes.STACK), "dtype": np.uint8},
        "action": {"dtype": np.int32},
        "reward": {"dtype": np.float32},
        "discount": {"dtype": np.float32},
    }
    buffer = cpprb.ReplayBuffer(
        num_frames, columns, next_of="obs", stack_compress="obs"
    )
    frames = peers.frames()
    stack = np.stack([next(frames) for _ in range(sizes.STACK)], axis=-1)
    for step in range(num_frames):
        newer = np.concatenate([stack[..., 1:], next(frames)[..., None]], axis=-1)
        buffer.add(obs=stack, next_obs=newer, action=0, reward=0.0, discount=1.0)
        stack = newer
        if step % sizes.EPISODE_LENGTH == sizes.EPISODE_LENGTH - 1:
            buffer.on_episode_end()
    return buffer
