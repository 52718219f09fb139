"""K environments in worker processes, which step while the caller does other things."""

from __future__ import annotations

import contextlib
import functools
import multiprocessing.connection
import multiprocessing.reduction
import pickle
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import cloudpickle
import dm_env
import numpy as np
import tree

from tfagents_core import types
from tfagents_core.environments import batched, errors, worker

_START_TIMEOUT_S = 300.0
# The path is the parent's, so that it finds the same modules.
_PROGRAM = """
import sys
sys.path[:] = {path!r}
from tfagents_core.environments import worker
worker.main({descriptor})
"""


class _Failure(Exception):
    """A worker raised, ended or did not answer; the message says which."""


class _Worker:
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

    def share(self, descriptor: int) -> None:
        """Hands over the file of the shared arrays."""
        with _failing(self):
            multiprocessing.reduction.send_handle(self.connection, descriptor, self.pid)

    def step(self) -> None:
        """Begins a step; `answer` comes next."""
        self._tell(worker.Message.STEP)

    def play(self, tasks: list[worker.Task]) -> None:
        """Begins to play episodes again; `answer` comes next."""
        self._tell(worker.Message.PLAY + pickle.dumps(tasks))

    def _tell(self, message: bytes) -> None:
        with _failing(self):
            self.connection.send_bytes(message)

    def answer(self, timeout_s: float) -> bytes:
        """Waits until it is done; what it says.

        Raises:
            _Failure: it raised, ended, or did not answer in time.
        """
        with _failing(self):
            if not self.connection.poll(timeout_s):
                raise _Failure(f"{self._name} did not answer within {timeout_s:g} s.")
            message = self.connection.recv_bytes()
        if message[:1] == worker.Message.FAILED:
            raise _Failure(f"{self._name} raised:\n{message[1:].decode()}")
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
def _failing(one: _Worker) -> Iterator[None]:
    """Turns the end of a connection into a `_Failure`."""
    try:
        yield
    except (EOFError, OSError) as error:
        raise _Failure(one.how_it_ended()) from error


class WorkerEnvironments(batched.BatchedEnvironment):
    """Steps K environments in W processes, which share observations by memory.

    The processes import no TensorFlow, start in about a second, and end with this one.
    A worker whose environment raises, returns NaN, stalls, or that is killed, is
    started again: its environments play their present episodes again, to the bit, or,
    where that does not work either, begin new ones. What fails too often ends in an
    error with the first failure's traceback.

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

    def __init__(
        self,
        make: Callable[[int], dm_env.Environment],
        *,
        num_environments: int,
        num_workers: int,
        timeout_s: float = 120.0,
        max_restarts: int = 10,
    ) -> None:
        if not 1 <= num_workers <= num_environments:
            raise ValueError(
                f"There are {num_environments} environments for {num_workers} workers: "
                "each worker needs one at least, so use more environments or fewer "
                "workers."
            )
        self._timeout_s = timeout_s
        self._recovery = batched.Recovery("The environment workers", max_restarts)
        self._is_closed = False
        parts = np.array_split(np.arange(num_environments), num_workers)
        self._parts = [range(part[0], part[-1] + 1) for part in parts]
        self._assignments = [
            cloudpickle.dumps(
                worker.Assignment(make, part.start, len(part), num_environments)
            )
            for part in self._parts
        ]
        self._workers: list[_Worker] = []
        try:
            for index in range(num_workers):
                self._workers.append(self._start(index))
            # They import and make their environments side by side.
            described = [w.answer(_START_TIMEOUT_S) for w in self._workers]
        except _Failure as failure:
            self.close()
            raise errors.EnvironmentFailedError(str(failure)) from None
        spec, own_actions = pickle.loads(described[0])
        super().__init__(
            spec, own_actions=own_actions, num_environments=num_environments
        )
        self._arrays = worker.Arrays(spec, num_environments)
        for one in self._workers:
            one.share(self._arrays.file.fileno())

    def _start(self, index: int) -> _Worker:
        part = self._parts[index]
        name = f"Environment worker {index} (environments {part.start} to {part[-1]})"
        return _Worker(self._assignments[index], name)

    @property
    def pids(self) -> list[int]:
        """The workers' process ids."""
        return [one.pid for one in self._workers]

    def _send(self, actions: types.NestedArray | None) -> None:
        self._failed: dict[int, str] = {}
        self._arrays.must_reset[:] = self._must_reset
        if actions is not None:
            self._arrays.write_actions(actions)
        for index, one in enumerate(self._workers):
            self._try(index, one.step)

    def _sent(self, index: int) -> types.NestedArray:
        return self._arrays.action(index)

    def _receive(self) -> dm_env.TimeStep:
        deadline = time.monotonic() + self._timeout_s
        for index, one in enumerate(self._workers):
            if index not in self._failed:
                left = max(deadline - time.monotonic(), 0.0)
                self._try(index, functools.partial(one.answer, left))
        for index, failure in self._failed.items():
            self._recover(index, failure)
        return self._arrays.read()

    def _try(self, index: int, call: Callable[[], Any]) -> None:
        """Notes the failure of worker `index`, if `call` ends in one."""
        try:
            call()
        except _Failure as failure:
            self._failed[index] = str(failure)

    def _recover(self, index: int, failure: str) -> None:
        """Starts worker `index` again, and has it take the step that it failed in."""
        must_play = self.has_begun
        while True:
            self._forgive(failure)
            self._workers[index].kill()
            try:
                self._restart(index, must_play=must_play)
                self._workers[index].step()
                self._workers[index].answer(self._timeout_s)
            except _Failure as again:
                # What fails in the same place each time would fail there for ever.
                must_play, failure = False, str(again)
            else:
                return

    def _forgive(self, failure: str) -> None:
        if self._is_closed:
            raise errors.EnvironmentFailedError("The environments were closed.")
        self._recovery.forgive(failure)

    def _restart(self, index: int, *, must_play: bool) -> None:
        """A new process whose environments are where they were before the step."""
        self._workers[index] = one = self._start(index)
        one.answer(_START_TIMEOUT_S)
        one.share(self._arrays.file.fileno())
        part = self._parts[index]
        tasks = [
            worker.Task(
                self._episodes[k],
                is_played=must_play and not self._must_reset[k],
            )
            for k in part
        ]
        one.play(tasks)
        one.answer(self._timeout_s)
        reached = self._arrays.read()
        for k, task in zip(part, tasks, strict=True):
            is_there = task.is_played and self._is_where_it_was(reached, k)
            self._arrays.must_reset[k] = not is_there

    def _is_where_it_was(self, reached: dm_env.TimeStep, index: int) -> bool:
        assert self._timestep is not None
        before = [leaf[index] for leaf in tree.flatten(self._timestep.observation)]
        return batched.shows(reached, index, before)

    def _play(self) -> dm_env.TimeStep:
        self._give([worker.Task(episode, is_played=True) for episode in self._episodes])
        return self._arrays.read()

    def _count_on(self) -> None:
        self._give(
            [worker.Task(episode, is_played=False) for episode in self._episodes]
        )

    def _give(self, tasks: list[worker.Task]) -> None:
        """Has the workers do the tasks, one for each environment."""
        try:
            for part, one in zip(self._parts, self._workers, strict=True):
                one.play(tasks[part.start : part.stop])
            for one in self._workers:
                one.answer(_START_TIMEOUT_S)
        except _Failure as failure:
            raise errors.EnvironmentFailedError(str(failure)) from None

    def close(self) -> None:
        """Ends the processes, whatever they are doing; may be called by any thread."""
        self._is_closed = True
        for one in self._workers:
            one.kill()
