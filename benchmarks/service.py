"""What a shard of the replay takes in and gives out, called by several at once.

    python -m benchmarks.service --transport ray --writers 4 --readers 2 --seconds 60

Writers send chunks of 8 environments x 16 steps of 132 bytes; readers draw batches of 256
transitions, four in a call, by priority, and send back a priority for each item. Prints a
JSON line for each kind of call, with its latency, and one with the sums. At the end every
row that was acknowledged must have been inserted once, and those that the table still has
must follow one another without a gap.
"""

from __future__ import annotations

import argparse
import collections
import json
import pathlib
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks import timing
from tfagents_core import distributed, replay

STREAMS, TICKS, BATCH, BATCHES_PER_CALL = 8, 16, 256, 4
ROWS = {
    "stream": replay.Column((), np.int32),
    "tick": replay.Column((), np.int64),
    "observation": replay.Column((24,), np.float32),
    "action": replay.Column((6,), np.float32),
}
OUTPUTS = {
    "o_tm1": replay.views.Row("observation", 0),
    "o_t": replay.views.Row("observation", -1),
    "a_tm1": replay.views.Row("action", -1),
    "stream": replay.views.Row("stream", -1),
    "tick": replay.views.Row("tick", -1),
}
Latencies = dict[str, list[float]]


class Timed:
    """A shard that notes how long each call takes, in seconds."""

    def __init__(self, shard: Any) -> None:
        self._shard = shard
        self.latencies: Latencies = collections.defaultdict(list)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._shard, name)

        def call(*arguments: Any) -> Any:
            start = time.perf_counter()
            result = method(*arguments)
            self.latencies[name].append(time.perf_counter() - start)
            return result

        return call


def make_table() -> replay.Table:
    """A million transitions, drawn by priority."""
    return replay.Table(
        "t",
        pattern=replay.NStep(1),
        outputs=OUTPUTS,
        sampler=replay.Prioritized(0.6),
        max_size=1_000_000,
        rate_limiter=replay.MinSize(BATCH),
    )


def make_options(num_writers: int) -> dict[str, Any]:
    """What `replay.Replay` is given beside columns and table."""
    return {"num_streams": num_writers * STREAMS, "rows_per_append": TICKS}


def write(shard: Any, index: int, seconds: float) -> tuple[Latencies, int]:
    """Writes for so long; returns latencies and the ticks that were acknowledged."""
    timed = Timed(shard)
    client = distributed.ChunkClient(
        timed, ROWS, actor=f"w{index}", num_streams=STREAMS, chunk_ticks=TICKS
    )
    generator = np.random.default_rng(index)
    rows = {
        "stream": index * STREAMS + np.arange(STREAMS, dtype=np.int32),
        "observation": generator.normal(size=(STREAMS, 24)).astype(np.float32),
        "action": generator.normal(size=(STREAMS, 6)).astype(np.float32),
    }
    last = np.zeros(STREAMS, np.bool_)
    end, tick = time.monotonic() + seconds, 0
    while time.monotonic() < end or tick % TICKS:
        rows["tick"] = np.full(STREAMS, tick)
        client.append(rows, first=np.full(STREAMS, tick == 0), last=last)
        tick += 1
    return dict(timed.latencies), tick


def read(shard: Any, index: int, seconds: float) -> tuple[Latencies, int]:
    """Reads for so long; returns latencies and the number of batches."""
    timed = Timed(shard)
    generator = np.random.default_rng(index)
    end, num_batches = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        try:
            samples = timed.sample("t", BATCH, None, BATCHES_PER_CALL, 0.5)
        except TimeoutError:
            continue  # Nothing has been written yet.
        keys = np.concatenate([sample.info.key for sample in samples])
        timed.update_priorities("t", keys, generator.uniform(size=len(keys)))
        num_batches += len(samples)
    return dict(timed.latencies), num_batches


def check(table: replay.TableHandle, num_ticks: list[int]) -> None:
    """Checks that each acknowledged row is there once, as far as the table goes back.

    Raises:
        AssertionError: one is lost or double.
    """
    # An item is of two rows, so each stream's first row makes none.
    inserted = sum(STREAMS * (ticks - 1) for ticks in num_ticks)
    assert table.stats().num_inserted == inserted, (table.stats(), inserted)
    data = table.get(table.keys()).data
    for stream in range(STREAMS * len(num_ticks)):
        ticks = np.sort(data["tick"][data["stream"] == stream])
        assert len(ticks) and ticks[-1] == num_ticks[stream // STREAMS] - 1
        np.testing.assert_array_equal(np.diff(ticks), 1)


def in_threads(options: argparse.Namespace, directory: str) -> list[Any]:
    """All in one process: what the service costs without any transport."""
    buffer = replay.Replay(ROWS, [make_table()], **make_options(options.writers))
    service = distributed.ReplayService(buffer, directory)
    results: list[Any] = [None] * (options.writers + options.readers)

    def run(at: int, role: Callable[..., Any], index: int) -> None:
        results[at] = role(service, index, options.seconds)

    threads = [
        threading.Thread(target=run, args=[at, *job])
        for at, job in enumerate(_jobs(options))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    num_ticks = [ticks for _, ticks in results[: options.writers]]
    check(buffer.tables["t"], num_ticks)
    return results


def in_ray(options: argparse.Namespace, directory: str) -> list[Any]:
    """Each in a process of its own, by Ray."""
    import ray

    from tfagents_core.distributed import ray_cluster, ray_shards

    cluster = ray_cluster.Cluster(None, num_cpus=options.writers + options.readers)
    handle = ray_shards.start(
        ROWS,
        [make_table()],
        options=make_options(options.writers),
        directory=pathlib.Path(directory),
        batch_sizes={"t": BATCH},
    )
    shard = ray_shards.RayShard(handle)
    calls = [
        ray.remote(num_cpus=1)(role).remote(shard, index, options.seconds)
        for role, index in _jobs(options)
    ]
    results: list[Any] = ray.get(calls)
    num_ticks = [ticks for _, ticks in results[: options.writers]]
    ray.get(
        handle.__ray_call__.remote(
            lambda host: check(host._service._buffer.tables["t"], num_ticks)
        )
    )
    cluster.close()
    return results


def _jobs(options: argparse.Namespace) -> list[tuple[Callable[..., Any], int]]:
    writers = [(write, index) for index in range(options.writers)]
    return [*writers, *((read, index) for index in range(options.readers))]


def report(options: argparse.Namespace, results: list[Any]) -> Iterator[dict[str, Any]]:
    """The lines that are printed."""
    merged: Latencies = collections.defaultdict(list)
    for latencies, _ in results:
        for name, values in latencies.items():
            merged[name].extend(values)
    for name, values in merged.items():
        p50, p99 = 1e3 * np.percentile(values, [50, 99])
        yield {
            "call": name,
            "transport": options.transport,
            "calls_per_s": timing.significant(len(values) / options.seconds),
            "p50_ms": timing.significant(p50),
            "p99_ms": timing.significant(p99),
        }
    ticks = sum(ticks for _, ticks in results[: options.writers])
    batches = sum(count for _, count in results[options.writers :])
    yield {
        "transport": options.transport,
        "writers": options.writers,
        "readers": options.readers,
        "seconds": options.seconds,
        "rows_per_s": timing.significant(STREAMS * ticks / options.seconds),
        "batches_per_s": timing.significant(batches / options.seconds),
        "lost_or_doubled": 0,
    }


def main(arguments: list[str] | None = None) -> None:
    """Measures, checks, and prints JSON lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--transport", choices=["threads", "ray"], default="threads")
    parser.add_argument("--writers", type=int, default=4)
    parser.add_argument("--readers", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args(arguments)
    measure = in_ray if options.transport == "ray" else in_threads
    with tempfile.TemporaryDirectory() as directory:
        for line in report(options, measure(options, directory)):
            print(json.dumps(line))


if __name__ == "__main__":
    main()
