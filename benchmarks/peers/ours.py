"""tfagents_core's own replay."""

from __future__ import annotations

import functools
import itertools

from benchmarks import peers, sizes, workloads
from tfagents_core import replay


def make(workload: str, settings: peers.Settings) -> peers.Work:
    """See `benchmarks.peers`."""
    kind, _, number = workload.rpartition("_")
    batch_size = 1 if number == "one" else int(number)
    if kind == "insert":
        return _insert(settings.num_items, batch_size)
    if kind == "insert_run":
        return _insert_run(settings.num_items, batch_size)
    table = _table(kind, settings)
    new = peers.priorities()[:batch_size]
    if kind == "update":
        keys = itertools.cycle([table.sample(batch_size).info.key for _ in range(256)])
        return peers.Work(lambda: table.update_priorities(next(keys), new), batch_size)
    if kind == "sample_update":
        return peers.Work(lambda: _sample_and_update(table, new), batch_size)
    if kind.endswith("tensors"):
        from benchmarks import delivery

        num_batches = peers.NUM_BATCHES[workload]
        call = delivery.consumer(table, batch_size, prefetch=2, num_batches=num_batches)
        return peers.Work(call, num_batches * batch_size)
    beta = sizes.BETA if kind == "prioritized" else 0.0
    sample = functools.partial(table.sample, batch_size, beta=beta)
    return peers.Work(sample, batch_size)


def _table(kind: str, settings: peers.Settings) -> replay.TableHandle:
    """A full table of the transitions that the workload samples."""
    if kind.startswith("atari"):
        return workloads.fill(workloads.atari(settings.num_frames), settings.num_frames)
    uniform = kind == "uniform"
    sampler = replay.Uniform() if uniform else replay.Prioritized(sizes.ALPHA)
    buffer = workloads.small(settings.num_items, sampler)
    return workloads.fill(buffer, settings.num_items)


def _insert(num_items: int, num_envs: int) -> peers.Work:
    buffer = workloads.small(num_items, replay.Uniform(), num_envs=num_envs)
    workloads.fill(buffer, num_items)
    rows = workloads.rows(buffer.steps, num_envs)
    if num_envs > 1:
        return peers.Work(functools.partial(buffer.append, rows), num_envs)
    row = {name: array[0] for name, array in rows.items()}
    return peers.Work(functools.partial(buffer.append_one, row), 1)


def _insert_run(num_items: int, num_rows: int) -> peers.Work:
    buffer = workloads.small(num_items, replay.Uniform(), num_envs=1)
    rows = workloads.rows(buffer.steps, num_rows)
    buffer.append_steps(rows, first=True)
    append = functools.partial(buffer.append_steps, rows)
    for _ in range(num_items // num_rows + 1):
        append()
    return peers.Work(append, num_rows)


def _sample_and_update(table: replay.TableHandle, new: object) -> None:
    info = table.sample(sizes.BATCH, beta=sizes.BETA).info
    table.update_priorities(info.key, new)
