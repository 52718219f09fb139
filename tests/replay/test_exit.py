"""Processes that end while other threads are in calls of the replay."""

import pathlib
import subprocess
import sys
import textwrap

import pytest

BEGIN = """
import threading, time
import numpy as np
from tfagents_core import replay

steps = {"frame": replay.Column((84, 84), np.uint8)}
table = replay.Table(
    "t",
    pattern=replay.NStep(1),
    outputs={"frame": replay.views.Row("frame", 0)},
    max_size=100,
    rate_limiter=replay.MinSize(1),
)
buffer = replay.Replay(steps, [table])
table = buffer.tables["t"]

def fill():
    for t in range(10):
        buffer.append_one({"frame": np.zeros((84, 84), np.uint8)}, first=t == 0)

def forever(call):
    def run():
        while True:
            call()
    threading.Thread(target=run, daemon=True).start()
"""

WORK = {
    "waiting for items": "forever(lambda: table.sample(1))",
    "waiting in a pipeline": """
        import tensorflow as tf
        from tfagents_core import datasets
        iterator = iter(datasets.from_table(table, batch_size=1, prefetch=2))
        def learn():
            try:
                next(iterator)
            except tf.errors.OpError:
                time.sleep(60)
        forever(learn)
        """,
    "sampling little": "fill(); forever(lambda: table.sample(1))",
    "sampling much": "fill(); forever(lambda: table.sample(1000))",
    "updating": """
        fill()
        key = table.sample(1).info.key
        forever(lambda: table.update_priorities(key, [1.0]))
        """,
    "saving": """
        import itertools, tempfile
        fill()
        directory = tempfile.mkdtemp()
        names = (f"{directory}/replay-{i}" for i in itertools.count())
        forever(lambda: buffer.save(next(names)))
        """,
    "reading checkpoints": """
        import tempfile
        fill()
        directory = tempfile.mkdtemp()
        buffer.save(f"{directory}/replay-1")
        forever(lambda: replay.latest_intact(directory))
        forever(lambda: buffer.restore(f"{directory}/replay-1"))
        """,
    "drawing ahead": """
        from tfagents_core import datasets
        fill()
        iterator = iter(datasets.from_table(table, batch_size=1000, prefetch=2))
        for _ in range(5):
            next(iterator)
        """,
}


@pytest.mark.parametrize("work", WORK)
def test_a_process_ends_well_whatever_its_threads_do(
    work: str, tmp_path: pathlib.Path
) -> None:
    code = BEGIN + textwrap.dedent(WORK[work]) + "\ntime.sleep(0.2)\n"
    environment = {
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "",
        "TMPDIR": str(tmp_path),
    }
    ended = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment,
    )
    assert ended.returncode == 0, ended.stderr
    assert "terminate" not in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_thread_that_exits_may_still_use_a_replay() -> None:
    code = BEGIN + textwrap.dedent(
        """
        import atexit
        atexit.register(lambda: print(table.sample(2).data["frame"].shape))
        fill()
        """
    )
    printed = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert printed == "(2, 84, 84)\n"
