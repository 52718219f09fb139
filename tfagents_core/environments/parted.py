"""K environments shared out to W workers, whatever carries messages to them."""

from __future__ import annotations

import abc
import functools
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import cloudpickle
import dm_env
import numpy as np
import tree

from tfagents_core import specs, types
from tfagents_core.environments import batched, errors, worker

_START_TIMEOUT_S = 300.0


class WorkerFailedError(Exception):
    """A worker raised, ended or did not answer; the message says which."""


class Worker(abc.ABC):
    """One worker and its part of the environments, from the side that started it.

    It does one thing at a time. Every method but `kill` raises `WorkerFailedError`.
    """

    @abc.abstractmethod
    def describe(self, timeout_s: float) -> tuple[specs.EnvironmentSpec, Any]:
        """Waits until its environments are made; their spec, and their own actions'."""

    @abc.abstractmethod
    def share(self, arrays: worker.Arrays) -> None:
        """Says where its actions are and where its timesteps go; once, before a step."""

    @abc.abstractmethod
    def step(self) -> None:
        """Begins a step; `finish` comes next."""

    @abc.abstractmethod
    def play(self, tasks: list[worker.Task]) -> None:
        """Begins to play episodes again; `finish` comes next."""

    @abc.abstractmethod
    def finish(self, timeout_s: float) -> None:
        """Waits until it is done; its timesteps are in the arrays."""

    @abc.abstractmethod
    def kill(self) -> None:
        """Ends it, whatever it is doing; may be called by any thread."""


WorkerT = TypeVar("WorkerT", bound=Worker)


class PartedEnvironments(batched.BatchedEnvironment, Generic[WorkerT]):
    """Steps K environments in W workers.

    A worker whose environment raises, returns NaN, stalls, or that ends, is started
    again: its environments play their present episodes again, to the bit, or, where
    that does not work either, begin new ones. What fails too often ends in an error
    with the first failure's traceback.

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
        self._workers: list[WorkerT] = []
        try:
            spec, own_actions = self._start_all()
            super().__init__(
                spec, own_actions=own_actions, num_environments=num_environments
            )
            self._arrays = worker.Arrays(spec, num_environments)
            for one in self._workers:
                one.share(self._arrays)
        except WorkerFailedError as failure:
            self.close()
            raise errors.EnvironmentFailedError(str(failure)) from None

    def _start_all(self) -> tuple[specs.EnvironmentSpec, Any]:
        for index in range(len(self._parts)):
            self._workers.append(self._start_worker(index))
        # They import and make their environments side by side.
        described = [one.describe(_START_TIMEOUT_S) for one in self._workers]
        return described[0]

    def _start_worker(self, index: int) -> WorkerT:
        part = self._parts[index]
        name = f"Environment worker {index} (environments {part.start} to {part[-1]})"
        return self._start(self._assignments[index], part, name)

    @abc.abstractmethod
    def _start(self, assignment: bytes, part: range, name: str) -> WorkerT:
        """Starts a worker.

        Args:
            assignment: a pickled `worker.Assignment`.
            part: its environments.
            name: how errors call it.
        """

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
                self._try(index, functools.partial(one.finish, left))
        for index, failure in self._failed.items():
            self._recover(index, failure)
        return self._arrays.read()

    def _try(self, index: int, call: Callable[[], Any]) -> None:
        """Notes the failure of worker `index`, if `call` ends in one."""
        try:
            call()
        except WorkerFailedError as failure:
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
                self._workers[index].finish(self._timeout_s)
            except WorkerFailedError as again:
                # What fails in the same place each time would fail there for ever.
                must_play, failure = False, str(again)
            else:
                return

    def _forgive(self, failure: str) -> None:
        if self._is_closed:
            raise errors.EnvironmentFailedError("The environments were closed.")
        self._recovery.forgive(failure)

    def _restart(self, index: int, *, must_play: bool) -> None:
        """A new worker whose environments are where they were before the step."""
        self._workers[index] = one = self._start_worker(index)
        one.describe(_START_TIMEOUT_S)
        one.share(self._arrays)
        part = self._parts[index]
        tasks = [
            worker.Task(
                self._episodes[k],
                is_played=must_play and not self._must_reset[k],
            )
            for k in part
        ]
        one.play(tasks)
        one.finish(self._timeout_s)
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
                one.finish(_START_TIMEOUT_S)
        except WorkerFailedError as failure:
            raise errors.EnvironmentFailedError(str(failure)) from None

    def close(self) -> None:
        """Ends the workers, whatever they are doing; may be called by any thread."""
        self._is_closed = True
        for one in self._workers:
            one.kill()
