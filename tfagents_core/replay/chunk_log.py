"""Logs of chunks: append-only files whose records have checksums.

A log begins with a record that describes the columns; each further record is a chunk, or
the end of a writer. A record is its length and a CRC-32 of that length (uint64 and
uint32), a CRC-32 of what follows (uint32), and then a line of JSON and the bytes of
arrays. All are little-endian; nothing is pickled.

A process may die while it writes: then the last record is cut short, and was not
acknowledged. Anything else that is wrong is damage.
"""

from __future__ import annotations

import json
import os
import pathlib
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import tree

from tfagents_core.replay import _core, columns

_HEAD = struct.Struct("<QII")
_FORMAT = "tfagents_core.replay.chunks-1"


class Chunk(NamedTuple):
    """A chunk, or with `rows` None the end of a writer.

    Attributes:
        writer: its name.
        number: of the chunk.
        first: which rows begin an episode, bool `[T]`.
        last: which rows end theirs, bool `[T]`.
        rows: the columns' arrays `[T, *shape]`, as in `tree.flatten`.
        priorities: by table, float64 `[T]`.
    """

    writer: str
    number: int
    first: npt.NDArray[np.bool_] | None = None
    last: npt.NDArray[np.bool_] | None = None
    rows: Sequence[np.ndarray] | None = None
    priorities: Mapping[str, npt.NDArray[np.float64]] = {}


class LogWriter:
    """Writes chunks to a new file. Not thread-safe.

    Args:
        path: of the file, which must not exist.
        steps: the nest of columns of a row.
        flush: whether `append` returns only when the disk has the record, so that it
            survives a power cut too; else it survives the process.
    """

    def __init__(self, path: pathlib.Path, steps: columns.Nest, *, flush: bool) -> None:
        self._path = path
        self._flush = flush
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self._descriptor = os.open(path, flags, 0o644)
        self._size = 0  # Bytes of whole records.
        self._append([_encode({"format": _FORMAT, "columns": _describe(steps)})])

    def append(self, chunk: Chunk) -> None:
        """Writes a chunk.

        Raises:
            OSError: naming the file, when the disk is full or fails; then the log is as
                it was before.
        """
        line: dict[str, Any] = {"writer": chunk.writer, "number": chunk.number}
        arrays: list[np.ndarray] = []
        if chunk.rows is not None:
            assert chunk.first is not None and chunk.last is not None
            line["rows"] = len(chunk.first)
            line["priorities"] = list(chunk.priorities)
            arrays = [chunk.first, chunk.last, *chunk.rows, *chunk.priorities.values()]
        self._append([_encode(line), *(array.tobytes() for array in arrays)])

    def _append(self, pieces: Sequence[bytes]) -> None:
        checksum = 0
        for piece in pieces:
            checksum = zlib.crc32(piece, checksum)
        length = sum(map(len, pieces))
        head = _HEAD.pack(length, zlib.crc32(length.to_bytes(8, "little")), checksum)
        record = memoryview(b"".join([head, *pieces]))
        try:
            left = record
            while left:
                left = left[os.write(self._descriptor, left) :]
            if self._flush:
                os.fsync(self._descriptor)
        except OSError as error:
            os.ftruncate(self._descriptor, self._size)
            raise OSError(error.errno, error.strerror, str(self._path)) from error
        self._size += len(record)

    def close(self) -> None:
        """Flushes the file to the disk and closes it."""
        os.fsync(self._descriptor)
        os.close(self._descriptor)


def read(path: pathlib.Path, steps: columns.Nest) -> Iterator[Chunk]:
    """The chunks of a log, in the order in which they were written.

    Args:
        path: of the file.
        steps: the nest of columns of a row.

    Yields:
        Each whole record's chunk.

    Raises:
        DamagedCheckpointError: when a record has changed since it was written.
        ValueError: when the columns are others.
        OSError: when the file cannot be read.
    """
    leaves = tree.flatten(steps)
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        head = _read_record(file, size, path)
        if head is None:
            return  # The process died while it began the log.
        description = json.loads(head)
        if description.get("format") != _FORMAT:
            raise ValueError(
                f"'{path}' is of format {description.get('format')}; this release reads "
                f"{_FORMAT}"
            )
        if description["columns"] != _describe(steps):
            raise ValueError(
                f"the columns of '{path}' are {description['columns']}; this replay's "
                f"are {_describe(steps)}"
            )
        while (record := _read_record(file, size, path)) is not None:
            yield _decode(record, leaves)


def _read_record(file: Any, size: int, path: pathlib.Path) -> bytes | None:
    """The next record; None at the end, and where the last one was cut short."""
    begin = file.tell()
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    length, length_checksum, checksum = _HEAD.unpack(head)
    known = zlib.crc32(length.to_bytes(8, "little")) == length_checksum
    if known and length > size - file.tell():
        return None
    record = file.read(length) if known else b""
    if not known or zlib.crc32(record) != checksum:
        raise _core.DamagedCheckpointError(
            f"'{path}' is damaged at byte {begin}: its checksum does not match"
        )
    return record


def _decode(record: bytes, leaves: Sequence[columns.Column]) -> Chunk:
    end = record.index(b"\n")
    line = json.loads(record[:end])
    if "rows" not in line:
        return Chunk(line["writer"], line["number"])
    at = end + 1
    num_rows = line["rows"]

    def take(dtype: Any, shape: tuple[int, ...]) -> np.ndarray:
        nonlocal at
        shape = (num_rows, *shape)
        count = int(np.prod(shape))
        array = np.frombuffer(record, dtype, count, offset=at).reshape(shape)
        at += array.nbytes
        return array

    first, last = take(np.bool_, ()), take(np.bool_, ())
    rows = [take(leaf.dtype, leaf.shape) for leaf in leaves]
    priorities = {table: take(np.float64, ()) for table in line["priorities"]}
    return Chunk(line["writer"], line["number"], first, last, rows, priorities)


def _encode(line: Mapping[str, Any]) -> bytes:
    return json.dumps(line).encode() + b"\n"


def _describe(steps: columns.Nest) -> list[list[Any]]:
    return [
        ["/".join(map(str, path)), str(np.dtype(leaf.dtype)), list(leaf.shape)]
        for path, leaf in tree.flatten_with_path(steps)
    ]
