"""Rows of figures as TensorBoard scalars."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.summary.writer import event_file_writer

from tfagents_core import core

_FLUSH_EVERY_S = 10


class TensorBoardLogger(core.Logger):
    """Writes the scalars of each row under the tags `kind/name`.

    The horizontal axis is `num_actor_steps`. Rows are queued and written by the event
    writer's own thread, at the latest after 10 s. Values that are no single number,
    such as a list of returns, are left out. Owns its event file until `close`; not
    thread-safe.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        """Begins a new event file in `directory`, which is made if needed.

        Raises:
            OSError: the file cannot be written.
        """
        self._writer = event_file_writer.EventFileWriter(
            os.fspath(directory), flush_secs=_FLUSH_EVERY_S
        )

    def write(self, kind: str, values: Mapping[str, Any]) -> None:
        """Writes one event with every scalar of `values`.

        Raises:
            KeyError: `values` has no `num_actor_steps`.
        """
        step = int(values["num_actor_steps"])
        scalars = [
            summary_pb2.Summary.Value(tag=f"{kind}/{name}", simple_value=float(value))
            for name, value in values.items()
            if name != "num_actor_steps" and _is_scalar(value)
        ]
        self._writer.add_event(
            event_pb2.Event(
                wall_time=time.time(),
                step=step,
                summary=summary_pb2.Summary(value=scalars),
            )
        )

    def close(self) -> None:
        """Writes out the queue and closes the file; closing twice is harmless."""
        self._writer.close()


def _is_scalar(value: Any) -> bool:
    """Whether `value` is one number, in Python's, NumPy's or TensorFlow's form."""
    if isinstance(value, (bool, int, float)):
        return True
    if not hasattr(value, "__array__"):
        return False
    array = np.asarray(value)
    return array.ndim == 0 and array.dtype.kind in "biuf"
