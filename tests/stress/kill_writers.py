"""Kills a durable replay while writers append and it saves; checks what it acknowledged.

A child has a `DurableReplay`, three threads that write chunks of known steps, and one
that saves without a pause. Each chunk that is acknowledged is reported. `kill -9` hits the
child at a random moment; the next one goes on where the last number says. The last child
lives until every writer has written all chunks, and every step must be there once.
"""

from __future__ import annotations

import argparse
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

import numpy as np

SERVE = """
import os, sys, threading, time
import numpy as np
from tfagents_core import replay

directory, lives_on = sys.argv[1], sys.argv[2] == "finish"
steps = {"value": replay.Column((), np.int64), "frame": replay.Column((20,), np.uint8)}
table = replay.Table("t", pattern=replay.NStep(1), max_size=10_000_000,
                     outputs={"value": replay.views.Row("value", -1)},
                     rate_limiter=replay.MinSize(1))
buffer = replay.Replay(steps, [table], num_streams=3, segment_rows=16)
durable = replay.DurableReplay(buffer, directory)

def rows(writer, number):
    # A stream of episodes of 10 steps; chunk n has the steps 4 n to 4 n + 3.
    step = np.arange(4 * number, 4 * number + 4)
    return {"value": 1_000_000 * writer + step,
            "frame": np.zeros((4, 20), np.uint8)}, step % 10 == 0, step % 10 == 9

def acknowledge(writer, number):
    os.write(1, f"{writer} {number}\\n".encode())

def write(writer):
    number = durable.last_number(f"w{writer}") + 1
    while number < (LIMIT if lives_on else 10**6):
        durable.append_chunk(f"w{writer}", number, *rows(writer, number))
        acknowledge(writer, number)
        number += 1
        time.sleep(0.001)  # Else what must be recovered grows with every life.

LIMIT = int(sys.argv[3])
threads = [threading.Thread(target=write, args=(w,)) for w in range(3)]
for thread in threads:
    thread.start()
if lives_on:
    for thread in threads:
        thread.join()
    buffer.check_valid()
    table = buffer.tables["t"]
    np.save(sys.argv[4], table.get(table.keys()).data["value"])
else:
    while True:
        durable.save()
"""


def die_at_random_points(directory: pathlib.Path, num_kills: int) -> int:
    """Kills such a process at random times, and checks what it acknowledged.

    Returns:
        How many chunks were acknowledged.
    """
    delays = random.Random(0)
    acknowledged = dict.fromkeys(range(3), -1)
    for _ in range(num_kills):
        process = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(directory), "die", "0"],
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        first = process.stdout.readline()  # It is up.
        time.sleep(delays.random() * 0.1)
        process.send_signal(signal.SIGKILL)
        lines = (first + process.stdout.read()).decode().splitlines()
        process.wait()
        for line in lines:
            if line.count(" ") == 1 and line.split()[1]:
                writer, number = map(int, line.split())
                # At most once: numbers go up from where they were, life after life.
                assert number > acknowledged[writer]
                acknowledged[writer] = number
    limit = max(acknowledged.values()) + 2
    output = directory / "values.npy"
    subprocess.run(
        [sys.executable, "-c", SERVE, directory, "finish", str(limit), output],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    values = np.load(output)
    for writer in range(3):
        mine = values[values // 1_000_000 == writer] % 1_000_000
        # Each step is the second of an item but for those that begin an episode.
        steps = np.arange(4 * limit)
        np.testing.assert_array_equal(mine, steps[steps % 10 != 0])
    return sum(acknowledged.values()) + 3


def main() -> None:
    """Kills as often as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="how often")
    kills = parser.parse_args().kills
    with tempfile.TemporaryDirectory() as directory:
        num_chunks = die_at_random_points(pathlib.Path(directory), kills)
    print(
        f"{kills} kills, {num_chunks} chunks acknowledged: every acknowledged step is "
        "there exactly once"
    )


if __name__ == "__main__":
    main()
