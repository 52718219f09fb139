"""Metrics as TensorBoard scalars."""

from __future__ import annotations

import os
import pathlib
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.summary.writer import record_writer

from tfagents_core import core
from tfagents_core.loggers import files

_FILE_VERSION = "brain.Event:2"


class TensorBoardLogger(core.Logger):
    """Writes the scalars of each row under the tags `kind/name`.

    The horizontal axis is `num_actor_steps`. Values that are not scalars, such as a
    list of returns, are left out. Rows are written unbuffered. Owns its event file
    until `close`; not thread-safe.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        """Creates a new event file in `directory`, which is created if needed.

        Raises:
            OSError: the file cannot be written.
        """
        # TensorBoard reads the files of a directory in the order of their names.
        name = f"events.out.tfevents.{time.time():.6f}.{os.getpid()}"
        self._file = files.AppendedFile(pathlib.Path(directory) / name)
        self._records = record_writer.RecordWriter(self._file)
        self._write(event_pb2.Event(file_version=_FILE_VERSION))

    def write(self, kind: str, values: Mapping[str, Any]) -> None:
        """Writes one event with every scalar of `values`.

        Raises:
            KeyError: `values` has no `num_actor_steps`.
            OSError: the disk is full or fails; the error names the path.
        """
        step = int(values["num_actor_steps"])
        scalars = [
            summary_pb2.Summary.Value(tag=f"{kind}/{name}", simple_value=float(value))
            for name, value in values.items()
            if name != "num_actor_steps" and _is_scalar(value)
        ]
        summary = summary_pb2.Summary(value=scalars)
        self._write(event_pb2.Event(step=step, summary=summary))

    def close(self) -> None:
        """Closes the file; closing twice is harmless."""
        self._file.close()

    def _write(self, event: event_pb2.Event) -> None:
        event.wall_time = time.time()
        self._records.write(event.SerializeToString())


def _is_scalar(value: Any) -> bool:
    """Whether `value` is a scalar of Python, NumPy or TensorFlow."""
    if isinstance(value, (bool, int, float)):
        return True
    if not hasattr(value, "__array__"):
        return False
    array = np.asarray(value)
    return array.ndim == 0 and array.dtype.kind in "biuf"
