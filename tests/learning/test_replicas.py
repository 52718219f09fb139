"""Learning on several devices: gradients are averaged before they are clipped."""

from __future__ import annotations

import pathlib
import subprocess
import sys

CLIP_NORM = 0.65  # Some of the updates are clipped and some are not.


def test_two_replicas_of_d4pg_learn_as_one_does_from_both_their_batches() -> None:
    script = pathlib.Path(__file__).parent / "replicas.py"
    done = subprocess.run(
        [sys.executable, str(script), str(CLIP_NORM)],
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-3_000:]
    least, largest = map(float, done.stdout.split())
    assert least < CLIP_NORM < largest
