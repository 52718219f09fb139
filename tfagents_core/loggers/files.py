"""Files that loggers append to."""

from __future__ import annotations

import os
import pathlib


class AppendedFile:
    """A file to append to, unbuffered: a crash of the process loses no written row.

    Owns the file until `close`; not thread-safe.
    """

    def __init__(self, path: pathlib.Path) -> None:
        """Opens the file at `path`; creates it and its directory if needed.

        Raises:
            OSError: the file cannot be written.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._file = path.open("ab", buffering=0)

    def write(self, data: bytes) -> None:
        """Appends `data`.

        Raises:
            OSError: the disk is full or fails; the error names the path, and part of
                the data may have been written.
        """
        rest = memoryview(data)
        try:
            while rest:  # An unbuffered file may write less than it was given.
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            reason = os.strerror(error.errno or 0)
            raise OSError(error.errno, reason, str(self._path)) from error

    def close(self) -> None:
        """Closes the file; closing twice is harmless."""
        self._file.close()
