"""How fast is the replay, and how close is that to what the machine can do?

Each function answers one question, with one JSON line per measurement: microseconds of
wall-clock time (median and best of several repeats) and of CPU time. Each is timed
alternately with a floor: a memcpy of the same bytes, or reads of random 64-byte lines
over the same footprint. `of_...` are ratios of CPU time.

    python -m benchmarks.replay [--only QUESTION ...] [--output FILE] [--draw]

`--draw` draws how the time grows with the number of items, from the lines stored in
benchmarks/results/replay.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import itertools
import json
import os
import pathlib
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks import floors, frames, replay_figures, sizes, timing, workloads
from tfagents_core import replay


@dataclasses.dataclass(frozen=True)
class Options:
    """The size of the benchmark.

    Attributes:
        sizes: items in the table, for questions about growth with that number.
        num_frames: Atari frames stored.
        repeats: repeats of each measurement.
        seconds: seconds for which threads run.
    """

    sizes: tuple[int, ...] = (10_000, 100_000, 1_000_000, 10_000_000)
    num_frames: int = 100_000
    repeats: int = 51
    seconds: float = 2.0

    @property
    def num_items(self) -> int:
        """Items for all other questions: a million, or the largest of `sizes`."""
        return min(1_000_000, max(self.sizes))


Line = dict[str, Any]

_SAMPLERS: dict[str, replay.selectors.Selector] = {
    "uniform": replay.Uniform(),
    "prioritized": replay.Prioritized(sizes.ALPHA),
}


def append_one(options: Options) -> Iterator[Line]:
    """Appends one row of 5 columns to a full replay."""
    buffer = workloads.small(min(100_000, options.num_items), replay.Uniform())
    workloads.fill(buffer, buffer.tables["table"].config.max_size)
    row = {name: array[0] for name, array in _rows(buffer).items()}
    copies = 1_000  # A single memcpy of a row is shorter than a call from Python.
    timings = timing.interleave(
        {
            "": functools.partial(buffer.append_one, row),
            "floor_": floors.append_rows(workloads.SMALL_BYTES, num_rows=copies),
        },
        repeats=options.repeats,
    )
    timings["floor_"] /= copies
    yield _line(timings, floor="memcpy of the row", per_call=1)


def append_batch(options: Options) -> Iterator[Line]:
    """Appends one row of 5 columns from each of 256 environments in one call."""
    buffer = workloads.small(min(100_000, options.num_items), replay.Uniform())
    workloads.fill(buffer, buffer.tables["table"].config.max_size)
    num_bytes = sizes.NUM_ENVS * workloads.SMALL_BYTES
    timings = timing.interleave(
        {
            "": functools.partial(buffer.append, _rows(buffer)),
            "floor_": floors.memcpy(num_bytes),
        },
        repeats=options.repeats,
    )
    yield _line(timings, floor="memcpy of the rows", per_call=sizes.NUM_ENVS)


def append_steps(options: Options) -> Iterator[Line]:
    """Appends a run of 1,024 rows of 4 small columns to a full replay."""
    for name, sampler in _SAMPLERS.items():
        num_items = options.num_items
        buffer = workloads.small(num_items, sampler, num_envs=1, steps=workloads.TINY)
        rows = workloads.rows(buffer.steps, sizes.RUN)
        buffer.append_steps(rows, first=True)
        append = functools.partial(buffer.append_steps, rows)
        for _ in range(num_items // sizes.RUN + 1):
            append()
        timings = timing.interleave(
            {"": append, "floor_": floors.memcpy(sizes.RUN * workloads.TINY_BYTES)},
            repeats=options.repeats,
        )
        yield _line(
            timings,
            floor="memcpy of the rows",
            per_call=sizes.RUN,
            sampler=name,
            num_items=num_items,
        )


def draw(options: Options) -> Iterator[Line]:
    """Draws 256 items by priority, with probabilities and weights but no data."""
    for num_items in options.sizes:
        table = workloads.fill(workloads.draws_only(num_items), num_items)
        weights = np.random.default_rng(0).uniform(0.1, 2.0, num_items)
        timings = timing.interleave(
            {
                "": functools.partial(table.sample, sizes.BATCH, beta=sizes.BETA),
                "floor_": floors.chase(sizes.BATCH, 8 * num_items),
                "plain_tree_": floors.PlainTree(weights).draws(sizes.BATCH),
            },
            repeats=options.repeats,
        )
        yield _line(timings, floor=_CHASE, per_call=sizes.BATCH, num_items=num_items)


def update(options: Options) -> Iterator[Line]:
    """Updates 256 priorities by key."""
    for num_items in options.sizes:
        table = workloads.fill(workloads.draws_only(num_items), num_items)
        weights = np.random.default_rng(0).uniform(0.1, 2.0, num_items)
        timings = timing.interleave(
            {
                "": _updates(table),
                "floor_": floors.chase(sizes.BATCH, 8 * num_items),
                "plain_tree_": floors.PlainTree(weights).updates(
                    sizes.BATCH, num_items
                ),
            },
            repeats=options.repeats,
        )
        yield _line(timings, floor=_CHASE, per_call=sizes.BATCH, num_items=num_items)


def sample_small(options: Options) -> Iterator[Line]:
    """Samples 256 transitions of 24 float32, uniformly and by priority."""
    for (name, sampler), num_items in itertools.product(
        _SAMPLERS.items(), options.sizes
    ):
        buffer = workloads.small(num_items, sampler)
        table = workloads.fill(buffer, num_items)
        timings = timing.interleave(
            {
                "": functools.partial(table.sample, sizes.BATCH, beta=sizes.BETA),
                "floor_": floors.copy_pieces(
                    sizes.BATCH,
                    2 * workloads.SMALL_BYTES,
                    num_items * workloads.SMALL_BYTES,
                ),
            },
            repeats=options.repeats,
        )
        yield _line(
            timings,
            floor="memcpy of 256 random pairs of rows in one piece, same footprint",
            per_call=sizes.BATCH,
            sampler=name,
            num_items=num_items,
        )


def sample_atari(options: Options) -> Iterator[Line]:
    """Samples windows of 5 frames, each of which is stored once."""
    buffer = workloads.atari(options.num_frames)
    table = workloads.fill(buffer, options.num_frames)
    for batch_size in (32, sizes.BATCH):
        yield _gather(
            table,
            batch_size,
            5 * sizes.FRAME_BYTES,
            options,
            num_items=options.num_frames,
        )


def sample_r2d2(options: Options) -> Iterator[Line]:
    """Samples sequences of 80 frames that overlap by half."""
    buffer = workloads.sequences(options.num_frames // 40)
    num_items = buffer.tables["table"].config.max_size
    table = workloads.fill(buffer, num_items)
    piece_bytes = 80 * sizes.FRAME_BYTES
    yield _gather(table, 32, piece_bytes, options, num_items=num_items)


def delivered(options: Options) -> Iterator[Line]:
    """Takes batches as tensors in a `tf.function`, from `tf.data`; needs TensorFlow."""
    try:
        from benchmarks import delivery
    except ImportError as error:
        yield {"left_out": str(error)}
        return
    small = workloads.small(options.num_items, replay.Prioritized(sizes.ALPHA))
    atari = workloads.atari(options.num_frames)
    tables = {
        "small": workloads.fill(small, options.num_items),
        "atari": workloads.fill(atari, options.num_frames),
    }
    piece_bytes = {
        "small": 2 * workloads.SMALL_BYTES,
        "atari": 5 * sizes.FRAME_BYTES,
    }
    for name, batch_size, prefetch, num_batches in (
        ("small", sizes.BATCH, 0, 1),
        ("small", sizes.BATCH, 0, 8),
        ("small", sizes.BATCH, 2, 8),
        ("atari", 32, 0, 1),
        ("atari", 32, 2, 8),
        ("atari", sizes.BATCH, 0, 1),
        ("atari", sizes.BATCH, 2, 1),
    ):
        num_items = num_batches * batch_size
        consumer = delivery.consumer(
            tables[name], batch_size, prefetch=prefetch, num_batches=num_batches
        )
        timings = timing.interleave(
            {
                "": consumer,
                "numpy_": functools.partial(tables[name].sample, num_items),
                "floor_": floors.memcpy(num_items * piece_bytes[name]),
            },
            repeats=options.repeats,
        )
        yield _line(
            timings,
            floor="memcpy of the batches",
            per_call=num_items,
            data=name,
            prefetch=prefetch,
            num_batches=num_batches,
        )


def threads(options: Options) -> Iterator[Line]:
    """Samples on several threads, compared with memcpy on as many."""
    tables = {
        "small": workloads.fill(
            workloads.small(options.num_items, replay.Prioritized(sizes.ALPHA)),
            options.num_items,
        ),
        "atari": workloads.fill(
            workloads.atari(options.num_frames), options.num_frames
        ),
    }
    copy = functools.partial(floors.memcpy, sizes.BATCH * 5 * sizes.FRAME_BYTES)
    for name, table in tables.items():
        sample = functools.partial(table.sample, sizes.BATCH)
        alone = {"": 0.0, "floor_": 0.0}
        for num_threads in (1, 2, 4):
            rates = {
                "": sum(_rates([sample] * num_threads, options.seconds)),
                "floor_": sum(
                    _rates([copy() for _ in range(num_threads)], options.seconds)
                ),
            }
            alone = rates if num_threads == 1 else alone
            yield {
                "data": name,
                "threads": num_threads,
                "items_per_s": round(sizes.BATCH * rates[""]),
                "of_one_thread": timing.significant(rates[""] / alone[""]),
                "floor": "memcpy of an Atari batch on as many threads",
                "floor_batches_per_s": round(rates["floor_"]),
                "floor_of_one_thread": timing.significant(
                    rates["floor_"] / alone["floor_"]
                ),
            }


def writer_sampler_updater(options: Options) -> Iterator[Line]:
    """Runs a writer, a sampler and an updater together, and each alone."""
    buffer = workloads.small(
        options.num_items, replay.Prioritized(sizes.ALPHA), num_envs=16
    )
    table = workloads.fill(buffer, options.num_items)
    roles = {
        "writer": functools.partial(buffer.append, _rows(buffer)),
        "sampler": functools.partial(table.sample, sizes.BATCH, beta=sizes.BETA),
        "updater": _updates(table),
    }
    alone = [_rates([role], options.seconds)[0] for role in roles.values()]
    together = _rates(list(roles.values()), options.seconds)
    cores = len(os.sched_getaffinity(0))
    shares = [rate / most for rate, most in zip(together, alone, strict=True)]
    yield {
        "calls_per_s_alone": dict(zip(roles, map(round, alone), strict=True)),
        "calls_per_s_together": dict(zip(roles, map(round, together), strict=True)),
        "of_ideal": timing.significant(sum(shares) / min(len(roles), cores)),
        "floor": "each role a core of its own, as far as there are cores, no locks",
    }


def memory(options: Options) -> Iterator[Line]:
    """Measures bytes per stored Atari frame, of which 84 * 84 are the frame."""
    buffer = workloads.atari(options.num_frames)
    workloads.fill(buffer, options.num_frames)
    yield {
        "num_items": options.num_frames,
        "bytes_per_frame": timing.significant(
            buffer.bytes_allocated / options.num_frames, 5
        ),
        "projected_bytes_per_frame": timing.significant(
            buffer.projected_bytes("table") / options.num_frames, 5
        ),
        "floor": "the frame itself",
        "floor_bytes_per_frame": sizes.FRAME_BYTES,
    }


def checkpoint(options: Options) -> Iterator[Line]:
    """Times saving and restoring a prioritized table of small transitions."""
    sampler = replay.Prioritized(sizes.ALPHA)
    buffer = workloads.small(options.num_items, sampler)
    workloads.fill(buffer, options.num_items)
    other = workloads.small(options.num_items, sampler)
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory) / "replay-1"
        save_s = _seconds(lambda: buffer.save(path))
        files = [file for file in path.rglob("*") if file.is_file()]
        restore_s = _seconds(lambda: other.restore(path))
        read_s = _seconds(lambda: [file.read_bytes() for file in files])
        yield {
            "num_items": options.num_items,
            "bytes": sum(file.stat().st_size for file in files),
            "save_s": save_s,
            "restore_s": restore_s,
            "floor": "reading the files",
            "floor_s": read_s,
        }


def next_checkpoint(options: Options) -> Iterator[Line]:
    """Counts the bytes that a save writes after 1% of the items changed."""
    buffer = workloads.small(options.num_items, replay.Prioritized(sizes.ALPHA))
    table = workloads.fill(buffer, options.num_items)
    # As many again, so that the oldest go with each append.
    workloads.append_items(buffer, options.num_items)
    rng = np.random.default_rng(0)
    num_changed = options.num_items // 100

    def update() -> None:
        for _ in range(0, num_changed, 256):
            keys = table.sample(256).info.key
            table.update_priorities(keys, rng.uniform(0.1, 2.0, 256))

    def append() -> None:
        workloads.append_items(buffer, num_changed)

    changes: dict[str, list[Callable[[], object]]] = {
        "nothing": [],
        "appended": [append],
        "priorities": [update],
        "appended, priorities": [append, update],
    }
    with tempfile.TemporaryDirectory() as directory:
        whole = pathlib.Path(directory) / "replay-0"
        whole_s = _seconds(lambda: buffer.save(whole))
        for changed, functions in changes.items():
            written, seconds = [], []
            for _ in range(_SAVES):
                for function in functions:
                    function()
                path = whole.with_name(f"replay-{len(os.listdir(directory))}")
                seconds.append(_seconds(functools.partial(buffer.save, path)))
                files = [file.stat() for file in path.iterdir()]
                written.append(sum(f.st_size for f in files if f.st_nlink == 1))
            yield {
                "num_items": options.num_items,
                "changed": changed,
                "num_saves": _SAVES,
                "bytes_written": round(sum(written) / _SAVES),
                "most_bytes_written": max(written),
                "save_s": timing.significant(sum(seconds) / _SAVES),
                "floor": "the first save, which writes everything",
                "floor_bytes": sum(file.stat().st_size for file in whole.iterdir()),
                "floor_s": whole_s,
            }


QUESTIONS: dict[str, Callable[[Options], Iterator[Line]]] = {
    question.__name__: question
    for question in (
        append_one,
        append_batch,
        append_steps,
        draw,
        update,
        sample_small,
        sample_atari,
        sample_r2d2,
        delivered,
        threads,
        writer_sampler_updater,
        memory,
        frames.compressed_frames,
        checkpoint,
        next_checkpoint,
    )
}

_SAVES = 20  # In a row: what one writes depends on those before it.
_CHASE = "256 reads of random lines, each naming the next, of 8 bytes an item"


def _seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return timing.significant(time.perf_counter() - start)


def _rows(buffer: replay.Replay) -> dict[str, Any]:
    return workloads.rows(buffer.steps, buffer.num_streams)


def _line(
    timings: dict[str, timing.Timing], *, floor: str, per_call: int, **fields: Any
) -> Line:
    """One JSON line; the replay's own times have no prefix, the floor's `floor_`."""
    line = dict(fields)
    for prefix, measured in timings.items():
        line |= measured.fields(prefix)
    line["items_per_s"] = round(per_call / timings[""].median)
    line["floor"] = floor
    for prefix, measured in timings.items():
        if prefix:
            ratio = timings[""].cpu / measured.cpu
            line[f"of_{prefix.rstrip('_')}"] = timing.significant(ratio)
    return line


def _gather(
    table: replay.TableHandle,
    batch_size: int,
    piece_bytes: int,
    options: Options,
    *,
    num_items: int,
) -> Line:
    """Times sampling of long windows against a memcpy of as many pieces."""
    footprint = options.num_frames * sizes.FRAME_BYTES
    timings = timing.interleave(
        {
            "": functools.partial(table.sample, batch_size),
            "floor_": floors.copy_pieces(batch_size, piece_bytes, footprint),
        },
        repeats=options.repeats,
    )
    return _line(
        timings,
        floor="memcpy of as many random pieces of the same bytes, same footprint",
        per_call=batch_size,
        batch_size=batch_size,
        batch_bytes=batch_size * piece_bytes,
        num_items=num_items,
    )


def _updates(table: replay.TableHandle) -> Callable[[], object]:
    """A call that updates the priorities of another batch, drawn before, each time."""
    keys = [table.sample(sizes.BATCH).info.key for _ in range(256)]
    priorities = np.random.default_rng(1).uniform(0.1, 2.0, (256, sizes.BATCH))
    pairs = itertools.cycle(zip(keys, priorities, strict=True))
    return lambda: table.update_priorities(*next(pairs))


def _rates(functions: list[Callable[[], object]], seconds: float) -> list[float]:
    """Calls per second of each function, all running at once on their own threads."""
    counts = [0] * len(functions)
    stop = threading.Event()

    def run(index: int) -> None:
        while not stop.is_set():
            functions[index]()
            counts[index] += 1

    workers = [
        threading.Thread(target=run, args=(index,)) for index in range(len(functions))
    ]
    start = time.perf_counter()
    for worker in workers:
        worker.start()
    time.sleep(seconds)
    stop.set()
    elapsed = time.perf_counter() - start
    for worker in workers:
        worker.join()
    return [count / elapsed for count in counts]


def main() -> None:
    """Answers the chosen questions."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=QUESTIONS, default=[*QUESTIONS])
    parser.add_argument("--sizes", nargs="+", type=int, default=Options.sizes)
    parser.add_argument("--num-frames", type=int, default=Options.num_frames)
    parser.add_argument("--repeats", type=int, default=Options.repeats)
    parser.add_argument(
        "--output", type=pathlib.Path, help="also writes the lines here"
    )
    parser.add_argument("--draw", action="store_true", help="only draws what is kept")
    arguments = parser.parse_args()
    if arguments.draw:
        replay_figures.draw()
        return
    options = Options(
        sizes=tuple(arguments.sizes),
        num_frames=arguments.num_frames,
        repeats=arguments.repeats,
    )
    answers = (
        {"question": name, **line}
        for name in arguments.only
        for line in QUESTIONS[name](options)
    )
    with open(arguments.output or os.devnull, "w") as file:
        for line in itertools.chain([{"machine": timing.machine()}], answers):
            text = json.dumps(line)
            print(text, flush=True)
            print(text, file=file, flush=True)


if __name__ == "__main__":
    main()
