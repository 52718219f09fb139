"""Spaces as columns, and data sets of transitions as rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import tree

from tfagents_core.replay import columns


def to_nest(space: Any) -> columns.Nest:
    """Gymnasium's `Dict` and `Tuple` spaces, at any depth, as dicts and tuples."""
    children = getattr(space, "spaces", space)
    if isinstance(children, Mapping):
        return {name: to_nest(child) for name, child in children.items()}
    if isinstance(children, (tuple, list)):
        nests = [to_nest(child) for child in children]
        named = hasattr(children, "_fields")
        return type(children)(*nests) if named else type(children)(nests)
    return space


def blank_row(steps: Mapping[str, columns.Nest]) -> dict[str, columns.Nest]:
    """What an episode's first row has but for the observation: discount 1, else 0."""
    others = {name: nest for name, nest in steps.items() if name != "observation"}
    blank = tree.map_structure(lambda c: np.zeros(c.shape, c.dtype), others)
    return {**blank, "discount": np.float32(1)}


class Rows(NamedTuple):
    """Rows of one stream, in order.

    Attributes:
        rows: nest of arrays `[R, ...]`.
        first: whether a row begins an episode, bool `[R]`.
        last: whether it ends one, bool `[R]`.
    """

    rows: columns.Nest
    first: npt.NDArray[np.bool_]
    last: npt.NDArray[np.bool_]


def from_steps(
    steps: Mapping[str, columns.Nest],
    observation: columns.Nest,
    outcomes: Mapping[str, columns.Nest],
    done: npt.NDArray[np.bool_],
) -> Rows:
    """N consecutive steps of one environment as the rows of their episodes.

    An episode of n steps has n + 1 rows: the first has its first observation, the
    others what each step led to. Every observation is stored once.

    Args:
        steps: the replay's columns.
        observation: that each step starts from, nest of arrays `[N, ...]`.
        outcomes: the rows that the steps led to: of the structure of `steps`, arrays
            `[N, ...]`.
        done: whether the step ends its episode, bool `[N]`. An episode also ends where
            the next step starts elsewhere, and after the last.

    Raises:
        ValueError: naming a column, when an array does not fit it.
    """
    n = len(done)
    _check_arrays(
        {"observation": steps["observation"]}, {"observation": observation}, n
    )
    _check_arrays(steps, outcomes, n)
    last = done.copy()
    last[-1:] = True
    last[:-1] |= _breaks(observation, outcomes["observation"])
    starts = np.roll(last, 1)
    of_step = np.arange(n) + np.cumsum(starts)  # The row that each step led to.
    of_start = of_step[starts] - 1  # The row that its episode begins with.
    num_rows = n + len(of_start)

    def place(column: columns.Column, outcome: Any, start: Any) -> npt.NDArray[Any]:
        rows = np.empty((num_rows, *column.shape), column.dtype)
        rows[of_step] = outcome
        rows[of_start] = start
        return rows

    begin = {
        **blank_row(steps),
        "observation": tree.map_structure(lambda leaf: leaf[starts], observation),
    }
    rows = tree.map_structure(place, steps, outcomes, begin)
    first, ends = np.zeros(num_rows, bool), np.zeros(num_rows, bool)
    first[of_start], ends[of_step] = True, last
    return Rows(rows, first, ends)


def _check_arrays(steps: columns.Nest, arrays: columns.Nest, n: int) -> None:
    """Checks that `arrays` have the columns of `steps` and N rows."""
    leaves = columns.make_flatten(steps)(arrays)
    for (path, column), leaf in zip(tree.flatten_with_path(steps), leaves):
        fits = isinstance(leaf, np.ndarray) and leaf.dtype == column.dtype
        if not fits or leaf.shape != (n, *column.shape):
            given = [getattr(leaf, name, "") for name in ("dtype", "shape")]
            raise ValueError(
                f"column '{columns.path_name(path)}' must be an array "
                f"{column.dtype.name}{(n, *column.shape)}, got {type(leaf).__name__} "
                f"{given[0]}{given[1]}"
            )


def _breaks(
    observation: columns.Nest, next_observation: columns.Nest
) -> npt.NDArray[np.bool_]:
    """Whether step i + 1 starts elsewhere than step i led to, bool `[N - 1]`."""
    differ = [
        (_as_bytes(after[1:]) != _as_bytes(before[:-1])).any(axis=1)
        for after, before in zip(
            tree.flatten(observation), tree.flatten(next_observation)
        )
    ]
    breaks: npt.NDArray[np.bool_] = np.logical_or.reduce(differ)
    return breaks


def _as_bytes(array: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """As bytes `[N, D]`, of which those of NaN are equal to themselves."""
    rows = np.ascontiguousarray(array).reshape(len(array), math.prod(array.shape[1:]))
    return rows.view(np.uint8)
