"""The replay: streams of steps, and the tables over them."""

from __future__ import annotations

import os
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn, final

import numpy as np
import numpy.typing as npt
import tree

from tfagents_core.replay import _core, checkpoint, chunk_log, columns, tables, views

# Of the items that an append made, by table: int64 [N].
Keys = dict[str, npt.NDArray[np.int64]]


class _Tables(dict[str, tables.TableHandle]):
    """Handles by name; an unknown name says which there are."""

    def __missing__(self, name: str) -> NoReturn:
        raise KeyError(f"there is no table {name!r}; the tables are {list(self)}")


@final
class Replay:
    """Stores the steps of K streams once, and draws batches from tables over them.

    A stream is one environment's sequence of episodes. A row of it is a time step with
    the action that led to it: row e of an episode has the outcome of step e, and its
    first row only the observation (with zeros for action, reward and extras, and
    discount 1). Each table makes items, which are windows of rows, by its pattern. Rows
    are shared by all items of all tables and freed with the last item.

    Thread-safe: one lock guards streams and tables. It is held during a draw, but not
    while the drawn data is copied. Two threads should not append to one stream. Arrays
    of samples own their memory and may outlive the replay. Use it as a context manager
    to close it at the end.

    Args:
        steps: nest of the columns of a row: anything with `.shape` and `.dtype`
            (`Column`, dm_env specs, NumPy arrays).
        tables: at least one.
        num_streams: K >= 1.
        rows_per_append: most rows that one append may have, of `append` or
            `append_steps`. With it, every rate limiter is checked now for the appends
            that make the most items. None: appends have as many rows as they like; one
            row must fit now, and an append that makes more items than any before is
            checked when it comes.
        history: newest rows of each stream kept for `create_item`; a pattern that needs
            more keeps more.
        segment_rows: rows per block of memory, a power of two; 0 chooses about 256 KiB.
        max_bytes: bound on `bytes_allocated`: the steps of all tables, streams, and
            samples and saves in progress, in whole blocks of `segment_rows`. Everything
            else is not counted: about 100 bytes per item, and the arrays of samples.
            When an append finds no room, the items with the oldest steps are removed
            first, but none of a queue (`Table.queue`): the append waits until they are
            sampled, and raises MemoryError when they are too few for a batch. So every
            remover must be `Fifo`: others would remove most items before a block is
            free. Compressed rows count by their compressed size.
            Which items are removed does not depend on how fast rows are compressed,
            because an append that finds no room waits for that first, up to 10 s beyond
            its timeout. None: only the tables' own bounds.
        storage_directory: stores steps in a file on the disk of this directory instead
            of in RAM. The file has no name and disappears when the process ends; use
            `save` to keep it. Its disk space is allocated as it grows, so when the disk
            is full `append` raises OSError. None: RAM.
        seed: of the tables' draws, in [0, 2^64); the same calls after the same seed
            draw the same items on every machine.
        shard: of this replay among several that serve the same readers, in [0, 64). It
            is part of every key, so that a key of another shard is refused.
        epoch: of the keys that it gives out, in [0, 1024). `restore` takes the next one
            after this and the saved one. Only a service whose readers outlive its
            process needs it: if each life of the process begins with a higher one, no
            key means another item than it did in an earlier life.

    Raises:
        ValueError: when something does not fit, or a rate limiter would wait for ever.
        OSError: naming `storage_directory`, when no file can be created there.
        RuntimeError: when a column is to be compressed, and LZ4 was not there when the
            replay was built.
    """

    def __init__(
        self,
        steps: columns.Nest,
        tables: Sequence[tables.Table],
        *,
        num_streams: int = 1,
        rows_per_append: int | None = None,
        history: int = 1,
        segment_rows: int = 0,
        max_bytes: int | None = None,
        storage_directory: str | os.PathLike[str] | None = None,
        seed: int = 0,
        shard: int = 0,
        epoch: int = 0,
    ) -> None:
        if max_bytes is not None and max_bytes < 1:
            raise ValueError(f"max_bytes is {max_bytes}; it must be >= 1, or None")
        if rows_per_append is not None and rows_per_append < 1:
            raise ValueError(
                f"rows_per_append is {rows_per_append}; it must be >= 1, or None"
            )
        self._steps = columns.to_columns(steps)
        self._num_streams = num_streams
        self._max_bytes = max_bytes
        self._flatten = columns.make_flatten(self._steps)
        self._core = _make_core(
            self._steps,
            tables,
            num_streams=num_streams,
            rows_per_append=rows_per_append or 0,
            history=history,
            segment_rows=segment_rows,
            max_bytes=max_bytes or 0,
            storage_directory=_directory(storage_directory),
            seed=seed,
            shard=shard,
            epoch=epoch,
        )
        self._append_one = self._core.row_appender()
        self._tables = _make_handles(self._core, tables, self._steps)

    @property
    def steps(self) -> columns.Nest:
        """The nest of `Column`s of a row."""
        return self._steps

    @property
    def num_streams(self) -> int:
        """K, the number of streams."""
        return self._num_streams

    @property
    def max_bytes(self) -> int | None:
        """The bound on `bytes_allocated`; None when there is none."""
        return self._max_bytes

    @property
    def tables(self) -> Mapping[str, tables.TableHandle]:
        """The tables by name; an unknown name raises KeyError."""
        return types.MappingProxyType(self._tables)

    def append(
        self,
        rows: columns.Nest,
        first: bool | npt.ArrayLike = False,
        *,
        last: bool | npt.ArrayLike = False,
        streams: npt.ArrayLike | None = None,
        priorities: Mapping[str, npt.ArrayLike] | None = None,
        timeout: float | None = None,
        return_keys: bool = False,
    ) -> Keys | None:
        """Appends one row to each of K streams and makes the items that they complete.

        C-contiguous arrays of the declared dtype are read without a copy. Waits until
        every table may insert its new items. Either all rows are appended or none.

        Args:
            rows: nest of arrays `[K, *shape]`, of the structure of `steps`.
            first: whether the rows begin an episode, bool or bool `[K]`. If an episode
                is still open, it is abandoned: existing items keep its rows, no
                end-of-episode items are made, and unrolls go on with the new episode.
            last: whether the rows end their episode, bool or bool `[K]`.
            streams: which streams, different integers `[K]`; None: all, in order.
            priorities: by table, priority of the items that row k makes there, finite
                and >= 0, `[K]`. By default the highest priority seen so far.
            timeout: longest wait in seconds; None waits for ever, 0 not at all.
            return_keys: whether to return the keys of the new items.

        Returns:
            None, or with `return_keys` by table the keys of the items that were made,
            int64 `[N]`, in the order of insertion. Those of items that others of the
            same call removed from a full table are stale.

        Raises:
            ValueError: when structure, shape or dtype differ from `steps` (nothing is
                cast), a row is not `first` on a stream without an open episode, there
                are more rows than `rows_per_append`, or so many items at once and the
                batches of `check_batch_size` could wait for each other for ever.
            IndexError: when a stream does not exist.
            KeyError: when `priorities` names a table that does not exist.
            TimeoutError: when the wait was too long; it says what for.
            MemoryError: when there is no memory for more rows, or `max_bytes` is full
                with items of a queue that are too few for a batch.
            OSError: when the disk of `storage_directory` has no room for more rows.
            ClosedError: when the replay is closed, also while waiting.
        """
        given = None if priorities is None else self._by_table(priorities)
        leaves = self._flatten(rows)
        keys = self._core.append(
            leaves, first, last, streams, given, timeout, return_keys
        )
        return None if keys is None else dict(zip(self._tables, keys))

    def append_one(
        self,
        row: columns.Nest,
        first: bool = False,
        *,
        last: bool = False,
        stream: int = 0,
        priorities: Mapping[str, float] | None = None,
        timeout: float | None = None,
        return_keys: bool = False,
    ) -> Keys | None:
        """Appends one row without a leading axis to one stream.

        Args:
            row: nest of arrays `[*shape]`; scalar columns take Python and NumPy scalars
                too.
            first: whether the row begins an episode.
            last: whether it ends it.
            stream: which stream.
            priorities: by table, priority of the items that the row makes there.
            timeout: as in `append`.
            return_keys: as in `append`.

        Returns:
            As `append`.

        Raises:
            As `append`.
        """
        given = None
        if priorities is not None:
            given = self._by_table({name: [p] for name, p in priorities.items()})
        leaves = self._flatten(row)
        keys = self._append_one(
            leaves, first, last, stream, given, timeout, return_keys
        )
        return None if keys is None else dict(zip(self._tables, keys))

    def append_steps(
        self,
        rows: columns.Nest,
        first: bool | npt.ArrayLike = False,
        last: bool | npt.ArrayLike = False,
        *,
        stream: int = 0,
        priorities: Mapping[str, npt.ArrayLike] | None = None,
        timeout: float | None = None,
        return_keys: bool = False,
    ) -> Keys | None:
        """Appends a run: T consecutive rows of one stream.

        Makes the items of T calls of `append_one`, in the same order and with the same
        keys, in a fraction of the time: about 25 ns a small row, during which the
        replay is locked. Either all rows are appended or none: every
        rate limiter is asked for all the items at once, and all the rows must fit into
        `max_bytes` at once, where room for them is made before the first.

        Args:
            rows: nest of arrays `[T, *shape]`, of the structure of `steps`.
            first: whether row t begins an episode, bool `[T]`; a bool is of the run's
                first row. So a run may hold several episodes, and parts of some.
            last: whether row t ends its episode, bool `[T]`; a bool is of the run's
                last row.
            stream: which stream.
            priorities: by table, priority of the items that row t makes there, finite
                and >= 0, `[T]`. By default the highest priority seen so far.
            timeout: as in `append`.
            return_keys: as in `append`.

        Returns:
            As `append`.

        Raises:
            As `append`; also
            ValueError: when the run can never be appended at once, because it makes
                more items than a rate limiter lets through or needs more memory than
                `max_bytes` has for it. Then append shorter runs.
        """
        given = None if priorities is None else self._by_table(priorities)
        leaves = self._flatten(rows)
        keys = self._core.append_steps(
            leaves, first, last, stream, given, timeout, return_keys
        )
        return None if keys is None else dict(zip(self._tables, keys))

    def append_chunk(
        self,
        writer: str,
        number: int,
        rows: columns.Nest,
        first: bool | npt.ArrayLike = False,
        last: bool | npt.ArrayLike = False,
        *,
        priorities: Mapping[str, npt.ArrayLike] | None = None,
        timeout: float | None = None,
    ) -> bool:
        """Appends a run of T rows of a writer, at most once.

        For writers in other processes, which do not know whether an append that was cut
        off took place, and send it again. A writer numbers its chunks 0, 1, 2, ...; each
        number is taken once. The writer's first chunk gives it a stream, which it has
        to itself until `close_writer`; what others append to that stream is refused.
        `save` saves numbers and streams too, so after `restore` a writer goes on after
        `last_number(writer)`.

        Args:
            writer: its name, unique among all that ever write.
            number: of the chunk, from 0 on.
            rows: as in `append_steps`.
            first: as in `append_steps`.
            last: as in `append_steps`.
            priorities: as in `append_steps`.
            timeout: as in `append`.

        Returns:
            Whether it was appended now; False when it was before.

        Raises:
            As `append_steps`; also
            ValueError: when an earlier chunk of the writer is missing (it says which is
                next), it has no rows, or a new writer finds no free stream.
        """
        given = None if priorities is None else self._by_table(priorities)
        return self._core.append_chunk(
            writer, number, self._flatten(rows), first, last, given, timeout, True
        )

    def append_again(self, chunk: chunk_log.Chunk) -> bool:
        """Appends a chunk from a log, without asking any rate limiter.

        They let it in before; the samples that made room for it may not be known.

        Args:
            chunk: with rows.

        Returns:
            As `append_chunk`.

        Raises:
            As `append_chunk`.
        """
        assert chunk.rows is not None and chunk.first is not None
        assert chunk.last is not None
        given = self._by_table(chunk.priorities)
        return self._core.append_chunk(
            chunk.writer,
            chunk.number,
            list(chunk.rows),
            chunk.first,
            chunk.last,
            given,
            0.0,
            False,
        )

    def close_writer(self, writer: str, number: int) -> bool:
        """Ends a writer of chunks, whose stream another may have then.

        Its items stay; its open episode is abandoned. The replay remembers its last
        number for ever: should it write again, it goes on counting.

        Args:
            writer: its name.
            number: one more than that of its last chunk: it is closed at most once.

        Returns:
            Whether it was closed now; False when it was before.

        Raises:
            ValueError: when an earlier chunk is missing.
            ClosedError: when the replay is closed.
        """
        return self._core.close_writer(writer, number)

    def last_number(self, writer: str) -> int:
        """The last number of a writer that was taken; -1 when there is none."""
        return self._core.last_number(writer)

    @property
    def writers(self) -> dict[str, int]:
        """The last number of each writer of chunks, by name."""
        return self._core.writers()

    def _by_table(
        self, priorities: Mapping[str, npt.ArrayLike]
    ) -> list[npt.ArrayLike | None]:
        for name in priorities:
            self._tables[name]  # KeyError when there is no such table
        return [priorities.get(name) for name in self._tables]

    def create_item(
        self,
        table: str,
        length: int,
        *,
        stream: int = 0,
        end: int = -1,
        priority: float | None = None,
        timeout: float | None = None,
    ) -> int:
        """Makes an item of a stream's recent rows, where no pattern fits.

        Args:
            table: name of the table.
            length: rows, >= 1, all of one episode and within the stream's history.
            stream: which stream.
            end: last row of the item, counted from the stream's newest, -1.
            priority: finite and >= 0; None: the highest seen so far.
            timeout: as in `append`.

        Returns:
            The item's key.

        Raises:
            KeyError: when there is no such table.
            IndexError: when the rows are no longer in the stream's history, or not yet.
            ValueError: when they belong to two episodes, the table is one of unrolls of
                another length, or the priority is not valid.
            TimeoutError, ClosedError: as in `append`.
        """
        index = list(self._tables).index(self._tables[table].name)
        return self._core.create_item(
            index, stream, -1 - end, length, priority, timeout
        )

    def reset(self) -> None:
        """Removes all items, histories and open episodes, and sets all counts to zero.

        Keys returned before stay stale. Writers of chunks go on counting.
        """
        self._core.reset()

    def save(
        self,
        directory: checkpoint.Path,
        *,
        base: checkpoint.Path | None = None,
        when_copied: Callable[[], object] | None = None,
    ) -> None:
        """Writes everything, as it is at this moment, into a new directory.

        It saves steps, items, priorities, selectors, counts, random generators, open
        episodes and unrolls: a replay that restores them continues exactly as this one
        does. Other threads may use the replay meanwhile: the lock is held while
        everything but the rows is copied (about 40 bytes per item), but not while files
        are written.

        The directory appears once all of it is on the disk; until then it is named
        `<directory>.partial`. What a process that died left under such a name beside it
        is removed. Saves to the same name must not overlap.

        Files with rows and items that have not changed since this replay was last
        saved, or restored, are hard links to those of that checkpoint: a save writes
        what changed. Either checkpoint may be removed without harm to the other. Where
        there are no hard links, everything is written.

        Args:
            directory: must not exist; its parents are created. `latest_intact` finds
                the newest of several by the number in its name, such as
                `replay-000123`.
            base: the checkpoint that was saved or restored last, if it is not in the
                same parent directory, where it is found by itself. "" shares nothing.
            when_copied: called once, in this thread, when everything is copied or
                pinned: later changes by other threads are not in the checkpoint.
                Exceptions that it raises are printed and ignored.

        Raises:
            FileExistsError: when the file or directory exists already.
            OSError: with the path, when the disk is full or fails. Then there is
                nothing at `directory`, and earlier checkpoints are untouched.
            ClosedError: when the replay is closed.
        """
        checkpoint.save(self._core, directory, base=base, when_copied=when_copied)

    def restore(self, directory: checkpoint.Path, *, epoch: int | None = None) -> None:
        """Replaces everything by a saved replay, or raises and changes nothing.

        Steps and names of the tables must be the saved ones. All other options are this
        replay's own: rate limiters continue from the saved counts; items beyond
        `max_size` or `max_times_sampled` are removed; a sampler or remover of another
        kind takes the items in the order of their insertion; additional streams are
        empty.

        Items keep their keys. Keys of items that were not saved are stale afterwards:
        they never belong to another item.

        Args:
            directory: a directory written by `save`.
            epoch: of the keys of items to come, in [0, 1024); None: the next one after
                the saved one's and this replay's own.

        Raises:
            ValueError: naming both sides, when columns, tables, streams or segment_rows
                (if given) do not fit, the steps exceed max_bytes, a pattern or view
                needs more rows of the open episodes than were kept, or a table's
                outputs cannot show its saved items (unrolls, or unrolls of another
                length).
            FileNotFoundError: when there is no such directory.
            DamagedCheckpointError: when a file is missing, cut short or changed.
            OSError: when a file cannot be read.
            ClosedError: when the replay is closed.
        """
        checkpoint.restore(self._core, directory, epoch)

    def wait_until_compressed(self, timeout: float | None = None) -> None:
        """Waits until all full blocks are compressed, where columns ask for it.

        Only measurements need it: afterwards, `bytes_in_use` depends on the calls
        alone, if no other thread samples or saves.

        Args:
            timeout: longest wait in seconds; None waits for ever, 0 not at all.

        Raises:
            TimeoutError: when the wait was too long; it says how many blocks are left.
            ClosedError: when the replay is closed, also while waiting.
        """
        self._core.wait_until_compressed(timeout)

    def event(self) -> int:
        """A file descriptor for event loops; see `AsyncReplay`.

        It is readable from any change on until `clear_event`, also from the replay's
        closing on. It belongs to the replay.

        Raises:
            OSError: when there is no descriptor left.
            ClosedError: when the replay is closed.
        """
        return self._core.event()

    def clear_event(self) -> None:
        """Makes `event` unreadable until the next change."""
        self._core.clear_event()

    def close(self) -> None:
        """Makes all later calls, and those that are waiting, raise `ClosedError`."""
        self._core.close()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._core.closed

    @property
    def bytes_allocated(self) -> int:
        """Bytes of RAM or file allocated for steps, in use or free for reuse."""
        return self._core.bytes_allocated

    @property
    def bytes_in_use(self) -> int:
        """Bytes of RAM or file of steps that items, streams or samples refer to."""
        return self._core.bytes_in_use

    def projected_bytes(self, table: str) -> int:
        """Bytes of steps once a table is full, known before the first row.

        Assumes long episodes, a first-in first-out remover, and items at the pattern's
        stride (n-step: one row; sequences and unrolls: the period; episodes:
        max_length). Every short episode costs one row more; other removers may keep
        more rows alive. Columns that will be compressed count uncompressed.
        """
        index = list(self._tables).index(self._tables[table].name)
        return self._core.projected_bytes(index)

    def check_valid(self) -> None:
        """Checks every invariant, slowly; RuntimeError when one fails."""
        self._core.check_valid()

    def __enter__(self) -> Replay:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        held = f"{self.bytes_in_use / 2**20:.1f} MiB"
        return (
            f"Replay(tables={list(self._tables.values())}, "
            f"num_streams={self._num_streams}, {held} of steps)"
        )


def _make_core(
    steps: columns.Nest, table_configs: Sequence[tables.Table], **options: Any
) -> _core.Replay:
    core_columns = [
        _core.Column(
            columns.path_name(path),
            column.dtype.name,
            column.shape,
            column.compression or "",
        )
        for path, column in tree.flatten_with_path(steps)
    ]
    core_tables = []
    for table in table_configs:
        try:
            outputs = views.compile_outputs(table.outputs, steps)
        except ValueError as error:
            raise ValueError(f"table {table.name!r}: {error}") from error
        core_tables.append(table.compile(outputs))
    return _core.Replay(
        _core.ReplayOptions(columns=core_columns, tables=core_tables, **options)
    )


def _directory(path: str | os.PathLike[str] | None) -> str:
    """The absolute path; "" for none."""
    return "" if path is None else os.path.abspath(path)


def _make_handles(
    core: _core.Replay, table_configs: Sequence[tables.Table], steps: columns.Nest
) -> _Tables:
    return _Tables(
        (table.name, tables.TableHandle(core, index, table=table, steps=steps))
        for index, table in enumerate(table_configs)
    )
