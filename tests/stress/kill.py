"""Kills processes while they save checkpoints, and checks what is left.

A child restores the latest intact checkpoint, appends rows, saves, removes the
checkpoint before the last, and so on, until `kill -9` hits it at a random moment. The
parent then checks that no save that had returned was lost, that the latest intact
checkpoint has exactly the rows that belong to its number, and starts the next child.

This shows that no state of the files on the way is taken for a whole checkpoint. It
does not cut the power: what the disk does with flushed files is the disk's.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import shutil
import signal
import tempfile
import time

import numpy as np

from tfagents_core import replay

NUM_COLUMNS = 64  # So many that successive checkpoints share files of rows.
STEPS = {"x": replay.Column((NUM_COLUMNS,), np.uint64)}
ROWS_PER_SAVE = 500
MAX_SIZE = 5_000


def make() -> replay.Replay:
    """Items that are single rows, the oldest removed first."""
    table = replay.Table(
        "rows",
        pattern=replay.Sequence(length=1, period=1),
        outputs=replay.views.Row("x", 0),
        max_size=MAX_SIZE,
        rate_limiter=replay.MinSize(1),
    )
    return replay.Replay(STEPS, [table])


def expected_rows(index: np.ndarray) -> np.ndarray:
    """The contents of the rows appended as the index-th, uint64 `[N, C]`."""
    columns = np.arange(NUM_COLUMNS, dtype=np.uint64)
    return (index.astype(np.uint64)[:, None] + columns) * np.uint64(0x9E3779B97F4A7C15)


def number_of(path: pathlib.Path | None) -> int:
    """Of a checkpoint; 0 where there is none."""
    return int(path.name.split("-")[1]) if path else 0


def save_for_ever(directory: pathlib.Path, reports: int) -> None:
    """What a child does until it is killed."""
    rb = make()
    latest = replay.latest_intact(directory)
    number = number_of(latest)
    if latest is not None:
        rb.restore(latest)
    while True:
        start = number * ROWS_PER_SAVE
        for row in expected_rows(np.arange(start, start + ROWS_PER_SAVE)):
            rb.append_one({"x": row}, first=start == 0 and not rb.tables["rows"].size)
        number += 1
        # One that a killed child left damaged has this number, too.
        shutil.rmtree(directory / f"replay-{number}", ignore_errors=True)
        rb.save(directory / f"replay-{number}")
        os.write(reports, number.to_bytes(8, "little"))
        shutil.rmtree(directory / f"replay-{number - 2}", ignore_errors=True)


def check(directory: pathlib.Path, last_reported: int) -> int:
    """The number of the latest intact checkpoint, which must be right."""
    latest = replay.latest_intact(directory)
    number = number_of(latest)
    assert number >= last_reported, f"{last_reported} was saved, {number} is left"
    if latest is None:
        return 0
    rb = make()
    rb.restore(latest)
    rb.check_valid()
    table = rb.tables["rows"]
    num_rows = number * ROWS_PER_SAVE
    stats = table.stats()
    assert stats.num_inserted == num_rows, stats
    assert stats.size == min(num_rows, MAX_SIZE), stats
    info, rows = table.sample(2_000)
    np.testing.assert_array_equal(rows, expected_rows(num_rows - 1 - info.age))
    return number


def run(num_kills: int, seed: int, directory: pathlib.Path) -> None:
    """Starts and kills `num_kills` children; AssertionError when one did harm."""
    rng = np.random.default_rng(seed)
    last_reported = 0
    num_caught = 0
    for _ in range(num_kills):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            save_for_ever(directory, writer)
        os.close(writer)
        time.sleep(rng.uniform(0.0, 0.3))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with os.fdopen(reader, "rb") as reports:
            numbers = np.frombuffer(reports.read(), np.int64)
        num_caught += any(path.suffix for path in directory.iterdir())
        last_reported = check(directory, int(numbers.max(initial=last_reported)))
    print(
        f"{num_kills} kills, {num_caught} of them within a save, {last_reported} "
        "checkpoints: none lost, none wrong"
    )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        run(arguments.kills, arguments.seed, pathlib.Path(directory))


if __name__ == "__main__":
    main()
