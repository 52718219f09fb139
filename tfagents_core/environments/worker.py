"""The process that steps some environments of a batch; see `workers`.

It imports no TensorFlow, and ends when the process that started it ends or closes the
connection.
"""

from __future__ import annotations

import dataclasses
import enum
import itertools
import multiprocessing.connection
import multiprocessing.reduction
import os
import pickle
import signal
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from typing import BinaryIO

import dm_env
import numpy as np
import tree

from tfagents_core import specs, types
from tfagents_core.environments import batched, shared_arrays, timesteps

_PARENT_CHECK_S = 1.0


class Message(bytes, enum.Enum):
    """First byte of what is sent, either way."""

    STEP = b"s"
    PLAY = b"p"  # Followed by the pickled list of `Task`, one for each environment.
    DONE = b"d"
    FAILED = b"f"  # Followed by the traceback.


@dataclasses.dataclass(frozen=True)
class Assignment:
    """What a worker is told first, pickled.

    Attributes:
        make: makes the environment of an index.
        first: index of its first environment among the batch's.
        count: how many it has.
        num_environments: K, the batch's.
    """

    make: Callable[[int], dm_env.Environment]
    first: int
    count: int
    num_environments: int


@dataclasses.dataclass(frozen=True)
class Task:
    """How an environment gets to where it was.

    Attributes:
        episode: its episode.
        is_played: whether it is played again; else the next one begins with its next
            reset.
    """

    episode: batched.Episode
    is_played: bool


class Arrays:
    """What a batch's processes share: actions one way, timesteps the other.

    Args:
        spec: of one environment.
        num_environments: K.
        file: that another process made for such arrays; None makes one.

    Attributes:
        spec: of one environment.
        file: the file.
        must_reset: bool `[K]`, environments that begin a new episode.
        actions: leaves `[K, ...]`.
    """

    def __init__(
        self,
        spec: specs.EnvironmentSpec,
        num_environments: int,
        *,
        file: BinaryIO | None = None,
    ) -> None:
        groups = [
            spec.actions,
            spec.rewards,
            spec.discounts,
            spec.observations,
        ]
        flat = [specs.Array((), np.int64), specs.Array((), np.bool_)]
        sizes = []
        for group in groups:
            sizes.append(len(tree.flatten(group)))
            flat += tree.flatten(group)
        batched_specs = [
            specs.Array((num_environments, *s.shape), s.dtype) for s in flat
        ]
        self.file = file or shared_arrays.make_file(
            shared_arrays.num_bytes(batched_specs)
        )
        arrays = shared_arrays.view(self.file, batched_specs)
        self._step_type, self.must_reset = arrays[:2]
        ends = np.cumsum([2, *sizes]).tolist()
        self.actions, *self._values = [
            arrays[start:end] for start, end in itertools.pairwise(ends)
        ]
        self.spec = spec

    def write_actions(self, actions: types.NestedArray) -> None:
        """Takes over the actions `[K, ...]` of a step."""
        for shared, values in zip(self.actions, timesteps.leaves(actions), strict=True):
            shared[...] = values

    def action(self, index: int) -> types.NestedArray:
        """A copy of the action of environment `index`."""
        if isinstance(self.spec.actions, specs.Array):
            return self.actions[0][index].copy()
        leaves = [leaf[index].copy() for leaf in self.actions]
        return tree.unflatten_as(self.spec.actions, leaves)

    def write(self, first: int, timestep: dm_env.TimeStep) -> None:
        """Takes over timesteps `[n, ...]` of the environments from `first` on.

        Raises:
            ValueError: a value is not of its spec's shape and dtype.
        """
        part = slice(first, first + len(timestep.step_type))
        self._step_type[part] = timestep.step_type
        names = ("reward", "discount", "observation")
        for name, group in zip(names, self._values, strict=True):
            values = timesteps.leaves(getattr(timestep, name))
            for shared, new in zip(group, values, strict=True):
                if (new.dtype, new.shape) != (shared.dtype, shared[part].shape):
                    raise ValueError(
                        f"An environment returned a {name} of {new.dtype} "
                        f"{list(new.shape[1:])}, and its spec says {shared.dtype} "
                        f"{list(shared.shape[1:])}."
                    )
                shared[part] = new

    def read(self, part: slice = slice(None)) -> dm_env.TimeStep:
        """A copy of the timesteps `[K, ...]`, or of a part of them."""
        nests = (self.spec.rewards, self.spec.discounts, self.spec.observations)
        reward, discount, observation = (
            tree.unflatten_as(nest, [values[part].copy() for values in group])
            for nest, group in zip(nests, self._values, strict=True)
        )
        step_type = self._step_type[part].copy()
        return dm_env.TimeStep(step_type, reward, discount, observation)


class Environments:
    """A worker's part of the environments.

    Args:
        assignment: a pickled `Assignment`.

    Attributes:
        part: which of the batch's they are.
        num_environments: K, the batch's.
        spec: of one environment.
        own_actions: spec of the task's own actions.
    """

    def __init__(self, assignment: bytes) -> None:
        told: Assignment = pickle.loads(assignment)
        self._first = told.first
        self.part = slice(told.first, told.first + told.count)
        self._environments = [
            told.make(k) for k in range(told.first, told.first + told.count)
        ]
        self.num_environments = told.num_environments
        self.spec = specs.make_environment_spec(self._environments[0])
        self.own_actions = batched.own_action_spec(self._environments[0])

    def step(self, arrays: Arrays) -> None:
        """Takes the step that `arrays` say, and writes its timesteps there."""
        stepped = []
        for index, environment in enumerate(self._environments, self._first):
            if arrays.must_reset[index]:
                stepped.append(environment.reset())
            else:
                stepped.append(environment.step(arrays.action(index)))
        stacked = timesteps.stack(arrays.spec, stepped, first_index=self._first)
        arrays.write(self._first, stacked)

    def play(self, arrays: Arrays, tasks: Sequence[Task]) -> None:
        """Does the tasks, one for each; writes the timesteps of those played."""
        for index, (environment, task) in enumerate(
            zip(self._environments, tasks, strict=True), self._first
        ):
            if task.is_played:
                timestep = batched.play(environment, task.episode)
                stacked = timesteps.stack(arrays.spec, [timestep], first_index=index)
                arrays.write(index, stacked)
            else:
                environment.next_episode_number = task.episode.number


def main(descriptor: int) -> None:
    """Serves until the connection on the socket `descriptor` is closed."""
    # These may reach all processes of a run; its first one decides when this one ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, args=[os.getppid()], daemon=True).start()
    connection = multiprocessing.connection.Connection(descriptor)
    try:
        _serve(connection)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        pass  # The parent has closed it, or has ended.
    except Exception:  # noqa: BLE001 - an environment may raise anything.
        connection.send_bytes(Message.FAILED + traceback.format_exc().encode())


def _end_with_parent(parent: int) -> None:
    """Ends this process, whatever its environments are doing, when `parent` is gone."""
    while os.getppid() == parent:
        time.sleep(_PARENT_CHECK_S)
    os._exit(1)


def _serve(connection: multiprocessing.connection.Connection) -> None:
    environments = Environments(connection.recv_bytes())
    described = pickle.dumps((environments.spec, environments.own_actions))
    connection.send_bytes(Message.DONE + described)
    file = os.fdopen(multiprocessing.reduction.recv_handle(connection), "r+b")
    arrays = Arrays(environments.spec, environments.num_environments, file=file)
    while True:
        message = connection.recv_bytes()
        if message == Message.STEP:
            environments.step(arrays)
        else:
            environments.play(arrays, pickle.loads(message[1:]))
        connection.send_bytes(Message.DONE)
