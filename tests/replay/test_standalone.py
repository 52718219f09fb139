"""The replay is usable where TensorFlow and its friends are not installed."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("tensorflow", "sonnet", "dm_env", "jax", "torch"):
            raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, Blocker())
sys.path[:0] = sys.argv[1:]

import numpy as np
import tfagents_core.replay as replay

steps = {"x": replay.Column((), np.float32)}
table = replay.Table(
    "table",
    pattern=replay.NStep(n=1),
    outputs=replay.views.Row("x", -1),
    sampler=replay.Uniform(),
    remover=replay.Fifo(),
    max_size=10,
    rate_limiter=replay.MinSize(1),
)
rb = replay.Replay(steps, [table])
rb.append_one({"x": np.float32(1)}, first=True, last=False)
rb.append_one({"x": np.float32(2)}, first=False, last=True)
print(rb.tables["table"].sample(2).data.tolist())
"""


def test_importing_and_using_the_replay_needs_no_tensorflow() -> None:
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, *sys.path],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == "[2.0, 2.0]\n"
