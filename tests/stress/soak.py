"""Mixed work on one replay for minutes: its memory must stay flat.

Threads append, sample, update and delete; the main thread saves, verifies and restores,
into the replay itself and into new ones, and writes down the memory of the process. An
error in any thread, or more memory in the second half than in the first, fails the run.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import shutil
import tempfile
import threading
import time
from collections.abc import Callable

import numpy as np

from tfagents_core import replay

STEPS = {
    "observation": replay.Column((64,), np.float32),
    "reward": replay.Column((), np.float32),
    "discount": replay.Column((), np.float32),
}
NUM_STREAMS = 16
ALLOWED_GROWTH = 1.05  # of the most memory in the first half, in the second


def make() -> replay.Replay:
    """A prioritized table and a queue-like one, both full within seconds."""
    prioritized = replay.Table(
        "prioritized",
        pattern=replay.NStep(n=3),
        outputs=replay.views.Rows("observation", 0, 4),
        sampler=replay.Prioritized(alpha=0.6),
        max_size=50_000,
        rate_limiter=replay.MinSize(100),
    )
    sequences = replay.Table(
        "sequences",
        pattern=replay.Sequence(length=20, period=10),
        outputs=replay.views.Rows("observation", 0, 20, stack=3),
        max_size=2_000,
        max_times_sampled=8,
        rate_limiter=replay.MinSize(100),
    )
    return replay.Replay(STEPS, [prioritized, sequences], num_streams=NUM_STREAMS)


class Work:
    """What the threads do, until `stop`; keeps the first error."""

    def __init__(self, rb: replay.Replay) -> None:
        self.stop = threading.Event()
        self.error: BaseException | None = None
        self.num_calls = 0
        self._rb = rb
        self._open = np.zeros(NUM_STREAMS, bool)
        self._threads = [
            threading.Thread(target=self._repeat, args=(call, seed))
            for seed, call in enumerate((self._append, self._update, self._delete))
        ]

    def __enter__(self) -> Work:  # noqa: PYI034 (typing.Self is of Python 3.11)
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop.set()
        for thread in self._threads:
            thread.join()

    def _repeat(self, call: Callable[[np.random.Generator], None], seed: int) -> None:
        rng = np.random.default_rng(seed)
        while not self.stop.is_set():
            try:
                call(rng)
            except TimeoutError:
                continue
            except BaseException as error:
                self.error = error
                self.stop.set()
                raise
            self.num_calls += 1

    def _append(self, rng: np.random.Generator) -> None:
        row = {
            "observation": rng.random((NUM_STREAMS, 64), np.float32),
            "reward": np.ones(NUM_STREAMS, np.float32),
            "discount": np.ones(NUM_STREAMS, np.float32),
        }
        # All begin together now and then: a restore may have closed their episodes.
        first = bool(rng.random() < 0.01) or not self._open.all()
        try:
            self._rb.append(row, first, timeout=1.0)
            self._open[:] = True
        except ValueError:
            self._open[:] = False

    def _update(self, rng: np.random.Generator) -> None:
        table = self._rb.tables["prioritized"]
        keys = table.sample(64, beta=0.4, timeout=1.0).info.key
        table.update_priorities(keys, rng.random(64))

    def _delete(self, rng: np.random.Generator) -> None:
        name = str(rng.choice(["prioritized", "sequences"]))
        table = self._rb.tables[name]
        table.delete(table.sample(16, timeout=1.0).info.key[:4])


def memory_mib() -> float:
    """Resident memory of this process."""
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def save_and_restore(rb: replay.Replay, path: pathlib.Path, *, in_place: bool) -> None:
    """One checkpoint, there and back."""
    rb.save(path)
    assert replay.latest_intact(path.parent) == path
    copy = make()
    copy.restore(path)
    copy.check_valid()
    if in_place:
        rb.restore(path)
    shutil.rmtree(path)


def run(seconds: float, directory: pathlib.Path) -> None:
    """Works for so long; AssertionError when memory grew."""
    rb = make()
    memory: list[tuple[float, float]] = []
    num_saves = 0
    begin = time.monotonic()
    with Work(rb) as work:
        while time.monotonic() - begin < seconds and not work.stop.is_set():
            num_saves += 1
            path = directory / f"replay-{num_saves}"
            save_and_restore(rb, path, in_place=num_saves % 5 == 0)
            memory.append((time.monotonic() - begin, memory_mib()))
            work.stop.wait(0.5)
    assert work.error is None, work.error
    rb.check_valid()
    early = max(m for t, m in memory if t < seconds / 2)
    late = max(m for t, m in memory if t >= seconds / 2)
    print(
        f"{seconds:.0f} s, {work.num_calls} calls, {num_saves} checkpoints: at most "
        f"{early:.0f} MiB in the first half, {late:.0f} MiB in the second"
    )
    assert late <= early * ALLOWED_GROWTH, "memory grows"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        run(60.0 * arguments.minutes, pathlib.Path(directory))


if __name__ == "__main__":
    main()
