"""From an actor's rows to chunks in a shard of the replay."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
import tree

from tfagents_core import types
from tfagents_core.distributed import supervision
from tfagents_core.distributed.service import Shard
from tfagents_core.replay import columns

CALL_S = 0.5
"""Wait of one call in seconds, after which it is made again."""

_T = TypeVar("_T")


class ChunkClient:
    """Collects the rows of K environments and sends T ticks of them at once.

    Each chunk is appended exactly once: it is sent again until it is acknowledged, with
    the same number. While a rate limiter of the shard refuses it, the actor waits here.
    Whoever dies loses the rows that it has not sent yet, fewer than a chunk. A
    `core.ReplayClient`. Not thread-safe: one actor owns it.

    Args:
        shard: where rows go.
        rows: nest of specs of a row.
        actor: its name, without a slash, the same in each of its lives.
        num_streams: K.
        chunk_ticks: T, ticks per chunk: larger values amortise the cost of calls; rows
            can then be sampled later, and more is lost with a process.
        stop: set when the run stops.
        timeout_s: longest wait for the shard in seconds, until it is an error.
        retry_s: pause after a call that was lost, in seconds.
    """

    def __init__(
        self,
        shard: Shard,
        rows: types.NestedSpec,
        *,
        actor: str,
        num_streams: int,
        chunk_ticks: int,
        stop: threading.Event | None = None,
        timeout_s: float = 600.0,
        retry_s: float = 0.1,
    ) -> None:
        self._shard = shard
        self._actor = actor
        # A life's own name, so that nothing it sends is taken for another's.
        self._token = uuid.uuid4().hex
        self._stop = stop
        self._timeout_s = timeout_s
        self._retry_s = retry_s
        self._size = (num_streams, chunk_ticks)
        # Streams come first: what is one stream's is then contiguous.
        self._rows = tree.map_structure(
            lambda spec: np.zeros((*self._size, *spec.shape), spec.dtype), rows
        )
        self._leaves = tree.flatten(self._rows)
        self._flatten = columns.make_flatten(rows)
        self._first = np.zeros(self._size, np.bool_)
        self._last = np.zeros(self._size, np.bool_)
        self._is_open = np.zeros(num_streams, np.bool_)  # Streams within an episode.
        self._num_ticks = 0
        self._number = -1  # Of the next chunk; -1 before the first call.

    @property
    def num_acknowledged(self) -> int:
        """Chunks that the shard has."""
        return max(self._number, 0)

    def append(
        self, rows: types.NestedArray, *, first: np.ndarray, last: np.ndarray
    ) -> None:
        """Appends one row `[K, ...]` to each stream; sends a chunk once it is full.

        Raises:
            ValueError: the rows do not fit, or a row is outside of an episode; nothing
                was appended.
            StoppedError: the run stops.
            TimeoutError: the shard did not take the chunk in time; it says why.
        """
        leaves = self._flatten(rows)
        self._check(leaves, first)
        if self._num_ticks == self._size[1]:  # Its sending was cut off.
            self.flush()
        at = self._num_ticks
        for buffer, given in zip(self._leaves, leaves, strict=True):
            buffer[:, at] = given
        self._first[:, at], self._last[:, at] = first, last
        self._is_open = ~np.asarray(last)
        self._num_ticks += 1
        if self._num_ticks == self._size[1]:
            self.flush()

    def _check(self, leaves: Sequence[np.ndarray], first: np.ndarray) -> None:
        for buffer, given in zip(self._leaves, leaves, strict=True):
            wanted = (buffer.shape[0], *buffer.shape[2:])
            if given.shape != wanted or given.dtype != buffer.dtype:
                raise ValueError(
                    f"{self._actor} appends {given.dtype} {list(given.shape)} where "
                    f"the replay takes {buffer.dtype} {list(wanted)}"
                )
        outside = np.flatnonzero(~(self._is_open | first))
        if len(outside):
            raise ValueError(
                f"environment {outside[0]} of {self._actor} appends a row outside of "
                "an episode; give the first row of each as first"
            )

    def flush(self) -> None:
        """Sends what there is, even if it is less than a chunk.

        Raises:
            StoppedError: the run stops, and a last attempt had no success.
            TimeoutError: the shard did not take it in time; it says why.
        """
        if self._number < 0:
            self._call(lambda: self._shard.open_writers(self._actor, self._token))
            self._number = 0
        if not self._num_ticks:
            return
        ticks = slice(0, self._num_ticks)
        rows = tree.map_structure(lambda buffer: buffer[:, ticks], self._rows)
        first, last = self._first[:, ticks], self._last[:, ticks]
        self._call(
            lambda: self._shard.append_chunk(
                self._actor, self._token, self._number, rows, first, last, CALL_S
            )
        )
        self._number += 1
        self._num_ticks = 0

    def _call(self, call: Callable[[], _T]) -> _T:
        """Calls until there is an answer: every call may be made twice."""
        wait = supervision.Wait(
            f"{self._actor}, sending rows,",
            timeout_s=self._timeout_s,
            stop=self._stop,
        )
        while True:
            try:
                return call()
            except TimeoutError as error:
                wait.check(str(error))
            except ConnectionError as error:
                wait.check(f"the replay does not answer ({error})")
                wait.pause(self._retry_s)
