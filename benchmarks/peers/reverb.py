"""dm-reverb: a server in this process, used as its documentation advises."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import reverb
import tensorflow as tf

from benchmarks import peers, sizes

# Batches are sampled through its tf.data op, which is its fast path, with twice the
# batch in flight, as its documentation advises, and prefetched.
_PREFETCH = 2


def make(workload: str, settings: peers.Settings) -> peers.Work | None:
    """See `benchmarks.peers`."""
    kind, _, number = workload.rpartition("_")
    if workload in ("insert_256", "insert_run_1024"):
        return None
    batch_size = 1 if number == "one" else int(number)
    is_atari = kind.startswith("atari")
    num_items = settings.num_frames if is_atari else settings.num_items
    running = _serve(num_items, uniform=is_atari or kind == "uniform")
    insert = _Inserter(running, is_atari)
    if kind == "insert":
        return peers.Work(functools.partial(insert, sizes.BATCH), sizes.BATCH)
    for _ in range(num_items // 1_000):
        insert(1_000)
    num_batches = peers.NUM_BATCHES.get(workload, 1)
    take = _consumer(running, is_atari, batch_size, num_batches)
    new = peers.priorities()[:batch_size]
    if kind == "update":
        keys = take().numpy()
        return peers.Work(functools.partial(_update, running, keys, new), batch_size)
    if kind == "sample_update":
        return peers.Work(lambda: _update(running, take().numpy(), new), batch_size)
    return peers.Work(take, num_batches * batch_size)


@dataclasses.dataclass(frozen=True)
class _Running:
    """A server, which stops when nothing refers to it, and its client."""

    server: Any
    client: Any


def _serve(num_items: int, *, uniform: bool) -> _Running:
    selectors = reverb.selectors
    sampler = selectors.Uniform() if uniform else selectors.Prioritized(sizes.ALPHA)
    table = reverb.Table(
        "table",
        sampler=sampler,
        remover=selectors.Fifo(),
        max_size=num_items,
        rate_limiter=reverb.rate_limiters.MinSize(1),
    )
    server = reverb.Server([table], port=None)
    return _Running(server, server.localhost_client())


class _Inserter:
    """Appends steps, makes an item of each with the steps before it, and flushes."""

    def __init__(self, running: _Running, is_atari: bool) -> None:
        self._running = running
        self._window = sizes.STACK + 1 if is_atari else 2
        self._writer = running.client.trajectory_writer(self._window)
        some = peers.transitions(1)
        self._step = {
            name: some[name][0]
            for name in ("observation", "action", "reward", "discount")
        }
        self._frames = peers.frames() if is_atari else None
        for _ in range(self._window):
            self._append()

    def __call__(self, num_items: int) -> None:
        window, writer = self._window, self._writer
        for _ in range(num_items):
            self._append()
            history = writer.history
            item = {
                name: history[name][-2] for name in ("action", "reward", "discount")
            }
            item["observation"] = history["observation"][-window:]
            writer.create_item("table", priority=1.0, trajectory=item)
        writer.flush()

    def _append(self) -> None:
        step = self._step
        if self._frames is not None:
            step = {**step, "observation": next(self._frames)}
        self._writer.append(step)


def _consumer(
    running: _Running, is_atari: bool, batch_size: int, num_batches: int
) -> Callable[[], tf.Tensor]:
    """A call that takes batches in a `tf.function` and returns the last one's keys."""
    window = (
        (sizes.STACK + 1, *sizes.FRAME) if is_atari else (2, sizes.OBSERVATION_SIZE)
    )
    dtypes = {
        "observation": tf.uint8 if is_atari else tf.float32,
        "action": tf.int32,
        "reward": tf.float32,
        "discount": tf.float32,
    }
    shapes = {name: window if name == "observation" else () for name in dtypes}
    dataset = reverb.TrajectoryDataset(
        server_address=f"localhost:{running.server.port}",
        table="table",
        dtypes=dtypes,
        shapes={name: tf.TensorShape(shape) for name, shape in shapes.items()},
        max_in_flight_samples_per_worker=2 * batch_size,
    )
    dataset = dataset.batch(batch_size, drop_remainder=True).prefetch(_PREFETCH)
    iterator = iter(dataset)

    @tf.function
    def take() -> tf.Tensor:
        samples = [next(iterator) for _ in range(num_batches)]
        seen = [tf.reshape(leaf, [-1])[0] for leaf in tf.nest.flatten(samples)]
        with tf.control_dependencies(seen):
            return tf.identity(samples[-1].info.key)

    return functools.partial(_call, take, running)


def _call(take: Callable[[], tf.Tensor], running: _Running) -> tf.Tensor:
    del running  # The partial that holds it keeps the server alive.
    return take()


def _update(running: _Running, keys: Any, new: np.ndarray) -> None:
    running.client.mutate_priorities("table", dict(zip(keys.tolist(), new.tolist())))
