"""The command as a user runs it: in a terminal, stopped with Ctrl-C."""

from __future__ import annotations

import os
import pathlib
import pty
import select
import subprocess
import sys
import time

import pytest

from tfagents_core import checkpointing

from . import small_runs

pytest.importorskip("gymnasium")

COMMAND = [sys.executable, "-m", "tfagents_core.cli", "train"]
RUN = ["gym:CartPole-v1", "--steps", "1_000_000", "--run-dir"]
CTRL_C = b"\x03"
DEADLINE_S = 200


class Terminal:
    """A command in a terminal of its own; `output` is what it has shown so far."""

    def __init__(self, words: list[str]) -> None:
        self.output = ""
        self._pid, self._terminal = pty.fork()
        if self._pid == 0:
            os.execvp(words[0], words)

    def press(self, keys: bytes) -> None:
        os.write(self._terminal, keys)

    def read(self) -> bool:
        """Reads what there is within a second; False once the command has ended."""
        ready, _, _ = select.select([self._terminal], [], [], 1)
        try:
            shown = os.read(self._terminal, 1 << 16) if ready else b" "
        except OSError:  # Linux's way to say that the other end is closed.
            shown = b""
        self.output += shown.decode(errors="replace")
        return bool(shown)

    def wait(self) -> int:
        """Reads to the end and gives the exit code."""
        while self.read():
            pass
        os.close(self._terminal)
        return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])


def refuse(agent: str, run_dir: pathlib.Path) -> str:
    """The sentence with which a second process is turned away."""
    done = subprocess.run(
        [*COMMAND, agent, *RUN, str(run_dir)],
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_S,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_ctrl_c_checkpoints_and_says_how_to_go_on(tmp_path: pathlib.Path) -> None:
    run_dir = tmp_path / "run"
    terminal = Terminal([*COMMAND, "dqn", *RUN, str(run_dir)])
    end_s = time.monotonic() + DEADLINE_S
    metrics = run_dir / "metrics.jsonl"
    while not (metrics.exists() and metrics.stat().st_size > 1_000):
        assert terminal.read(), terminal.output
        assert time.monotonic() < end_s, terminal.output

    assert "Another process is at the run" in refuse("dqn", run_dir)

    terminal.press(CTRL_C)
    assert terminal.wait() == 130, terminal.output
    assert "replay: up to " in terminal.output
    assert "the same command goes on from the checkpoint in" in terminal.output
    (checkpoint,) = (run_dir / "checkpoints").iterdir()
    assert checkpointing.is_intact(checkpoint)
    rows = small_runs.rows(run_dir)
    assert rows[-1]["num_actor_steps"] <= int(checkpoint.name.split("-")[1])
