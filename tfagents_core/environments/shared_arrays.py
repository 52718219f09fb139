"""Arrays that two processes share."""

from __future__ import annotations

import math
import mmap
import os
import tempfile
from collections.abc import Sequence
from typing import Any, BinaryIO

import numpy as np

_ALIGNMENT = 64  # A cache line, so that no two arrays share one.


def make_file(num_bytes: int) -> BinaryIO:
    """A file in memory, or on disk, that has no name: it goes with its last user."""
    file: BinaryIO
    if hasattr(os, "memfd_create"):
        file = os.fdopen(os.memfd_create("tfagents-timesteps"), "r+b")
    else:
        file = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it.
    file.truncate(max(num_bytes, 1))
    return file


def num_bytes(specs: Sequence[Any]) -> int:
    """The size of a file for arrays of these specs (with shape and dtype)."""
    return sum(_padded_size(spec) for spec in specs)


def view(file: BinaryIO, specs: Sequence[Any]) -> list[np.ndarray]:
    """Arrays of these specs in a file that `make_file` made; they keep it mapped."""
    memory = mmap.mmap(file.fileno(), max(num_bytes(specs), 1))
    arrays, offset = [], 0
    for spec in specs:
        arrays.append(np.ndarray(spec.shape, spec.dtype, memory, offset))
        offset += _padded_size(spec)
    return arrays


def _padded_size(spec: Any) -> int:
    size: int = math.prod(spec.shape) * np.dtype(spec.dtype).itemsize
    return -(-size // _ALIGNMENT) * _ALIGNMENT
