"""An append that waits for the compressing thread ends, and hears Ctrl-C meanwhile."""

from __future__ import annotations

import faulthandler
import pathlib
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from tfagents_core import replay

from . import helpers

pytestmark = helpers.compressed

# A stall would not end by itself, nor by a signal of pytest's.
LIMIT_S = 240


def make(num_streams: int) -> replay.Replay:
    """Rows that do not shrink, in blocks of one row: most are soon forgotten."""
    steps = {"frame": replay.Column((4096,), np.uint8, compression="lz4")}
    table = helpers.make_table(pattern=None, outputs={}, max_size=100_000)
    return replay.Replay(
        steps, [table], num_streams=num_streams, segment_rows=1, max_bytes=200_000
    )


@pytest.mark.parametrize("timeout", [None, 60.0, 0.0])
def test_an_append_does_not_wait_for_a_compressor_that_has_nothing_to_do(
    timeout: float | None,
) -> None:
    faulthandler.dump_traceback_later(LIMIT_S, exit=True)
    buffer = make(num_streams=8)
    noise = np.random.default_rng(0).integers(0, 255, (8, 4096), dtype=np.uint8)
    buffer.append({"frame": noise}, first=True)
    for _ in range(400):
        buffer.append({"frame": noise}, timeout=timeout)
        for stream in range(8):
            buffer.create_item("table", 1, stream=stream)
    buffer.wait_until_compressed()
    for _ in range(200):
        for _ in range(3):
            buffer.append({"frame": noise[:1]}, streams=[0], timeout=timeout)
        buffer.append({"frame": noise}, timeout=timeout)
    buffer.check_valid()
    faulthandler.cancel_dump_traceback_later()


def test_ctrl_c_ends_appends_that_keep_waiting_for_the_compressor() -> None:
    script = textwrap.dedent(
        """
        import signal, sys, threading, _thread
        # Where a shell in the background runs the tests, it is ignored.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        import numpy as np
        from tests.replay import test_packer_waits
        buffer = test_packer_waits.make(num_streams=8)
        noise = np.random.default_rng(0).integers(0, 255, (8, 4096), dtype=np.uint8)
        buffer.append({"frame": noise}, first=True)
        for _ in range(400):
            buffer.append({"frame": noise})
            for stream in range(8):
                buffer.create_item("table", 1, stream=stream)
        threading.Timer(0.5, _thread.interrupt_main).start()
        try:
            while True:
                buffer.append({"frame": noise[:1]}, streams=[0])
                buffer.append({"frame": noise})
        except KeyboardInterrupt:
            print("interrupted")
        """
    )
    path = [str(pathlib.Path(__file__).parents[2]), *sys.path]
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:] = {path}\n{script}"],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.stdout == "interrupted\n", done.stderr
