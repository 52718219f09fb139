"""Items in a replay that is not ours: which rows they have, what batches they become.

Another replay stores runs of rows and knows neither patterns nor views. Both stay ours:
a replay of row numbers says which rows make items while they are appended, and a replay
of nothing but the drawn rows turns them into batches. So items and batches are those
that our own replay would make of the same rows, whatever the pattern and the views.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import tree

from tfagents_core import replay, types
from tfagents_core.replay import columns, views

PADDING, ROW, FIRST_ROW = 0, 1, 2
"""What marks a row of an item: none, a row, or one that begins an episode."""


class ItemRows(NamedTuple):
    """The rows of an item, by their number in their stream, which begins at 0.

    Attributes:
        table: name of the table in which the item belongs.
        stream: whose rows they are.
        context: first row that its views need; stacks of frames reach back before the
            item.
        start: first row of the item.
        stop: row after its last, which is the row that was appended last.
    """

    table: str
    stream: int
    context: int
    start: int
    stop: int


def max_rows(table: replay.Table) -> int:
    """Most rows that an item of `table` has, with those before it that views need."""
    pattern = table.pattern
    if isinstance(pattern, replay.NStep):
        own = pattern.n + 1
    elif isinstance(pattern, replay.Episode):
        own = pattern.max_length
    else:
        assert isinstance(pattern, replay.Sequence)
        # Between the steps of an unroll are the rows that begin its episodes.
        own = 2 * (pattern.length - 1) if _is_unroll(table) else pattern.length
    return own + _reach(table)


def _reach(table: replay.Table) -> int:
    """Rows before an item's first that its views may look at."""
    leaves = tree.flatten(table.outputs)
    stacks = [getattr(view, "stack", None) or 1 for view in leaves]
    # Without the row before it, an item's first row would seem to begin an episode.
    return max(stacks) - 1 + any(isinstance(view, views.IsFirst) for view in leaves)


def _is_unroll(table: replay.Table) -> bool:
    pattern = table.pattern
    return isinstance(pattern, replay.Sequence) and pattern.end == "continue"


class ItemFinder:
    """Says which rows make items. Not thread-safe: one writer owns it.

    Args:
        tables: with patterns.
        num_streams: K.
    """

    def __init__(self, tables: Sequence[replay.Table], num_streams: int) -> None:
        self._streams = np.arange(num_streams)
        self._num_rows = 0  # Of each stream.
        number = replay.Column((), np.int64)
        self._numbers = replay.Replay(
            {"row": number, "stream": number},
            [_table_of_numbers(table, num_streams) for table in tables],
            num_streams=num_streams,
        )

    def append(
        self, first: npt.NDArray[np.bool_], last: npt.NDArray[np.bool_]
    ) -> list[ItemRows]:
        """Appends a row to each stream.

        Args:
            first: bool `[K]`, the row begins an episode.
            last: bool `[K]`, the row ends an episode.

        Returns:
            The items that these rows complete, by table in the order of insertion.

        Raises:
            ValueError: a row is outside of an episode, or an episode is longer than its
                pattern allows; then nothing is appended.
        """
        rows = np.full_like(self._streams, self._num_rows)
        keys = self._numbers.append(
            {"row": rows, "stream": self._streams},
            first=first,
            last=last,
            timeout=0,
            return_keys=True,
        )
        assert keys is not None
        self._num_rows += 1
        return [item for name in keys for item in self._items(name, keys[name])]

    def _items(self, name: str, keys: npt.NDArray[np.int64]) -> list[ItemRows]:
        data = self._numbers.tables[name].get(keys).data
        fields = (
            data["stream"],
            data["before"][:, 0],
            data["before"][:, -1],
            data["last"],
        )
        return [
            ItemRows(name, stream, context, start, last + 1)
            for stream, context, start, last in np.stack(fields, axis=1).tolist()
        ]


def _table_of_numbers(table: replay.Table, num_streams: int) -> replay.Table:
    """A table with the pattern of `table`, that has room for the items of one append."""
    assert table.pattern is not None
    stack = _reach(table) + 1
    if _is_unroll(table):
        assert isinstance(table.pattern, replay.Sequence)
        outputs: dict[str, views.View] = {
            "before": views.Step("row", 0, "before", stack),
            "last": views.Step("row", table.pattern.length - 2),
            "stream": views.Step("stream", 0),
        }
    else:
        outputs = {
            "before": views.Row("row", 0, stack),
            "last": views.Row("row", -1),
            "stream": views.Row("stream", 0),
        }
    return replay.Table(
        table.name,
        pattern=table.pattern,
        outputs=outputs,
        max_size=num_streams * table.pattern.max_items_per_row,
        rate_limiter=replay.MinSize(1),
    )


class ItemBatches:
    """Makes a table's outputs of the rows of its items. Not thread-safe.

    Args:
        rows: nest of specs of a row.
        table: with the outputs.
        max_items: most items of one call.
    """

    def __init__(
        self, rows: types.NestedSpec, table: replay.Table, max_items: int
    ) -> None:
        self._name = table.name
        self._is_unroll = _is_unroll(table)
        self._unflatten = columns.make_unflatten(columns.to_columns(rows))
        pattern, size = None, max_items
        if self._is_unroll:
            # Only a pattern makes unrolls: the one that ends with each step.
            assert isinstance(table.pattern, replay.Sequence)
            pattern = dataclasses.replace(table.pattern, period=1)
            size = max_items * max_rows(table)
        scratch = replay.Table(
            table.name,
            pattern=pattern,
            outputs=table.outputs,
            max_size=size,
            rate_limiter=replay.MinSize(1),
            time_major=table.time_major,
        )
        self._buffer = replay.Replay(rows, [scratch], history=max_rows(table))

    def make(
        self,
        leaves: Sequence[npt.NDArray[Any]],
        *,
        marks: npt.NDArray[np.int8],
        own_marks: npt.NDArray[np.int8],
    ) -> Any:
        """The outputs of N items.

        Args:
            leaves: the columns of their rows, from `ItemRows.context` on and padded,
                `[N, L, ...]`.
            marks: of these rows, `[N, L]`: `PADDING`, `ROW` or `FIRST_ROW`.
            own_marks: of the rows from `ItemRows.start` on, `[N, M]`.
        """
        num_rows = np.count_nonzero(marks, axis=1).tolist()
        num_own = np.count_nonzero(own_marks, axis=1).tolist()
        first = marks == FIRST_ROW
        first[:, 0] = True
        keys = [
            self._add(
                self._unflatten([leaf[i, : num_rows[i]] for leaf in leaves]),
                first[i, : num_rows[i]],
                num_own[i],
            )
            for i in range(len(marks))
        ]
        return self._buffer.tables[self._name].get(keys).data

    def _add(
        self, rows: types.NestedArray, first: npt.NDArray[np.bool_], num_own: int
    ) -> int:
        """Makes the item of the last `num_own` rows; returns its key."""
        made = self._buffer.append_steps(rows, first, return_keys=self._is_unroll)
        if made is not None:
            return int(made[self._name][-1])
        return self._buffer.create_item(self._name, num_own)
