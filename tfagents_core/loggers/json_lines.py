"""Metrics as JSON, one object per line."""

from __future__ import annotations

import json
import math
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfagents_core import core
from tfagents_core.loggers import files


class JsonLinesLogger(core.Logger):
    """Appends each row to a file as one JSON object per line, unbuffered.

    Every line is valid JSON: NumPy values and eager tensors become numbers and lists,
    and NaN and the infinities, which JSON cannot express, become `null`. An incomplete
    last line, which a killed process leaves, is removed when the file is opened again.
    Owns the file until `close`; not thread-safe.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Opens the file at `path` for appending; creates its directory if needed.

        Raises:
            OSError: the file cannot be written.
        """
        path = pathlib.Path(path)
        _cut_torn_line(path)
        self._file = files.AppendedFile(path)

    def write(self, kind: str, values: Mapping[str, Any]) -> None:
        """Writes `{"kind": kind, **values}` as one line.

        Raises:
            TypeError: a value cannot be expressed in JSON; nothing was written.
            OSError: the disk is full or fails; the error names the path.
        """
        row = {"kind": kind} | {
            name: _jsonable(value, name) for name, value in values.items()
        }
        # One write for the whole line, so that a reader sees at most one torn line.
        self._file.write(json.dumps(row, allow_nan=False).encode() + b"\n")

    def close(self) -> None:
        """Closes the file; closing twice is harmless."""
        self._file.close()


def _cut_torn_line(path: pathlib.Path) -> None:
    """Truncates the file to the end of its last whole line."""
    if not path.exists():
        return
    with path.open("rb+") as file:
        content = file.read()
        file.truncate(content.rfind(b"\n") + 1)


def _jsonable(value: Any, name: str) -> Any:
    """`value` as types that JSON has; `name` is for the error message."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Mapping):
        return {str(key): _jsonable(item, name) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [_jsonable(item, name) for item in value]
    if isinstance(value, (np.ndarray, np.generic)) or hasattr(value, "__array__"):
        return _jsonable(_plain(np.asarray(value), name), name)
    raise _no_form_in_json(value, name)


def _plain(array: np.ndarray, name: str) -> Any:
    """`array` as Python scalars or nested lists of them."""
    if array.dtype.kind not in "biufU":
        raise _no_form_in_json(array, name)
    return array.tolist()


def _no_form_in_json(value: Any, name: str) -> TypeError:
    kind = type(value).__name__
    return TypeError(
        f"cannot log {name!r}: a {kind} is no number, text, list or mapping of them"
    )
