"""A learner's batches from several shards, drawn ahead."""

from __future__ import annotations

import collections
import itertools
import queue
import threading
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from tfagents_core import core, replay
from tfagents_core.distributed import service, supervision
from tfagents_core.distributed.client import CALL_S

# Of a table: keys [B] and their priorities [B].
_Update: TypeAlias = tuple[str, np.ndarray, np.ndarray]

_JOIN_S = 2 * service.MAX_CALL_S
_MAX_UPDATES = 64  # Priority updates that wait to be sent.


class ShardedSource(core.BatchSource):
    """Draws batches ahead from shards in turn; sends priorities back to theirs.

    Threads of its own call the shards, so that the learner waits only when nothing has
    been drawn. Batches drawn ahead count as sampled, and have the priorities of the
    moment they were drawn. Priorities travel behind the learner's back; those whose
    call is lost stay as they were.

    Args:
        shards: all of the replay's, ordered by their number.
        batch_sizes: items of a batch from each table, B.
        num_batches: batches drawn together, N; more than 1 puts this axis in front.
        batches_per_call: draws that one call asks for.
        num_in_flight: calls under way at once, by table, >= 1. At most
            `batches_per_call * num_in_flight` draws are there or under way.
        timeout_s: longest wait for a batch in seconds, until it is an error.
        stop: set when the run stops.
        retry_s: pause after a call that was lost, in seconds.
    """

    def __init__(
        self,
        shards: Sequence[service.Shard],
        batch_sizes: Mapping[str, int],
        *,
        num_batches: int = 1,
        batches_per_call: int = 4,
        num_in_flight: int = 2,
        timeout_s: float = 600.0,
        stop: threading.Event | None = None,
        retry_s: float = 0.1,
    ) -> None:
        self._shards = list(shards)
        self._prefetchers = {
            table: _Prefetcher(
                self._shards,
                (table, batch_size, num_batches if num_batches > 1 else None),
                count=batches_per_call,
                num_in_flight=num_in_flight,
                retry_s=retry_s,
            )
            for table, batch_size in batch_sizes.items()
        }
        self._timeout_s = timeout_s
        self._stop = stop
        self._sender = _Sender(self._shards)

    def is_ready(self) -> bool:
        """Whether a batch of every table has been drawn."""
        return all(each.is_ready() for each in self._prefetchers.values())

    def wait(self, timeout_s: float) -> bool:
        """Whether `next` would return at once, now or within `timeout_s` seconds.

        Raises:
            ValueError: a shard refused a draw.
        """
        return all(each.wait(timeout_s) for each in self._prefetchers.values())

    @property
    def reason(self) -> str:
        """Why the last call that drew nothing did not."""
        return "; ".join(each.reason for each in self._prefetchers.values())

    def next(self) -> Any:
        """The next batch.

        Raises:
            StoppedError: the run stops.
            TimeoutError: a table gave none in time; the message says why.
            ValueError: a shard refused priorities, or a draw.
        """
        self._sender.check()
        for table, prefetcher in self._prefetchers.items():
            wait = supervision.Wait(
                f"The learner, drawing from table {table!r},",
                timeout_s=self._timeout_s,
                stop=self._stop,
            )
            while not prefetcher.wait(CALL_S):
                wait.check(prefetcher.reason)
        # All are there: a batch of one table is not lost while another has none.
        samples = {name: each.take() for name, each in self._prefetchers.items()}
        return samples if len(samples) > 1 else next(iter(samples.values()))

    def update_priorities(
        self, table: str, keys: np.ndarray, priorities: np.ndarray
    ) -> None:
        """Sets priorities of items of `table` soon; those that have gone are skipped.

        Raises:
            StoppedError: the run stops.
            TimeoutError: too many are on their way, and none got there in time.
        """
        wait = supervision.Wait(
            "The learner, sending priorities,",
            timeout_s=self._timeout_s,
            stop=self._stop,
        )
        while not self._sender.put((table, keys, priorities)):
            wait.check("the replay takes no priorities")

    def close(self) -> None:
        """Ends the threads, after the calls that are under way."""
        for prefetcher in self._prefetchers.values():
            prefetcher.close()
        self._sender.close()


class _Prefetcher:
    """Draws from one table of all shards, ahead of who takes. Thread-safe."""

    def __init__(
        self,
        shards: Sequence[service.Shard],
        draw: tuple[str, int, int | None],
        *,
        count: int,
        num_in_flight: int,
        retry_s: float,
    ) -> None:
        self._shards = itertools.cycle(shards)
        self._draw = draw
        self._count = count
        self._retry_s = retry_s
        self._changed = threading.Condition()
        self._samples: collections.deque[replay.Sample] = collections.deque()
        self._num_free = count * num_in_flight  # Draws that may still be asked for.
        self._error: Exception | None = None
        self._is_closed = threading.Event()
        self.reason = "no shard has answered yet"
        self._threads = [
            threading.Thread(target=self._run, name=f"draw {draw[0]}", daemon=True)
            for _ in range(num_in_flight)
        ]
        for thread in self._threads:
            thread.start()

    def is_ready(self) -> bool:
        """Whether `take` would find a batch."""
        return bool(self._samples)

    def wait(self, timeout_s: float) -> bool:
        """Whether there is a batch, or is one within `timeout_s` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._samples or self._error, timeout_s)
            if self._error is not None:
                raise self._error
            return bool(self._samples)

    def take(self) -> replay.Sample:
        """The oldest batch. REQUIRES: there is one."""
        with self._changed:
            self._num_free += 1
            self._changed.notify_all()
            return self._samples.popleft()

    def close(self) -> None:
        """Ends the threads."""
        self._is_closed.set()
        with self._changed:
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(_JOIN_S)

    def _run(self) -> None:
        try:
            while (shard := self._next_shard()) is not None:
                self._ask(shard)
        except Exception as error:  # noqa: BLE001 - raised again by the learner.
            with self._changed:
                self._error = error
                self._changed.notify_all()

    def _next_shard(self) -> service.Shard | None:
        """Whom to ask once there is room; None when it is closed."""
        with self._changed:
            while self._num_free < self._count and not self._is_closed.is_set():
                self._changed.wait(CALL_S)
            if self._is_closed.is_set():
                return None
            self._num_free -= self._count
            return next(self._shards)

    def _ask(self, shard: service.Shard) -> None:
        samples: list[replay.Sample] = []
        try:
            samples = shard.sample(*self._draw, self._count, CALL_S)
        except TimeoutError as error:
            self.reason = str(error)
        except ConnectionError as error:
            self.reason = f"the replay does not answer ({error})"
            self._is_closed.wait(self._retry_s)
        with self._changed:
            self._samples.extend(samples)
            self._num_free += self._count - len(samples)
            self._changed.notify_all()


class _Sender:
    """Sends priorities to their shards, in the order in which they come."""

    def __init__(self, shards: Sequence[service.Shard]) -> None:
        self._shards = shards
        self._updates: queue.Queue[_Update | None] = queue.Queue(_MAX_UPDATES)
        self._error: Exception | None = None
        self._thread = threading.Thread(
            target=self._run, name="priorities", daemon=True
        )
        self._thread.start()

    def put(self, update: _Update) -> bool:
        """Whether there was room for an update, or was within `CALL_S`."""
        self.check()
        try:
            self._updates.put(update, timeout=CALL_S)
        except queue.Full:
            return False
        return True

    def check(self) -> None:
        """Raises what a shard raised."""
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Ends the thread once everything is sent."""
        try:
            self._updates.put(None, timeout=_JOIN_S)
        except queue.Full:
            return  # The shards have gone; a daemon thread ends with its process.
        self._thread.join(_JOIN_S)

    def _run(self) -> None:
        waiting: list[_Update | None] = [self._updates.get()]
        while waiting[-1] is not None:
            while not self._updates.empty():
                waiting.append(self._updates.get())
            try:
                self._send([update for update in waiting if update is not None])
            except ConnectionError:
                pass  # Items keep the priorities that they have.
            except Exception as error:  # noqa: BLE001 - raised again by the learner.
                self._error = error
            waiting = waiting[-1:] if waiting[-1] is None else [self._updates.get()]

    def _send(self, updates: Sequence[_Update]) -> None:
        """One call for each table and shard: of equal keys the last counts."""
        for table in dict.fromkeys(table for table, _, _ in updates):
            keys = np.concatenate([k for name, k, _ in updates if name == table])
            values = np.concatenate([v for name, _, v in updates if name == table])
            shards = service.shard_of(keys)
            for index in np.unique(shards):
                mine = shards == index
                self._shards[index].update_priorities(table, keys[mine], values[mine])
