"""A replay that stores runs of rows has the items and batches of our own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tree

from tfagents_core import replay
from tfagents_core.distributed import item_rows

from . import foreign

K = 3


def _stored(table: replay.Table, num_ticks: int) -> tuple[list[Any], replay.Replay]:
    """What another replay stores of each item, and our own of the same rows."""
    finder = item_rows.ItemFinder([table], K)
    own = replay.Replay(foreign.STEPS, [table], num_streams=K)
    history: list[list[np.ndarray]] = []
    marks: list[np.ndarray] = []
    stored = []
    for rows, first, last in foreign.ticks(num_ticks, K):
        own.append(rows, first=first, last=last)
        history.append(tree.flatten(rows))
        marks.append(np.where(first, item_rows.FIRST_ROW, item_rows.ROW))
        for item in finder.append(first, last):
            assert item.stop - item.context <= item_rows.max_rows(table)
            kept = range(item.context, item.stop)
            stored.append(
                (
                    [
                        [row[item.stream] for row in c]
                        for c in zip(*(history[i] for i in kept))
                    ],
                    [marks[i][item.stream] for i in kept],
                    [marks[i][item.stream] for i in range(item.start, item.stop)],
                )
            )
    return stored, own


def _padded(values: list[list[Any]]) -> np.ndarray:
    blank = np.zeros_like(values[0][0])
    longest = max(map(len, values))
    return np.stack([np.stack([*v, *[blank] * (longest - len(v))]) for v in values])


@pytest.mark.parametrize("changes", foreign.TABLES)
def test_items_and_batches_are_those_of_our_replay_in_the_same_order(
    changes: dict[str, Any],
) -> None:
    table = foreign.make_table(**changes)
    stored, own = _stored(table, 100)
    handle = own.tables["t"]
    assert len(stored) == handle.size > 20
    batches = item_rows.ItemBatches(foreign.STEPS, table, 16)
    for start in range(0, len(stored), 16):
        rows, marks, own_marks = zip(*stored[start : start + 16])
        made = batches.make(
            [_padded(list(column)) for column in zip(*rows)],
            marks=_padded(list(marks)),
            own_marks=_padded(list(own_marks)),
        )
        expected = handle.get(handle.keys()[start : start + 16]).data
        tree.map_structure(np.testing.assert_array_equal, made, expected)
