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
    disk.disk_fail_after(num_failures, error)
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
    # mkdir; write and fsync of three files; fsync; rename; fsync.
    assert int(result.stdout) == 10


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
        free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
        (disk / "other").write_bytes(bytes(free - 8 * 1024))
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


DIE_WHILE_SAVING = """
import os, pathlib, sys
import numpy as np
from tfagents_core import replay

steps = {"x": replay.Column((4,), np.float64)}
table = replay.Table("table", pattern=replay.NStep(n=1), max_size=1000,
                     outputs=replay.views.Row("x", 0), rate_limiter=replay.MinSize(1))
rb = replay.Replay(steps, [table])
rb.append_one({"x": np.zeros(4)}, first=True)
rb.save(sys.argv[1], when_copied=lambda: os.kill(os.getpid(), 9))
"""


def test_what_a_dead_process_left_goes_with_the_next_save(
    tmp_path: pathlib.Path,
) -> None:
    subprocess.run(
        [sys.executable, "-c", DIE_WHILE_SAVING, str(tmp_path / "replay-1")],
        check=False,
    )
    assert [path.name for path in tmp_path.iterdir()] == ["replay-1.partial"]
    # One that it had linked or written, and one of an earlier release.
    for name in (f"rows-{0:032x}.bin", f"state-{0:032x}.bin", "column-0.bin"):
        (tmp_path / "replay-1.partial" / name).write_bytes(b"half")
    (tmp_path / "notes.partial").mkdir()
    (tmp_path / "notes.partial" / "mine.txt").write_text("keep")
    rb, _ = saving.filled(num_calls=60)
    names: list[list[str]] = []

    def save_another() -> None:
        rb.save(tmp_path / "replay-3")
        names.append(sorted(path.name for path in tmp_path.iterdir()))

    rb.save(tmp_path / "replay-2", when_copied=save_another)
    # The inner save left alone what the outer one was writing.
    assert names == [["notes.partial", "replay-2.partial", "replay-3"]]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "notes.partial",
        "replay-2",
        "replay-3",
    ]
    for number in (2, 3):
        checkpoint.verify(tmp_path / f"replay-{number}")


def test_every_directory_that_a_save_makes_is_flushed_into_its_parent(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[pathlib.Path] = []
    flush = checkpoint._flush_directory
    monkeypatch.setattr(
        checkpoint,
        "_flush_directory",
        lambda path: (flushed.append(path), flush(path)),
    )
    rb, _ = saving.filled(num_calls=60)
    rb.save(tmp_path / "a" / "b" / "replay-1")
    assert flushed == [
        tmp_path,
        tmp_path / "a",
        tmp_path / "a" / "b" / "replay-1.partial",
        tmp_path / "a" / "b",
    ]
