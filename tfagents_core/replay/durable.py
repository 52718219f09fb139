"""A replay that loses nothing it has acknowledged, however its process ends."""

from __future__ import annotations

import pathlib
import re
import shutil
import threading
from collections.abc import Mapping
from typing import final

import numpy as np
import numpy.typing as npt
import tree

from tfagents_core.replay import checkpoint, chunk_log, columns
from tfagents_core.replay.buffer import Replay

_CHECKPOINT = "checkpoint-{:06d}"
_LOG = "chunks-{:06d}.log"
_NUM_EPOCHS = 1024


@final
class DurableReplay:
    """Keeps a replay's chunks in a log beside its checkpoints.

    A chunk is acknowledged when `append_chunk` returns: then it is in the log. Made
    again for the same directory, by another process after this one died, it restores
    the newest checkpoint and appends what the logs have since, each chunk once. Writers
    ask for their `last_number` and send what comes after it.

    What is not in the log is as old as the checkpoint: priorities, counts of samples and
    with them the rate limiters', items of `create_item`, and items that a queue gave
    out, which it gives out again. Appends of other kinds are not in it at all. Chunks of
    different writers may come in another order than at first.

    Thread-safe, like the replay.

    Args:
        buffer: an empty replay. It is the owner's to sample from and to close.
        directory: for checkpoints and logs; it is made if it does not exist.
        flush: whether an acknowledged chunk is on the disk, and survives a power cut;
            else it survives the process, but not the machine.

    Raises:
        ValueError: when steps, tables or streams do not fit what is in the directory.
        DamagedCheckpointError: when a log is damaged.
        OSError: when a file cannot be read or written.
    """

    def __init__(
        self, buffer: Replay, directory: checkpoint.Path, *, flush: bool = False
    ) -> None:
        self._buffer = buffer
        self._directory = pathlib.Path(directory)
        self._flush = flush
        self._flatten = columns.make_flatten(buffer.steps)
        self._lock = threading.Lock()
        self._directory.mkdir(parents=True, exist_ok=True)
        self._index = max(self._indices(_LOG) + self._indices(_CHECKPOINT), default=0)
        newest = checkpoint.latest_intact(self._directory)
        if newest is not None:
            # Each life of the directory has an index, and so an epoch, of its own.
            buffer.restore(newest, epoch=(self._index + 1) % _NUM_EPOCHS)
        for index in self._indices(_LOG):
            if newest is None or index >= _index_of(newest):
                self._recover(self._directory / _LOG.format(index))
        # By writer, the last number that is in a log or a checkpoint. What the replay has
        # beyond it is not acknowledged yet.
        self._logged = buffer.writers
        self._log = self._begin_log()
        if newest is None:
            self.save()

    @property
    def buffer(self) -> Replay:
        """The replay."""
        return self._buffer

    def append_chunk(
        self,
        writer: str,
        number: int,
        rows: columns.Nest,
        first: bool | npt.ArrayLike = False,
        last: bool | npt.ArrayLike = False,
        *,
        priorities: Mapping[str, npt.ArrayLike] | None = None,
        timeout: float | None = None,
    ) -> bool:
        """Appends a chunk at most once; when it returns, the chunk is acknowledged.

        Args and returns: as `Replay.append_chunk`.

        Raises:
            As `Replay.append_chunk`; also
            OSError: when the log cannot be written. The chunk is not acknowledged then:
                send it again.
        """
        self._check_logged(writer, number)
        is_new = self._buffer.append_chunk(
            writer, number, rows, first, last, priorities=priorities, timeout=timeout
        )
        # Also if it is not new: another thread may not have come to log it yet.
        with self._lock:
            if number > self._last_logged(writer):
                self._write(self._encode(writer, number, rows, first, last, priorities))
        return is_new

    def close_writer(self, writer: str, number: int) -> bool:
        """As `Replay.close_writer`; when it returns, it is in the log."""
        self._check_logged(writer, number)
        is_new = self._buffer.close_writer(writer, number)
        with self._lock:
            if number > self._last_logged(writer):
                self._write(chunk_log.Chunk(writer, number))
        return is_new

    def last_number(self, writer: str) -> int:
        """The last number of a writer that was taken; -1 when there is none."""
        return self._buffer.last_number(writer)

    def save(self) -> pathlib.Path:
        """Saves a checkpoint, and removes the ones before it with their logs.

        Returns:
            The checkpoint's directory.

        Raises:
            OSError: when the disk is full or fails; then all is as it was.
        """
        with self._lock:
            # Before anything is copied: what the checkpoint lacks is in this log.
            old, self._log = self._log, self._begin_log()
            index = self._index
        old.close()
        target = self._directory / _CHECKPOINT.format(index)
        self._buffer.save(target)
        for each in self._indices(_CHECKPOINT):
            if each < index:
                shutil.rmtree(self._directory / _CHECKPOINT.format(each))
        for each in self._indices(_LOG):
            if each < index:
                (self._directory / _LOG.format(each)).unlink()
        return target

    def close(self) -> None:
        """Closes the log; the replay stays open."""
        with self._lock:
            self._log.close()

    def _last_logged(self, writer: str) -> int:
        return self._logged.get(writer, -1)

    def _check_logged(self, writer: str, number: int) -> None:
        unlogged = self._last_logged(writer) + 1
        if unlogged < number <= self._buffer.last_number(writer) + 1:
            raise ValueError(
                f"chunk {unlogged} of writer {writer!r} was not acknowledged, because "
                "the log could not be written; send it again first"
            )

    def _write(self, chunk: chunk_log.Chunk) -> None:
        self._log.append(chunk)
        self._logged[chunk.writer] = chunk.number

    def _encode(
        self,
        writer: str,
        number: int,
        rows: columns.Nest,
        first: bool | npt.ArrayLike,
        last: bool | npt.ArrayLike,
        priorities: Mapping[str, npt.ArrayLike] | None,
    ) -> chunk_log.Chunk:
        """A chunk that was appended, and so fits the columns."""
        arrays = [
            np.asarray(given, column.dtype)
            for given, column in zip(
                self._flatten(rows), tree.flatten(self._buffer.steps), strict=True
            )
        ]
        num_rows = len(arrays[0])
        flags = []
        for given, at in ((first, 0), (last, -1)):
            flag = np.zeros(num_rows, np.bool_)
            if np.ndim(given) == 0:
                flag[at] = given
            else:
                flag[:] = given
            flags.append(flag)
        doubles = {
            table: np.asarray(values, np.float64)
            for table, values in (priorities or {}).items()
        }
        return chunk_log.Chunk(writer, number, flags[0], flags[1], arrays, doubles)

    def _recover(self, path: pathlib.Path) -> None:
        for chunk in chunk_log.read(path, self._buffer.steps):
            if chunk.rows is None:
                self._buffer.close_writer(chunk.writer, chunk.number)
            else:
                self._buffer.append_again(chunk)

    def _begin_log(self) -> chunk_log.LogWriter:
        self._index += 1
        path = self._directory / _LOG.format(self._index)
        return chunk_log.LogWriter(path, self._buffer.steps, flush=self._flush)

    def _indices(self, name: str) -> list[int]:
        pattern = re.compile(re.escape(name).replace(r"\{:06d\}", r"(\d+)"))
        names = (pattern.fullmatch(path.name) for path in self._directory.iterdir())
        return sorted(int(found[1]) for found in names if found)


def _index_of(path: pathlib.Path) -> int:
    return int(path.name.rpartition("-")[2])
