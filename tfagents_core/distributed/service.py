"""One shard of the replay behind methods that may be called remotely."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import threading
from collections.abc import Mapping
from typing import Protocol

import numpy as np
import numpy.typing as npt
import tree

from tfagents_core import replay, types

MAX_CALL_S = 1.0
"""Longest wait of one call in seconds: a caller that wants to wait longer calls again.

So a shard's threads are never all taken by callers that wait or have died.
"""

# Of a key's 64 bits the highest is 0, and the next 6 are the shard.
_SHARD_SHIFT = 57


def shard_of(keys: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The shard of each item, from keys `[N]`, as `replay.Replay(shard=...)` has it."""
    return keys >> _SHARD_SHIFT


@dataclasses.dataclass(frozen=True)
class ShardStats:
    """What a shard holds.

    Attributes:
        tables: counts by table.
        bytes_in_use: of steps.
        why_not_insert: by table, why one more item would wait; None where it would not.
    """

    tables: Mapping[str, replay.TableStats]
    bytes_in_use: int
    why_not_insert: Mapping[str, str | None]


class Shard(Protocol):
    """A shard, here or elsewhere: `ReplayService` or what passes calls on to one.

    Where calls travel, each may also raise ConnectionError: then it may have been
    carried out or not, or may still be.
    """

    def open_writers(self, actor: str, token: str) -> None:
        """See `ReplayService.open_writers`."""

    def append_chunk(
        self,
        actor: str,
        token: str,
        number: int,
        rows: types.NestedArray,
        first: npt.NDArray[np.bool_],
        last: npt.NDArray[np.bool_],
        timeout_s: float,
    ) -> bool:
        """See `ReplayService.append_chunk`."""

    def sample(
        self,
        table: str,
        batch_size: int,
        num_batches: int | None,
        count: int,
        timeout_s: float,
    ) -> list[replay.Sample]:
        """See `ReplayService.sample`."""

    def update_priorities(
        self,
        table: str,
        keys: npt.NDArray[np.int64],
        priorities: npt.NDArray[np.float64],
    ) -> int:
        """See `ReplayService.update_priorities`."""


class ReplayService:
    """One shard of a replay, for several concurrent callers.

    It is a `replay.DurableReplay`: a chunk whose append has returned is kept, however
    the process ends, and a service made again for the same directory goes on from
    there. Each shard's rate limiters count its own items and samples, so each keeps the
    ratio by itself, and with them the whole replay.

    Thread-safe. No call waits longer than `MAX_CALL_S`.

    Args:
        buffer: an empty replay, with a stream for each environment that writes to this
            shard, and a `shard` of its own.
        directory: for its checkpoints and logs.
        batch_sizes: items that one draw takes, by table.

    Raises:
        ValueError: such batches could never be drawn, or what is in the directory is
            of other tables.
        DamagedCheckpointError: a log in the directory is damaged.
        OSError: a file cannot be read or written.
    """

    def __init__(
        self,
        buffer: replay.Replay,
        directory: str | pathlib.Path,
        *,
        batch_sizes: Mapping[str, int] | None = None,
    ) -> None:
        for table, size in (batch_sizes or {}).items():
            buffer.tables[table].check_batch_size(size)
        self._buffer = buffer
        self._durable = replay.DurableReplay(buffer, directory)
        self._lock = threading.Lock()
        self._tokens: dict[str, str] = {}  # Of the actors that called since it is up.
        self._closed: set[str] = set()

    def open_writers(self, actor: str, token: str) -> None:
        """Makes room for an actor: closes the writers of its earlier lives.

        Their items stay, and their open episodes are abandoned. What an earlier life
        still sends is refused from now on.

        Args:
            actor: its name, without a slash, the same in each of its lives.
            token: this life's own, without a slash.

        Raises:
            OSError: the log cannot be written.
        """
        with self._lock:
            self._tokens[actor] = token
        earlier = [
            writer
            for writer in self._durable.buffer.writers
            if writer.startswith(f"{actor}/")
            and not writer.startswith(f"{actor}/{token}/")
            and writer not in self._closed
        ]
        for writer in earlier:
            # One more than the last. A chunk of this number that is still under way is
            # taken for one that was appended before: it was never acknowledged.
            self._durable.close_writer(writer, self._durable.last_number(writer) + 1)
            self._closed.add(writer)

    def append_chunk(
        self,
        actor: str,
        token: str,
        number: int,
        rows: types.NestedArray,
        first: npt.NDArray[np.bool_],
        last: npt.NDArray[np.bool_],
        timeout_s: float,
    ) -> bool:
        """Appends T rows to each of an actor's K streams, at most once.

        When it returns, all of it is kept. When it raises, some streams may have their
        rows already: the same call again appends the others'.

        Args:
            actor: its name, as in `open_writers`.
            token: of its present life.
            number: of the chunk, counted from 0 in each life.
            rows: nest of arrays `[K, T, ...]`.
            first: which rows begin an episode, bool `[K, T]`.
            last: which rows end theirs, bool `[K, T]`.
            timeout_s: longest wait for rate limiters, in seconds; at most `MAX_CALL_S`.

        Returns:
            Whether anything was appended now; False when all of it was before.

        Raises:
            TimeoutError: a rate limiter has it wait longer; it says why.
            ValueError: a later life of the actor writes, an earlier chunk is missing,
                or the rows do not fit.
            OSError: the log cannot be written.
        """
        if self._tokens.get(actor, token) != token:
            raise ValueError(
                f"another {actor} has taken this one's place; it must not write on"
            )
        is_new = False
        for stream in range(len(first)):
            is_new |= self._durable.append_chunk(
                f"{actor}/{token}/{stream}",
                number,
                tree.map_structure(lambda leaf, k=stream: leaf[k], rows),
                first[stream],
                last[stream],
                timeout=min(timeout_s, MAX_CALL_S),
            )
        return is_new

    def last_number(self, actor: str, token: str, stream: int) -> int:
        """The last chunk that a stream of an actor's life has; -1 when there is none.

        Args:
            actor: its name.
            token: of that life.
            stream: which of its streams, in [0, K).
        """
        return self._durable.last_number(f"{actor}/{token}/{stream}")

    def sample(
        self,
        table: str,
        batch_size: int,
        num_batches: int | None,
        count: int,
        timeout_s: float,
    ) -> list[replay.Sample]:
        """Draws what up to `count` calls of `replay.TableHandle.sample` draw.

        Args:
            table: its name.
            batch_size: B.
            num_batches: N, drawn together as a new first axis; None: one, without it.
            count: most draws, >= 1. Only the first waits; the others are made as far as
                the rate limiter permits them now.
            timeout_s: longest wait in seconds; at most `MAX_CALL_S`.

        Returns:
            At least one draw.

        Raises:
            KeyError: there is no such table.
            TimeoutError: the rate limiter has it wait longer; it says why.
        """
        handle = self._buffer.tables[table]
        wait_s = min(timeout_s, MAX_CALL_S)
        samples = [handle.sample(batch_size, num_batches=num_batches, timeout=wait_s)]
        with contextlib.suppress(TimeoutError):
            while len(samples) < count:
                samples.append(
                    handle.sample(batch_size, num_batches=num_batches, timeout=0)
                )
        return samples

    def update_priorities(
        self,
        table: str,
        keys: npt.NDArray[np.int64],
        priorities: npt.NDArray[np.float64],
    ) -> int:
        """Sets priorities, float64 `[N]`, of items of this shard by keys, int64 `[N]`.

        Returns:
            How many of the items still exist; the others are skipped.

        Raises:
            KeyError: there is no such table.
            ValueError: a key is of another shard, or a priority is not valid.
        """
        return self._buffer.tables[table].update_priorities(keys, priorities)

    def stats(self) -> ShardStats:
        """What the shard holds now."""
        handles = self._buffer.tables
        return ShardStats(
            tables={name: table.stats() for name, table in handles.items()},
            bytes_in_use=self._buffer.bytes_in_use,
            why_not_insert={
                name: table.why_not_insert(1) for name, table in handles.items()
            },
        )

    def save(self) -> pathlib.Path:
        """Saves a checkpoint, while others use the shard; see `DurableReplay.save`.

        Returns:
            The checkpoint's directory.

        Raises:
            OSError: the disk is full or fails; what is kept stays so.
        """
        return self._durable.save()

    def close(self) -> None:
        """Makes all later calls, and those that wait, raise `replay.ClosedError`."""
        self._buffer.close()
        self._durable.close()
