"""Batches drawn ahead of the learner, and moved to its device."""

from __future__ import annotations

import collections
import select
import threading
from typing import Any

import numpy as np
import tensorflow as tf
import tree

from tfagents_core import core, replay

_SLICE_S = 0.1  # Longest that a thread does not look whether the run stops.


class PrefetchingSource(core.BatchSource):
    """Draws batches in a thread of its own and copies them to a device.

    A GPU then finds its next batch in its own memory. A batch that was drawn ahead has
    the priorities of that moment, and counts as sampled. `run` draws, `next` takes;
    each belongs to one thread.

    Args:
        source: draws the batches, and never waits.
        buffer: the replay that it draws from.
        device: such as `"GPU:0"`.
        stop: set when the run stops; batches that are due are still drawn.
        num_ahead: batches that are kept ready.
    """

    def __init__(
        self,
        source: core.BatchSource,
        buffer: replay.Replay,
        *,
        device: str,
        stop: threading.Event,
        num_ahead: int = 2,
    ) -> None:
        self._source = source
        self._buffer = buffer
        self._device = device
        self._stop = stop
        self._num_ahead = num_ahead
        self._changed = threading.Condition()
        self._ready: collections.deque[Any] = collections.deque()
        self._is_over = self._is_closed = False

    def run(self) -> None:
        """Draws batches until the run stops."""
        with tf.device(self._device):
            while self._source.is_ready() or not self._stop.is_set():
                if not self._source.is_ready():
                    wait_for_change(self._buffer, self._source)
                elif not self._put(self._source.next()):
                    break
        with self._changed:
            self._is_over = True
            self._changed.notify_all()

    def _put(self, batch: Any) -> bool:
        """Copies a batch, and waits for room; whether anybody still takes batches."""
        moved = tree.map_structure(tf.identity, batch)
        with self._changed:
            self._changed.wait_for(
                lambda: len(self._ready) < self._num_ahead or self._is_closed
            )
            self._ready.append(moved)
            self._changed.notify_all()
            return not self._is_closed

    @property
    def is_over(self) -> bool:
        """Whether the run stops and all batches that were due have been taken."""
        return self._is_over and not self._ready

    def is_ready(self) -> bool:
        """Whether a batch has been drawn ahead."""
        return bool(self._ready)

    def wait(self) -> None:
        """Waits until a batch has been drawn ahead, but not for long."""
        with self._changed:
            self._changed.wait_for(lambda: self._ready or self._is_over, _SLICE_S)

    def next(self) -> Any:
        """The next batch, as tensors on the device.

        Raises:
            TimeoutError: none has been drawn ahead; see `wait`.
        """
        with self._changed:
            if not self._ready:
                raise TimeoutError("No batch has been drawn ahead.")
            self._changed.notify_all()
            return self._ready.popleft()

    def close(self) -> None:
        """Ends `run`, whose batches nobody takes any more."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def batch_axes(self, batch: Any) -> Any:
        """The source's."""
        return self._source.batch_axes(batch)

    def update_priorities(
        self, table: str, keys: np.ndarray, priorities: np.ndarray
    ) -> None:
        """Sets the priorities of items of `table`."""
        self._source.update_priorities(table, keys, priorities)


def wait_for_change(buffer: replay.Replay, source: core.BatchSource) -> None:
    """Waits until anything about the replay has changed, but not for long."""
    event = buffer.event()
    buffer.clear_event()
    if not source.is_ready():  # It may have changed before.
        select.select([event], [], [], _SLICE_S)
