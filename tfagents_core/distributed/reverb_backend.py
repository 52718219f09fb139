"""A dm-reverb server in the place of our replay; agents do not notice.

`make_server` makes a server with a table for each table of a plan, `ReverbClient`
appends an actor's rows and `ReverbSource` draws a learner's batches. Items and the data
of batches are those that our replay makes of the same rows (`item_rows`); selectors and
rate limiters are Reverb's own of the same names. What Reverb lacks is refused by name.

    server = make_server(plan.rows, tables)
    address = f"localhost:{server.port}"
    client = ReverbClient(address, plan.rows, tables, num_streams=K)
    source = ReverbSource(address, plan.rows, tables, plan.batch_sizes)

Reverb is imported only when one of these is made.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tree

from tfagents_core import core, replay, types
from tfagents_core.distributed import item_rows, reverb_server, supervision
from tfagents_core.distributed.client import CALL_S
from tfagents_core.distributed.reverb_server import make_server
from tfagents_core.replay import columns

__all__ = ["HighestPriorities", "ReverbClient", "ReverbSource", "make_server"]

_POLL_S = 0.005  # Between two looks at a table that gives no batch yet.


class HighestPriorities:
    """The highest priority of each table so far, at least 1: new items get it.

    Reverb does not keep it. Whoever shares this object between clients and the source,
    which one process can, has new items sampled as our replay would. Without, new items
    have priority 1. Thread-safe.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._highest: dict[str, float] = {}

    def get(self, table: str) -> float:
        """That of the table of this name."""
        with self._lock:
            return self._highest.get(table, 1.0)

    def see(self, table: str, priorities: np.ndarray) -> None:
        """Takes note of priorities `[B]` that were given to items of `table`."""
        with self._lock:
            highest = self._highest.get(table, 1.0)
            self._highest[table] = float(np.max(priorities, initial=highest))


class ReverbClient:
    """Appends the rows of K environments to a Reverb server.

    A `core.ReplayClient`. When `append` returns, the new items are in their tables.
    Not thread-safe: one actor owns it.

    Args:
        address: of the server, `"host:port"`.
        rows: nest of specs of a row.
        tables: those that the server was made with.
        num_streams: K.
        priorities: of new items; None: 1.
        timeout_s: longest wait for the tables' rate limiters, in seconds.
        stop: set when the run stops.

    Raises:
        ValueError: the server has other tables.
        ConnectionError: there is no server.
        ImportError: Reverb is not installed; it says how to.
    """

    def __init__(
        self,
        address: str,
        rows: types.NestedSpec,
        tables: Sequence[replay.Table],
        *,
        num_streams: int,
        priorities: HighestPriorities | None = None,
        timeout_s: float = 600.0,
        stop: threading.Event | None = None,
    ) -> None:
        self._server = reverb_server.Connection(address, tables)
        self._tables = [table.name for table in tables]
        self._columns = tree.flatten(columns.to_columns(rows))
        self._flatten = columns.make_flatten(rows)
        self._finder = item_rows.ItemFinder(tables, num_streams)
        self._num_rows = 0  # Of each stream.
        kept = max(item_rows.max_rows(table) for table in tables)
        self._writers = [
            self._server.client.trajectory_writer(num_keep_alive_refs=kept)
            for _ in range(num_streams)
        ]
        self._priorities = priorities or HighestPriorities()
        self._timeout_s = timeout_s
        self._stop = stop

    def append(
        self, rows: types.NestedArray, *, first: np.ndarray, last: np.ndarray
    ) -> None:
        """Appends one row `[K, ...]` to each stream.

        Raises:
            ValueError: the rows do not fit, or a row is outside of an episode; nothing
                was appended.
            StoppedError: the run stops.
            TimeoutError: the tables did not take the items in time; it says why. They
                are on their way, and the run cannot go on.
        """
        leaves = self._flatten(rows)
        self._check(leaves)
        items = self._finder.append(first, last)
        self._num_rows += 1
        marks = np.where(first, item_rows.FIRST_ROW, item_rows.ROW).astype(np.int8)
        for stream, writer in enumerate(self._writers):
            row = tuple(leaf[stream] for leaf in leaves)
            writer.append({"marks": marks[stream], "rows": row})
            made = [item for item in items if item.stream == stream]
            for item in made:
                self._create(writer, item)
            if made:
                self._flush(writer)

    def _check(self, leaves: Sequence[np.ndarray]) -> None:
        for column, leaf in zip(self._columns, leaves, strict=True):
            wanted = (len(self._writers), *column.shape)
            if leaf.shape != wanted or leaf.dtype != column.dtype:
                raise ValueError(
                    f"appended {leaf.dtype} {list(leaf.shape)} where the replay takes "
                    f"{column.dtype} {list(wanted)}"
                )

    def _create(self, writer: Any, item: item_rows.ItemRows) -> None:
        """Sends an item, which ends with the row that was appended last."""
        whole = slice(item.context - self._num_rows, None)
        own = slice(item.start - self._num_rows, None)
        history = writer.history
        writer.create_item(
            item.table,
            self._priorities.get(item.table),
            {
                "marks": history["marks"][whole],
                "own_marks": history["marks"][own],
                "rows": tuple(column[whole] for column in history["rows"]),
            },
        )

    def _flush(self, writer: Any) -> None:
        """Waits until the tables have all items of `writer`."""
        wait = supervision.Wait(
            f"The actor, adding to the Reverb server at {self._server.address},",
            timeout_s=self._timeout_s,
            stop=self._stop,
        )
        while True:
            try:
                writer.flush(timeout_ms=int(1000 * CALL_S))
            except self._server.reverb.errors.DeadlineExceededError:
                wait.check(self._server.why_not_insert(self._tables))
            else:
                return


class ReverbSource(core.BatchSource):
    """Draws batches from tables of a Reverb server when they are asked for.

    Nothing is drawn ahead, so that rate limiters count what was learned from. It must
    be the only one that samples its tables. Of `SampleInfo`, keys are Reverb's 64 bits
    read as int64, which may be negative; weights are 1; ages are -1, for Reverb does
    not know them.

    Args:
        address: of the server, `"host:port"`.
        rows: nest of specs of a row.
        tables: those that the server was made with.
        batch_sizes: items of a batch from each table, B.
        num_batches: batches drawn at once; more than 1 puts this axis in front.
        priorities: learns of every priority that is set; None: nobody asks.
        timeout_s: longest wait for a batch, in seconds; 0 does not wait.
        stop: set when the run stops.

    Raises:
        ValueError: the server has other tables.
        ConnectionError: there is no server.
        ImportError: Reverb is not installed; it says how to.
    """

    def __init__(
        self,
        address: str,
        rows: types.NestedSpec,
        tables: Sequence[replay.Table],
        batch_sizes: Mapping[str, int],
        *,
        num_batches: int = 1,
        priorities: HighestPriorities | None = None,
        timeout_s: float = 600.0,
        stop: threading.Event | None = None,
    ) -> None:
        self._server = reverb_server.Connection(address, tables)
        sampled = [table for table in tables if table.name in batch_sizes]
        self._batch_sizes = dict(batch_sizes)
        self._num_batches = num_batches
        self._batches = {
            table.name: item_rows.ItemBatches(rows, table, batch_sizes[table.name])
            for table in sampled
        }
        self._datasets = {
            table.name: self._make_dataset(table.name, rows) for table in sampled
        }
        self._priorities = priorities or HighestPriorities()
        self._timeout_s = timeout_s
        self._stop = stop

    def _make_dataset(self, name: str, rows: types.NestedSpec) -> Any:
        """A dataset of one draw, whose items are padded to the length of the longest."""
        import tensorflow as tf

        signature = reverb_server.signature(rows)
        num_items = self._num_items(name)
        dataset = self._server.reverb.TrajectoryDataset(
            self._server.address,
            name,
            dtypes=tree.map_structure(lambda spec: spec.dtype, signature),
            shapes=tree.map_structure(lambda spec: spec.shape, signature),
            max_in_flight_samples_per_worker=num_items,
            num_workers_per_iterator=1,
            rate_limiter_timeout_ms=int(1000 * CALL_S),
            max_samples=num_items,
        )
        options = tf.data.Options()
        options.autotune.enabled = False  # A draw ends before it has tuned anything.
        return dataset.padded_batch(num_items).with_options(options)

    def _num_items(self, name: str) -> int:
        return self._batch_sizes[name] * self._num_batches

    def is_ready(self) -> bool:
        """Whether every table would give its items now; the server is asked.

        Raises:
            ConnectionError: it does not answer.
        """
        return all(
            self._server.why_not_sample(name, self._num_items(name)) is None
            for name in self._batch_sizes
        )

    def next(self) -> Any:
        """Draws the next batch.

        Raises:
            StoppedError: the run stops.
            TimeoutError: a table gave none in time; the message says why.
            ConnectionError: the server does not answer.
        """
        for name in self._batch_sizes:
            self._await(name)
        samples = {name: self._draw(name) for name in self._batch_sizes}
        return samples if len(samples) > 1 else next(iter(samples.values()))

    def _await(self, name: str) -> None:
        wait = supervision.Wait(
            f"The learner, drawing from table {name!r},",
            timeout_s=self._timeout_s,
            stop=self._stop,
        )
        while reason := self._server.why_not_sample(name, self._num_items(name)):
            wait.check(reason)
            wait.pause(_POLL_S)

    def _draw(self, name: str) -> replay.Sample:
        drawn = self._server.bounded(lambda: next(iter(self._datasets[name]), None))
        num_items = 0 if drawn is None else len(drawn.info.key)
        if num_items < self._num_items(name):
            raise TimeoutError(
                f"table {name!r} gave {num_items} of {self._num_items(name)} items and "
                "then no more; is somebody else sampling it?"
            )
        drawn = tree.map_structure(lambda tensor: tensor.numpy(), drawn)
        parts = [
            self._sample(name, part) for part in _split(drawn, self._batch_sizes[name])
        ]
        if self._num_batches == 1:
            return parts[0]
        stacked: replay.Sample = tree.map_structure(lambda *a: np.stack(a), *parts)
        return stacked

    def _sample(self, name: str, drawn: Any) -> replay.Sample:
        data = self._batches[name].make(
            drawn.data["rows"],
            marks=drawn.data["marks"],
            own_marks=drawn.data["own_marks"],
        )
        info = replay.SampleInfo(
            key=drawn.info.key.view(np.int64),
            probability=drawn.info.probability,
            weight=np.ones_like(drawn.info.probability),
            priority=drawn.info.priority,
            times_sampled=drawn.info.times_sampled,
            age=np.full(drawn.info.key.shape, -1, np.int64),
        )
        return replay.Sample(info, data)

    def update_priorities(
        self, table: str, keys: np.ndarray, priorities: np.ndarray
    ) -> None:
        """Sets the priorities of items of `table`; items that have gone are skipped.

        Raises:
            ValueError: a priority is negative or not finite; then nothing is set.
            ConnectionError: the server does not answer.
        """
        keys, priorities = np.asarray(keys, np.int64), np.asarray(priorities)
        if not (np.isfinite(priorities).all() and (priorities >= 0).all()):
            raise ValueError(
                f"priorities of table {table!r} are {priorities}; each must be finite "
                "and not negative"
            )
        self._priorities.see(table, priorities)
        updates = dict(
            zip(keys.view(np.uint64).tolist(), priorities.tolist(), strict=True)
        )
        self._server.bounded(
            lambda: self._server.client.mutate_priorities(table, updates)
        )


def _split(drawn: Any, size: int) -> list[Any]:
    """The parts of `size` items each of a nest of arrays `[N, ...]`."""
    leaves = [np.split(leaf, len(leaf) // size) for leaf in tree.flatten(drawn)]
    return [tree.unflatten_as(drawn, part) for part in zip(*leaves, strict=True)]
