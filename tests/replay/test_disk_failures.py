"""A checkpoint when the disk fails or the process dies: the one before it stays."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from tfagents_core import replay
from tfagents_core.replay import checkpoint

from . import saving

HERE = pathlib.Path(__file__).parent

FAIL_AT_EVERY_CALL = """
import ctypes, errno, pathlib, sys
sys.path[:0] = sys.argv[3:]
import numpy as np
from tfagents_core import replay
from tfagents_core.replay import checkpoint

steps = {"x": replay.Column((4,), np.float64)}
table = replay.Table("table", pattern=replay.NStep(n=1), max_size=1000,
                     outputs=replay.views.Row("x", 0), rate_limiter=replay.MinSize(1))
rb = replay.Replay(steps, [table])
for i in range(500):
    rb.append_one({"x": np.full(4, i, np.float64)}, first=i == 0)
parent = pathlib.Path(sys.argv[2])
rb.save(parent / "replay-1")
disk = ctypes.CDLL(sys.argv[1])
num_failures = 0
while True:
    error = (errno.ENOSPC, errno.EIO)[num_failures % 2]
    disk.disk_fail_after(1 + num_failures, error)  # the parent is there: 1 mkdir fails
    try:
        rb.save(parent / "replay-2")
    except OSError as raised:
        assert raised.errno == error, raised
        assert "replay-2" in str(raised) or str(parent) in str(raised), raised
    else:
        break
    disk.disk_fail_after(-1, 0)
    num_failures += 1
    checkpoint.verify(parent / "replay-1")
    names = sorted(path.name for path in parent.iterdir())
    if names != ["replay-1"]:  # the last call but for the flush of the parent
        assert names == ["replay-1", "replay-2"], names
        checkpoint.verify(parent / "replay-2")
        break
rb.check_valid()
print(num_failures)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="preloads a library")
def test_whichever_call_fails_the_checkpoint_before_stays(
    tmp_path: pathlib.Path,
) -> None:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    library = tmp_path / "failing_disk.so"
    source = HERE / "failing_disk.c"
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True
    )
    (tmp_path / "checkpoints").mkdir()
    result = subprocess.run(
        [sys.executable, "-c", FAIL_AT_EVERY_CALL]
        + [str(library), str(tmp_path / "checkpoints"), *sys.path],
        env={**os.environ, "LD_PRELOAD": str(library)},
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    # mkdir; write and fsync of four files; fsync; rename; fsync.
    assert int(result.stdout) == 12


@pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="mounts a small disk"
)
def test_a_full_disk_is_an_error_that_names_the_file(tmp_path: pathlib.Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("may not mount")
    try:
        rb, _ = saving.filled()
        rb.save(disk / "replay-1")
        (disk / "other").write_bytes(bytes(128 * 1024 - 48 * 1024))
        with pytest.raises(OSError, match=r"cannot .* '/.*\.bin': No space left"):
            rb.save(disk / "replay-2")
        assert sorted(path.name for path in disk.iterdir()) == ["other", "replay-1"]
        checkpoint.verify(disk / "replay-1")
        (disk / "other").unlink()
        rb.save(disk / "replay-2")
        assert replay.latest_intact(disk) == disk / "replay-2"
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks the processes it kills")
def test_a_kill_at_any_moment_loses_no_finished_checkpoint() -> None:
    script = HERE.parent / "stress" / "kill.py"
    result = subprocess.run(
        [sys.executable, str(script), "--kills", "30"],
        check=False,
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("30 kills")
