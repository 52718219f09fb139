"""Processes that fork while they have a replay."""

import subprocess
import sys
import textwrap

import pytest

from . import helpers

BEGIN = """
import os, sys, time
import numpy as np
from tfagents_core import replay

COMPRESSION = {compression}
steps = {{"frame": replay.Column((84, 84), np.uint8, compression=COMPRESSION)}}
table = replay.Table(
    "t",
    pattern=replay.NStep(1),
    outputs={{"frame": replay.views.Row("frame", 0)}},
    max_size=100,
    rate_limiter=replay.MinSize(1),
)
buffer = replay.Replay(steps, [table])
frame = np.zeros((84, 84), np.uint8)
for t in range(200):
    buffer.append_one({{"frame": frame}}, first=t == 0)
sample = buffer.tables["t"].sample(2000)  # Starts the threads that help.

def wait_for(child):
    for _ in range(200):
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.1)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return "hangs"
"""

COMPRESSION = ["None", pytest.param("'lz4'", marks=helpers.compressed)]


def run(code: str, compression: str) -> str:
    return subprocess.check_output(
        [sys.executable, "-c", BEGIN.format(compression=compression) + code],
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize("compression", COMPRESSION)
def test_a_child_that_leaves_the_replay_alone_ends_well(compression: str) -> None:
    code = textwrap.dedent(
        """
        child = os.fork()
        if child == 0:
            sys.exit(0)
        print(wait_for(child))
        """
    )
    assert run(code, compression) == "0\n"


@pytest.mark.parametrize("compression", COMPRESSION)
def test_a_child_that_drops_its_copies_goes_on(compression: str) -> None:
    code = textwrap.dedent(
        """
        child = os.fork()
        if child == 0:
            del buffer, sample
            sys.exit(0)
        print(wait_for(child))
        """
    )
    assert run(code, compression) == "0\n"


@pytest.mark.parametrize(
    "call",
    [
        "buffer.append_one({'frame': frame})",
        "buffer.append({'frame': frame[None]})",
        "buffer.create_item('t', 1)",
        "buffer.tables['t'].sample(1)",
        "buffer.tables['t'].update_priorities(sample.info.key, np.ones(2000))",
        "buffer.tables['t'].delete(sample.info.key)",
        "buffer.tables['t'].size",
        "buffer.bytes_in_use",
        "buffer.save(f'/tmp/never-written-{os.getpid()}')",
        "buffer.reset()",
        "buffer.close()",
    ],
)
def test_what_a_child_calls_names_both_processes_and_the_way_out(call: str) -> None:
    code = textwrap.dedent(
        f"""
        parent, child = os.getpid(), os.fork()
        if child == 0:
            try:
                {call}
            except RuntimeError as error:
                assert f"belongs to process {{parent}}" in str(error), error
                assert f"process {{os.getpid()}} is a fork" in str(error), error
                assert "spawn" in str(error), error
                os._exit(42)
            os._exit(1)
        print(wait_for(child), buffer.tables["t"].size)
        """
    )
    assert run(code, "None") == "42 100\n"


def test_a_child_is_refused_also_while_other_threads_hold_every_lock() -> None:
    code = textwrap.dedent(
        """
        import threading
        stop = threading.Event()
        def sample_much():
            while not stop.is_set():
                buffer.tables["t"].sample(2000)
        threads = [threading.Thread(target=sample_much) for _ in range(3)]
        for thread in threads:
            thread.start()
        codes = []
        for _ in range(10):
            child = os.fork()
            if child == 0:
                try:
                    buffer.tables["t"].sample(2000)
                except RuntimeError:
                    del sample
                    sys.exit(42)
            codes.append(wait_for(child))
        stop.set()
        for thread in threads:
            thread.join()
        print(codes)
        """
    )
    assert run(code, "None") == f"{[42] * 10}\n"


def test_arrays_that_were_drawn_can_be_read_in_a_child() -> None:
    code = textwrap.dedent(
        """
        sample.data["frame"][:] = 7
        child = os.fork()
        if child == 0:
            os._exit(int(sample.data["frame"].max()))
        print(wait_for(child))
        """
    )
    assert run(code, "None") == "7\n"


def test_a_child_may_have_a_replay_of_its_own() -> None:
    code = textwrap.dedent(
        """
        child = os.fork()
        if child == 0:
            own = replay.Replay(steps, [table])
            for t in range(5):
                own.append_one({"frame": frame}, first=t == 0)
            sys.exit(len(own.tables["t"].sample(3).info.key))
        print(wait_for(child))
        """
    )
    assert run(code, "None") == "3\n"
