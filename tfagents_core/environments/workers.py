"""K environments in worker processes, which step while the caller does other things."""

from __future__ import annotations

import contextlib
import multiprocessing.connection
import multiprocessing.reduction
import pickle
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from tfagents_core import specs
from tfagents_core.environments import parted, worker

# The path is the parent's, so that it finds the same modules.
_PROGRAM = """
import sys
sys.path[:] = {path!r}
from tfagents_core.environments import worker
worker.main({descriptor})
"""


class _Process(parted.Worker):
    """One process, from the side that started it.

    Args:
        assignment: pickled, as `worker.main` takes it.
        name: how errors call it.
    """

    def __init__(self, assignment: bytes, name: str) -> None:
        self._name = name
        ours, theirs = socket.socketpair()
        self.connection = multiprocessing.connection.Connection(ours.detach())
        with theirs:
            program = _PROGRAM.format(path=sys.path, descriptor=theirs.fileno())
            self._process = subprocess.Popen(
                [sys.executable, "-c", program],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )
        self._tell(assignment)

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def describe(self, timeout_s: float) -> tuple[specs.EnvironmentSpec, Any]:
        """See `parted.Worker`."""
        spec, own_actions = pickle.loads(self._answer(timeout_s))
        return spec, own_actions

    def share(self, arrays: worker.Arrays) -> None:
        """Hands over the file of the arrays, whose memory is then shared."""
        with _failing(self):
            multiprocessing.reduction.send_handle(
                self.connection, arrays.file.fileno(), self.pid
            )

    def step(self) -> None:
        """See `parted.Worker`."""
        self._tell(worker.Message.STEP)

    def play(self, tasks: list[worker.Task]) -> None:
        """See `parted.Worker`."""
        self._tell(worker.Message.PLAY + pickle.dumps(tasks))

    def _tell(self, message: bytes) -> None:
        with _failing(self):
            self.connection.send_bytes(message)

    def finish(self, timeout_s: float) -> None:
        """See `parted.Worker`."""
        self._answer(timeout_s)

    def _answer(self, timeout_s: float) -> bytes:
        with _failing(self):
            if not self.connection.poll(timeout_s):
                raise parted.WorkerFailedError(
                    f"{self._name} did not answer within {timeout_s:g} s."
                )
            message = self.connection.recv_bytes()
        if message[:1] == worker.Message.FAILED:
            raise parted.WorkerFailedError(
                f"{self._name} raised:\n{message[1:].decode()}"
            )
        return message[1:]

    def how_it_ended(self) -> str:
        """In one sentence."""
        try:
            code = self._process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            return f"{self._name} closed its connection."
        how = f"was killed by signal {-code}" if code < 0 else f"exited with {code}"
        return f"{self._name} {how}."

    def kill(self) -> None:
        """Ends the process, whatever it is doing."""
        # The connection stays open: another thread may be waiting at it, and is woken.
        self._process.kill()
        self._process.wait()


@contextlib.contextmanager
def _failing(one: _Process) -> Iterator[None]:
    """Turns the end of a connection into a `WorkerFailedError`."""
    try:
        yield
    except (EOFError, OSError) as error:
        raise parted.WorkerFailedError(one.how_it_ended()) from error


class WorkerEnvironments(parted.PartedEnvironments[_Process]):
    """Steps K environments in W processes, which share observations by memory.

    The processes import no TensorFlow, start in about a second, and end with this one.
    One that fails is started again: see `parted.PartedEnvironments`.

    Args:
        make: makes environment k in `[0, K)`; pickled by cloudpickle, so it may be a
            function of the main program.
        num_environments: K.
        num_workers: W, at most K; each has K / W environments, or one more.
        timeout_s: longest that a step may take, in seconds.
        max_restarts: failures that are forgiven within ten minutes.

    Raises:
        ValueError: W is not in `[1, K]`.
        errors.EnvironmentFailedError: an environment could not be made.
    """

    def _start(self, assignment: bytes, part: range, name: str) -> _Process:
        del part  # The assignment says it too.
        return _Process(assignment, name)

    @property
    def pids(self) -> list[int]:
        """The workers' process ids."""
        return [one.pid for one in self._workers]
