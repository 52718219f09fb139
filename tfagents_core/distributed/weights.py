"""How variables get from the learner to actors: by version, and in one piece."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import tensorflow as tf

from tfagents_core import functions
from tfagents_core.distributed import supervision

_POLL_S = 0.1


class Weights(NamedTuple):
    """The values of a learner's variables at one moment.

    Attributes:
        version: counts what was published, from 1 on.
        arrays: as `VariablePack.read` gives them.
        num_learner_steps: SGD steps that they have learned for.
    """

    version: int
    arrays: Sequence[np.ndarray]
    num_learner_steps: int


class VariablePack:
    """Reads and assigns a list of variables in one call of TensorFlow.

    A call for each variable takes some 30 us; ten variables of an actor that fetches
    every few steps would take longer than its acting does. Not thread-safe.

    Args:
        variables: in an order that reader and writer share.
    """

    def __init__(self, variables: Sequence[tf.Variable]) -> None:
        self._by_dtype: dict[str, list[tf.Variable]] = {}
        for variable in variables:
            self._by_dtype.setdefault(variable.dtype.name, []).append(variable)
        self._read = functions.Function(self._concatenate, "Reading variables")
        self._write = functions.Function(self._assign, "Assigning variables")

    def read(self) -> list[np.ndarray]:
        """All values: for each dtype one array, `[n]`, of the variables in a row."""
        if not self._by_dtype:
            return []
        arrays: list[np.ndarray] = self._read()
        return arrays

    def write(self, arrays: Sequence[np.ndarray]) -> None:
        """Sets all variables.

        Args:
            arrays: what `read` gave for variables of the same shapes and dtypes.

        Raises:
            ValueError: they are of other variables.
        """
        given = [(array.dtype.name, array.size) for array in arrays]
        wanted = [(d, sum(map(_size, group))) for d, group in self._by_dtype.items()]
        if given != wanted:
            raise ValueError(
                f"The weights are {given}, and the variables here {wanted}: the "
                "networks of actor and learner differ."
            )
        if arrays:
            self._write(list(arrays))

    def _concatenate(self) -> list[tf.Tensor]:
        return [
            tf.concat([tf.reshape(variable, [-1]) for variable in group], axis=0)
            for group in self._by_dtype.values()
        ]

    def _assign(self, arrays: list[tf.Tensor]) -> tuple[()]:
        for array, group in zip(arrays, self._by_dtype.values(), strict=True):
            pieces = tf.split(array, list(map(_size, group)))
            for variable, piece in zip(group, pieces, strict=True):
                variable.assign(tf.reshape(piece, variable.shape))
        return ()


def _size(variable: tf.Variable) -> int:
    return int(variable.shape.num_elements())


class WeightStore:
    """Keeps the newest weights for whoever asks. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._newest = Weights(0, (), 0)
        self._is_wanted = False

    @property
    def version(self) -> int:
        """The newest version; 0 when there is none yet."""
        return self._newest.version

    @property
    def is_wanted(self) -> bool:
        """Whether somebody who has the newest weights has asked for newer ones."""
        return self._is_wanted

    def publish(self, arrays: Any, num_learner_steps: int) -> int:
        """Makes `arrays` the newest weights, and returns their version.

        Args:
            arrays: as `VariablePack.read` gives them; they must not change any more.
            num_learner_steps: SGD steps that they have learned for.
        """
        with self._lock:
            version = self._newest.version + 1
            self._newest = Weights(version, arrays, num_learner_steps)
            self._is_wanted = False
            return version

    def fetch(self, newer_than: int) -> Weights | None:
        """The newest weights if their version is higher than `newer_than`."""
        newest = self._newest
        if newest.version > newer_than:
            return newest
        self._is_wanted = True
        return None


class Source(Protocol):
    """Where weights come from: `WeightStore`, or what fetches from one elsewhere."""

    def fetch(self, newer_than: int) -> Weights | None:
        """The newest weights if their version is higher than `newer_than`."""


class WeightsClient:
    """Keeps an actor's own variables as new as the source's. Not thread-safe.

    Args:
        source: where weights come from; it must answer at once.
        variables: the actor's, in the learner's order.
        update_period: calls of `update` between two questions, >= 1.

    Attributes:
        version: of the weights that the variables have; 0: their initial values.
        num_learner_steps: SGD steps that these have learned for.
    """

    def __init__(
        self, source: Source, variables: Sequence[tf.Variable], *, update_period: int
    ) -> None:
        if update_period < 1:
            raise ValueError(f"update_period must be positive, not {update_period}.")
        self.version = 0
        self.num_learner_steps = 0
        self._source = source
        self._pack = VariablePack(variables)
        self._update_period = update_period
        self._num_updates = 0

    def update(self) -> None:
        """Counts one step and, when the period is over, takes newer weights."""
        self._num_updates += 1
        if self._num_updates % self._update_period == 0:
            self.copy()

    def copy(self) -> bool:
        """Takes newer weights now; returns whether there were any."""
        weights = self._source.fetch(self.version)
        if weights is None:
            return False
        self._pack.write(weights.arrays)
        self.version = weights.version
        self.num_learner_steps = weights.num_learner_steps
        return True

    def wait(
        self, *, timeout_s: float = 600.0, stop: threading.Event | None = None
    ) -> None:
        """Waits for the first weights: a resumed run must not act with initial ones.

        Args:
            timeout_s: longest wait in seconds.
            stop: set when the run stops.

        Raises:
            StoppedError: the run stops.
            TimeoutError: there were none in time.
        """
        wait = supervision.Wait("An actor", timeout_s=timeout_s, stop=stop)
        while not self.copy():
            wait.check("the learner has published no weights yet")
            wait.pause(_POLL_S)
