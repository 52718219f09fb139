"""Rows of figures as JSON, one object a line."""

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
    """Appends one JSON object a line to a file, with no buffer in between.

    Every line is valid JSON: NumPy values and eager tensors become numbers and lists,
    and what JSON has no word for (NaN and the infinities) becomes `null`. A torn last
    line, which a killed process leaves, is cut off when the file is opened again.
    Owns the file until `close`; not thread-safe.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Opens the file at `path` for appending, making its directory if needed.

        Raises:
            OSError: the file cannot be written.
        """
        path = pathlib.Path(path)
        _cut_torn_line(path)
        self._file = files.AppendedFile(path)

    def write(self, kind: str, values: Mapping[str, Any]) -> None:
        """Writes `{"kind": kind, **values}` as one line.

        Raises:
            TypeError: a value has no form in JSON; nothing was written.
            OSError: with the path, when the disk is full or fails.
        """
        row = {"kind": kind} | {
            name: _jsonable(value, name) for name, value in values.items()
        }
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
    """`value` in terms that JSON knows; `name` is for the error alone."""
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
    """The numbers of `array` as Python's own, nested as its axes are."""
    if array.dtype.kind not in "biufU":
        raise _no_form_in_json(array, name)
    return array.tolist()


def _no_form_in_json(value: Any, name: str) -> TypeError:
    kind = type(value).__name__
    return TypeError(
        f"cannot log {name!r}: a {kind} is no number, text, list or mapping of them"
    )
