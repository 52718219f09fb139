"""Floors in C++: the least time that the replay's work can take on this machine."""

from __future__ import annotations

import ctypes
import functools
import os
import pathlib
import subprocess
import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

_SOURCE = pathlib.Path(__file__).parent.parent / "cc/benchmarks/floor.cc"
_LINE_BYTES = 64
# More than any cache holds, and little enough to be shuffled in seconds.
_MAX_CHASE_BYTES = 1 << 30
# Calls prepared in advance: with 256 places each, more than caches hold.
_NUM_CALLS = 1024

Indices = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]


@functools.cache
def _library() -> ctypes.CDLL:
    """Compiles the source with the replay's compiler options, and loads it."""
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory) / "floor.so"
        compiler = os.environ.get("CXX", "c++")
        options = ["-std=c++17", "-O3", "-DNDEBUG", "-shared", "-fPIC"]
        subprocess.run([compiler, *options, str(_SOURCE), "-o", str(path)], check=True)
        return ctypes.CDLL(str(path))


def _bind(name: str, *arguments: Any) -> Callable[[], object]:
    """A call of the library's function `name`, which keeps its arrays alive."""

    def convert(argument: Any) -> Any:
        if isinstance(argument, np.ndarray):
            return ctypes.c_void_p(argument.ctypes.data)
        return ctypes.c_int64(argument)

    call = functools.partial(
        getattr(_library(), name), *(convert(argument) for argument in arguments)
    )

    def run() -> object:
        return call(), arguments

    return run


def memcpy(num_bytes: int) -> Callable[[], object]:
    """Copies `num_bytes` from one array to another; all pages are mapped already."""
    source, out = np.ones(num_bytes, np.uint8), np.ones(num_bytes, np.uint8)
    return functools.partial(np.copyto, out, source)


def copy_pieces(
    num_pieces: int, piece_bytes: int, footprint_bytes: int
) -> Callable[[], object]:
    """Copies pieces from random places of a footprint into one array.

    This is the least that gathering a batch takes. Every call has new places, so that
    caches do not help more than they would in training.
    """
    footprint = max(footprint_bytes, piece_bytes)
    source = np.ones(footprint, np.uint8)
    out = np.ones((num_pieces, piece_bytes), np.uint8)
    rng = np.random.default_rng(0)
    calls = [
        _bind(
            "CopyPieces",
            source,
            piece_bytes,
            rng.integers(footprint - piece_bytes + 1, size=num_pieces),
            num_pieces,
            out,
        )
        for _ in range(_NUM_CALLS)
    ]
    return _in_turn(calls)


def append_rows(row_bytes: int, *, num_rows: int) -> Callable[[], object]:
    """Copies one row `num_rows` times to consecutive places, one by one."""
    source, out = np.ones(row_bytes, np.uint8), np.ones(row_bytes * num_rows, np.uint8)
    return _bind(
        "CopyPieces", source, row_bytes, np.zeros(num_rows, np.int64), num_rows, out
    )


def chase(num_lines: int, footprint_bytes: int) -> Callable[[], object]:
    """Reads random 64-byte lines of a footprint, each of which names the next."""
    num_in_all = max(2, min(footprint_bytes, _MAX_CHASE_BYTES) // _LINE_BYTES)
    order = np.random.default_rng(0).permutation(num_in_all)
    lines = np.zeros((num_in_all, _LINE_BYTES // 8), np.int64)
    lines[order, 0] = np.roll(order, -1)
    starts = order[:: max(1, num_in_all // _NUM_CALLS)]
    calls = [_bind("Chase", lines, int(start), num_lines) for start in starts]
    return _in_turn(calls)


class PlainTree:
    """A binary sum tree in double precision, as in most prioritized replays.

    Args:
        weights: weights of the leaves, float64 `[N]`.
    """

    def __init__(self, weights: Doubles) -> None:
        self._num_leaves = 1 << max(0, len(weights) - 1).bit_length()
        self._tree = np.zeros(2 * self._num_leaves)
        self._tree[self._num_leaves :][: len(weights)] = weights
        first = self._num_leaves // 2
        while first >= 1:
            children = self._tree[2 * first : 4 * first].reshape(first, 2)
            self._tree[first : 2 * first] = children.sum(axis=1)
            first //= 2

    @property
    def total(self) -> float:
        """The sum of all weights."""
        return float(self._tree[1])

    def draw(self, targets: Doubles) -> tuple[Indices, Doubles, Callable[[], object]]:
        """Leaves and probabilities of targets in [0, total), and what sets them."""
        leaves, probabilities = np.zeros(len(targets), np.int64), np.zeros(len(targets))
        arguments = (targets, len(targets), leaves, probabilities)
        call = _bind("PlainTreeDraw", self._tree, self._num_leaves, *arguments)
        return leaves, probabilities, call

    def update(self, leaves: Indices, weights: Doubles) -> Callable[[], object]:
        """Returns a call that sets the weights of `leaves`."""
        arguments = (leaves, weights, len(leaves))
        return _bind("PlainTreeUpdate", self._tree, self._num_leaves, *arguments)

    def draws(self, num_draws: int) -> Callable[[], object]:
        """Returns a call that draws `num_draws` leaves with new targets each time."""
        rng = np.random.default_rng(0)
        targets = [rng.uniform(0, self.total, num_draws) for _ in range(_NUM_CALLS)]
        return _in_turn([self.draw(target)[2] for target in targets])

    def updates(self, num_updates: int, num_items: int) -> Callable[[], object]:
        """Returns a call that sets `num_updates` weights of new leaves each time."""
        rng = np.random.default_rng(0)
        calls = [
            self.update(
                rng.integers(num_items, size=num_updates),
                rng.uniform(0.1, 2.0, num_updates),
            )
            for _ in range(_NUM_CALLS)
        ]
        return _in_turn(calls)


def _in_turn(calls: list[Callable[[], object]]) -> Callable[[], object]:
    """Returns a call that makes the calls in turn, over and over."""
    position = 0

    def run() -> object:
        nonlocal position
        position = (position + 1) % len(calls)
        return calls[position]()

    return run
