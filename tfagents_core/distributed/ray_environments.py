"""K environments in Ray actors, behind one policy. The actors import no TensorFlow."""

from __future__ import annotations

# Before Ray: it names the extra where Ray is not installed.
from tfagents_core.distributed import ray_cluster

# isort: split
import contextlib
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import dm_env
import numpy as np
import ray
from ray import exceptions

from tfagents_core import specs, types
from tfagents_core.environments import errors, parted, worker

_CLOSE_S = 10.0


class _Host:
    """Steps a part of the environments, in a process of the cluster."""

    def answer(self, name: str, *arguments: Any) -> tuple[str, Any]:
        """Calls a method; the traceback of what it raised, or "", and its result.

        What an environment raises may be of a class that the caller does not have.
        """
        try:
            return "", getattr(self, name)(*arguments)
        except Exception:  # noqa: BLE001 - an environment may raise anything.
            return traceback.format_exc(), None

    def begin(self, assignment: bytes) -> tuple[specs.EnvironmentSpec, Any]:
        """Makes the environments."""
        self._environments = made = worker.Environments(assignment)
        self._arrays = worker.Arrays(made.spec, made.num_environments)
        return made.spec, made.own_actions

    def step(
        self, must_reset: np.ndarray, actions: Sequence[np.ndarray]
    ) -> dm_env.TimeStep:
        """Takes a step; everything is `[n, ...]`, of this part alone."""
        part = self._environments.part
        self._arrays.must_reset[part] = must_reset
        for values, new in zip(self._arrays.actions, actions, strict=True):
            values[part] = new
        self._environments.step(self._arrays)
        return self._arrays.read(part)

    def play(self, tasks: list[worker.Task]) -> dm_env.TimeStep:
        """Plays episodes again; where one is not played, the timestep means nothing."""
        self._environments.play(self._arrays, tasks)
        return self._arrays.read(self._environments.part)


class _RayWorker(parted.Worker):
    """One Ray actor, from the side that started it.

    Args:
        assignment: pickled, as `worker.Environments` takes it.
        part: its environments.
        name: how errors call it.
    """

    def __init__(self, assignment: bytes, part: range, name: str) -> None:
        self._name = name
        self._part = slice(part.start, part.stop)
        options = ray_cluster.cpu_options(num_cpus=1, spread=True)
        self.handle = ray.remote(**options)(_Host).remote()
        self._ask("begin", assignment)

    def describe(self, timeout_s: float) -> tuple[specs.EnvironmentSpec, Any]:
        """See `parted.Worker`."""
        spec, own_actions = self._answer(timeout_s)
        return spec, own_actions

    def share(self, arrays: worker.Arrays) -> None:
        """See `parted.Worker`; here, actions and timesteps are copied."""
        self._arrays = arrays

    def step(self) -> None:
        """See `parted.Worker`."""
        actions = [values[self._part] for values in self._arrays.actions]
        self._ask("step", self._arrays.must_reset[self._part], actions)

    def play(self, tasks: list[worker.Task]) -> None:
        """See `parted.Worker`."""
        self._ask("play", tasks)

    def finish(self, timeout_s: float) -> None:
        """See `parted.Worker`."""
        self._arrays.write(self._part.start, self._answer(timeout_s))

    def _ask(self, name: str, *arguments: Any) -> None:
        with self._failing():
            self._call = self.handle.answer.remote(name, *arguments)

    def _answer(self, timeout_s: float) -> Any:
        with self._failing(f" did not answer within {timeout_s:g} s."):
            failure, result = ray.get(self._call, timeout=timeout_s)
        if failure:
            raise parted.WorkerFailedError(f"{self._name} raised:\n{failure}")
        return result

    @contextlib.contextmanager
    def _failing(self, late: str = "") -> Iterator[None]:
        """Turns errors of Ray into a `WorkerFailedError`."""
        try:
            yield
        except exceptions.GetTimeoutError as error:
            raise parted.WorkerFailedError(self._name + late) from error
        except exceptions.RayError as error:
            raise parted.WorkerFailedError(f"{self._name} ended: {error}") from error

    def kill(self) -> None:
        """See `parted.Worker`."""
        with contextlib.suppress(exceptions.RayError):
            ray.kill(self.handle, no_restart=True)


class RayEnvironments(parted.PartedEnvironments[_RayWorker]):
    """Steps K environments in W Ray actors, spread over the nodes of a cluster.

    A step is one call of each actor, with its part of the actions; the answer is its
    part of the timesteps. The actors import no TensorFlow, and end with this process.
    One that fails is started again, on any node: see `parted.PartedEnvironments`.

    Args:
        make: makes environment k in `[0, K)`; pickled by cloudpickle, so it may be a
            function of the main program.
        num_environments: K.
        num_workers: W, at most K; each has K / W environments, or one more, and
            occupies a CPU of the cluster.
        address: of the cluster, as `ray_cluster.Cluster` takes it.
        num_cpus: that all `RayEnvironments` of this process occupy; None for these
            alone.
        timeout_s: longest that a step may take, in seconds.
        max_restarts: failures that are forgiven within ten minutes.

    Raises:
        ValueError: W is not in `[1, K]`, or the cluster has too few CPUs.
        errors.EnvironmentFailedError: there is no cluster at the address, or an
            environment could not be made.
    """

    def __init__(
        self,
        make: Callable[[int], dm_env.Environment],
        *,
        num_environments: int,
        num_workers: int,
        address: str | None = None,
        num_cpus: int | None = None,
        timeout_s: float = 120.0,
        max_restarts: int = 10,
    ) -> None:
        self._busy = threading.Lock()
        try:
            self._cluster = ray_cluster.Cluster(
                address, num_cpus=num_cpus or num_workers
            )
        except ConnectionError as error:
            raise errors.EnvironmentFailedError(
                f"There is no Ray cluster at {address} ({error})."
            ) from error
        try:
            super().__init__(
                make,
                num_environments=num_environments,
                num_workers=num_workers,
                timeout_s=timeout_s,
                max_restarts=max_restarts,
            )
        except BaseException:
            self._cluster.close()
            raise

    def _start(self, assignment: bytes, part: range, name: str) -> _RayWorker:
        return _RayWorker(assignment, part, name)

    def _send(self, actions: types.NestedArray | None) -> None:
        with self._using():
            super()._send(actions)

    def _receive(self) -> dm_env.TimeStep:
        with self._using():
            return super()._receive()

    @contextlib.contextmanager
    def _using(self) -> Iterator[None]:
        """While it lasts, `close` does not leave the cluster."""
        with self._busy:
            # Where Ray was shut down, its next call would start a cluster anew.
            if self._is_closed:
                raise errors.EnvironmentFailedError("The environments were closed.")
            yield

    def close(self) -> None:
        """Ends the actors, whatever they are doing, and leaves the cluster.

        May be called by any thread; one that waits for the environments is woken.
        """
        if self._is_closed:
            return
        super().close()
        is_mine = self._busy.acquire(timeout=_CLOSE_S)
        self._cluster.close()
        if is_mine:
            self._busy.release()
