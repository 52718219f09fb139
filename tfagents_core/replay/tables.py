"""Tables: their configuration, and the handle through which they are used."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import tree

from tfagents_core.replay import (
    _core,
    columns,
    outputs,
    patterns,
    rate_limiters,
    selectors,
    views,
)


@dataclasses.dataclass(frozen=True)
class Table:
    """Configuration of a table: its items, its sampling and its bounds.

    Attributes:
        name: of the table, unique within its replay.
        pattern: which items are made as rows are appended; None: only those of
            `Replay.create_item`.
        outputs: nest of views, one per array of a sample.
        max_size: most items; beyond it, `remover` chooses an item to remove.
        rate_limiter: when sampling and inserting must wait.
        sampler: chooses the items of a sample.
        remover: chooses the item to remove from a full table.
        max_times_sampled: times after which a sampled item is removed; 0: no bound.
        insert_on_sample: name of another table. When an item is sampled for the first
            time, an item of the same steps (which are not copied) and priority is
            inserted there. That table's rate limiter must never stop inserts.
        time_major: whether arrays with a time axis, those of `views.Rows`,
            `views.Mask`, `views.Steps` and `views.IsFirst`, are `[T, B, ...]` instead
            of `[B, T, ...]`.

    Raises:
        ValueError: when the outputs are `replay.sequence(steps, T)`, and the pattern is
            `Sequence` with a length of at most T.
    """

    name: str
    _: dataclasses.KW_ONLY
    pattern: patterns.Pattern | None
    outputs: columns.Nest
    max_size: int
    rate_limiter: rate_limiters.RateLimiter
    sampler: selectors.Selector = dataclasses.field(default_factory=selectors.Uniform)
    remover: selectors.Selector = dataclasses.field(default_factory=selectors.Fifo)
    max_times_sampled: int = 0
    insert_on_sample: str | None = None
    time_major: bool = False

    def __post_init__(self) -> None:
        try:
            outputs.check_pattern(self.outputs, self.pattern)
        except ValueError as error:
            raise ValueError(f"table {self.name!r}: {error}") from error

    @classmethod
    def queue(
        cls,
        name: str,
        *,
        pattern: patterns.Pattern | None,
        outputs: columns.Nest,
        max_size: int,
    ) -> Table:
        """A table whose items are sampled once each, first in, first out.

        Inserting waits while `max_size` items have not been sampled.
        """
        return cls(
            name,
            pattern=pattern,
            outputs=outputs,
            max_size=max_size,
            rate_limiter=rate_limiters.Queue(max_size),
            sampler=selectors.Fifo(),
            remover=selectors.Fifo(),
            max_times_sampled=1,
        )

    def compile(self, compiled_outputs: columns.Nest) -> _core.TableOptions:
        """The core's options, given the outputs as `views.compile_outputs` makes them."""
        flat_views = tree.flatten(compiled_outputs)
        for view in flat_views:
            view.time_major = self.time_major
        return _core.TableOptions(
            name=self.name,
            sampler=self.sampler.compile(),
            remover=self.remover.compile(),
            max_size=self.max_size,
            max_times_sampled=self.max_times_sampled,
            rate_limiter=self.rate_limiter.compile(),
            pattern=patterns.compile_pattern(self.pattern),
            insert_on_sample=self.insert_on_sample or "",
            views=flat_views,
        )


class SampleInfo(NamedTuple):
    """Information on the B items of a sample.

    Of a sample of N batches, all are `[N, B]`.

    Attributes:
        key: identifies the item in `update_priorities` and `delete`, int64 `[B]`.
        probability: with which the item was drawn, float64 `[B]`.
        weight: `(N P_i)^-beta / max_j (N P_j)^-beta`, the maximum over the batch or
            over the table, float64 `[B]`.
        priority: before the exponent, float64 `[B]`.
        times_sampled: how often the item was sampled, this time included, int32 `[B]`.
        age: items inserted after this one, int64 `[B]`.
    """

    key: npt.NDArray[np.int64]
    probability: npt.NDArray[np.float64]
    weight: npt.NDArray[np.float64]
    priority: npt.NDArray[np.float64]
    times_sampled: npt.NDArray[np.int32]
    age: npt.NDArray[np.int64]

    @classmethod
    def columns(cls) -> SampleInfo:
        """Dtypes of the arrays, as `replay.Column`s without the axis B."""
        dtypes = (np.int64, np.float64, np.float64, np.float64, np.int32, np.int64)
        return cls(*(columns.Column((), dtype) for dtype in dtypes))  # type: ignore[arg-type]


class Sample(NamedTuple):
    """A batch: `info` about its items, and their `data`, the nest of outputs.

    The arrays are 64-byte aligned. Their memory is reused only when no array is
    referenced any more, also by a view or a tensor that aliases it.
    """

    info: SampleInfo
    data: Any


_make_info = columns.make_tuple(SampleInfo)
_make_sample = columns.make_tuple(Sample)


@dataclasses.dataclass(frozen=True)
class TableStats:
    """Counts of a table since it was created or reset.

    Attributes:
        name: the table's name.
        size: items in the table.
        max_size: most items that it may hold.
        num_inserted: items ever inserted.
        num_sampled: items ever sampled.
        num_deleted: items ever removed, for whatever reason.
        num_stale_updates: keys of priority updates and overwrites whose items were
            already removed.
        max_priority: highest priority ever given, at least 1; new items get it.
        total_weight: sum of the weights that draws go by: of `p^alpha` under
            `Prioritized`, and the size under other samplers, where each item weighs 1.
        least_weight: the least of them: under `Prioritized` the least `p^alpha` of the
            items that can be drawn, which is known once `sample` was called with
            `normalize="table"`, because the tree of minima exists from then on. None
            where it is not known, and in an empty table.
    """

    name: str
    size: int
    max_size: int
    num_inserted: int
    num_sampled: int
    num_deleted: int
    num_stale_updates: int
    max_priority: float
    total_weight: float
    least_weight: float | None

    @property
    def samples_per_insert(self) -> float:
        """Items sampled per item inserted so far; 0.0 before the first."""
        return self.num_sampled / self.num_inserted if self.num_inserted else 0.0


def _check_num_batches(num_batches: int | None) -> int:
    """As the core takes it, which has 0 for none."""
    if num_batches is not None and num_batches < 1:
        raise ValueError(f"num_batches is {num_batches}; it must be >= 1, or None")
    return num_batches or 0


class TableHandle:
    """One table of a replay: samples it and updates its priorities.

    Created by `Replay`, which it keeps alive. Thread-safe. After `Replay.close` every
    method raises `ClosedError`; a method that is waiting raises it at once.
    """

    def __init__(self, core: _core.Replay, index: int, *, table: Table, steps: Any):
        self._core = core
        self._index = index
        self._table = table
        structure = views.compile_outputs(table.outputs, steps)
        self._numbers = views.number_columns(steps)
        self._flatten = columns.make_flatten(structure)
        self._unflatten = columns.make_unflatten(structure)

    @property
    def name(self) -> str:
        """The table's name."""
        return self._table.name

    @property
    def config(self) -> Table:
        """The table's configuration."""
        return self._table

    @property
    def size(self) -> int:
        """Items in the table."""
        return self._core.stats(self._index).size

    def sample(
        self,
        batch_size: int,
        *,
        num_batches: int | None = None,
        beta: float = 0.0,
        normalize: Literal["batch", "table"] = "batch",
        timeout: float | None = None,
        out: Sample | None = None,
    ) -> Sample:
        """Draws a batch of items, or several batches, and gathers their data.

        Either all items are drawn or none. `num_batches=N` draws the items of
        `sample(N * batch_size)`, in the same order, as N batches of their own.

        Waits until the rate limiter permits it; Ctrl-C interrupts the wait. The data is
        copied without the replay's lock and, from 128 KiB on, without the GIL.

        Args:
            batch_size: B >= 1.
            num_batches: N >= 1 batches, as a new first axis; None: one, without it.
            beta: exponent of the importance weights, >= 0; 0 gives weights of 1.
            normalize: divides the weights by the largest of each "batch", or by the
                largest that any item of the "table" would have (1 is then rare, and a
                weight does not depend on what else was drawn). The first "table" with a
                prioritized sampler makes a tree of minima, which then is kept up.
            timeout: longest wait in seconds; None waits for ever, 0 not at all.
            out: arrays to write into, of the shapes and dtypes of a sample: an earlier
                sample, or the caller's own writable C-contiguous arrays.

        Returns:
            A `Sample` whose data has the table's outputs as `[B, ...]`, or with
            `num_batches` as `[N, B, ...]`. Arrays with a time axis are `[T, B, ...]`,
            or `[N, T, B, ...]`, in a `time_major` table. `out` when it was given.

        Raises:
            TimeoutError: when the wait was too long; it says what for.
            ValueError: when such a batch can never be drawn (with the numbers), or an
                argument or an array of `out` does not fit.
            ClosedError: when the replay is closed, also while waiting.
        """
        if normalize not in ("batch", "table"):
            raise ValueError(
                f"normalize is {normalize!r}; it must be 'batch' or 'table'"
            )
        by_table = normalize == "table"
        batches = _check_num_batches(num_batches)
        if out is not None:
            arrays = (tuple(out.info), self._flatten(out.data))
            self._core.sample(
                self._index, batch_size, beta, by_table, timeout, arrays, batches
            )
            return out
        info, data = self._core.sample(
            self._index, batch_size, beta, by_table, timeout, None, batches
        )
        return _make_sample((_make_info(info), self._unflatten(data)))

    def get(
        self, keys: npt.ArrayLike, *, missing: Literal["error", "skip"] = "error"
    ) -> Sample:
        """Gathers the data of items by key, without drawing them.

        Counts as no sample: no rate limiter is asked, and `times_sampled` stays.

        Args:
            keys: of samples or appends of this table, integers `[N]`.
            missing: of items that have left the table, "error" raises a KeyError, and
                "skip" leaves them out: `info.key` says which are there.

        Returns:
            A `Sample` of the items, in the order of their keys. Probabilities are those
            of a draw now, weights are 1. `get(table.keys())` is the whole table.

        Raises:
            KeyError: when an item has left the table, and `missing` is "error".
            ValueError: when a key was never given out.
            ClosedError: when the replay is closed.
        """
        if missing not in ("error", "skip"):
            raise ValueError(f"missing is {missing!r}; it must be 'error' or 'skip'")
        info, data = self._core.get(self._index, keys, missing == "skip")
        return _make_sample((_make_info(info), self._unflatten(data)))

    def keys(self) -> npt.NDArray[np.int64]:
        """Keys of all items, in the order of their insertion, int64 `[size]`."""
        return self._core.keys(self._index)

    def iterate(self, batch_size: int) -> Iterator[Sample]:
        """Gathers all items once, in the order of their insertion, by batches.

        The items are those of the first step. Who leaves the table meanwhile is left
        out, so that a batch may have fewer than `batch_size` items, as the last may.

        Args:
            batch_size: most items of a batch, >= 1.

        Raises:
            ValueError: when `batch_size` is less than 1.
            ClosedError: when the replay is closed, also meanwhile.
        """
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}; it must be >= 1")
        return self._iterate(batch_size)

    def _iterate(self, batch_size: int) -> Iterator[Sample]:
        keys = self.keys()
        for start in range(0, len(keys), batch_size):
            batch = self.get(keys[start : start + batch_size], missing="skip")
            if len(batch.info.key):
                yield batch

    def set_alpha(self, alpha: float) -> None:
        """Gives a `Prioritized` sampler another exponent.

        All weights are computed anew, O(size). A checkpoint does not hold it: after
        `Replay.restore` the exponent is the one that was set last.

        Args:
            alpha: finite and >= 0.

        Raises:
            ValueError: when it is not, or the sampler is another.
        """
        self._core.set_alpha(self._index, alpha)
        sampler: Any = self._table.sampler
        changed = dataclasses.replace(sampler, alpha=alpha)
        self._table = dataclasses.replace(self._table, sampler=changed)

    def set_rate_limiter(self, rate_limiter: rate_limiters.RateLimiter) -> None:
        """Gives the table another rate limiter.

        It goes on from the counts so far, and whoever waits looks again. A checkpoint
        does not hold it: after `Replay.restore` the limiter is the one set last.

        Args:
            rate_limiter: checked as when the replay is made, and for the largest batch
                and append so far.

        Raises:
            ValueError: with the numbers, when sampler and inserter could wait for each
                other for ever, or it does not fit `max_size`, `max_bytes` or a table
                that copies items into this one; then the limiter stays.
        """
        self._core.set_rate_limiter(self._index, rate_limiter.compile())
        self._table = dataclasses.replace(self._table, rate_limiter=rate_limiter)

    def update_priorities(self, keys: npt.ArrayLike, priorities: npt.ArrayLike) -> int:
        """Sets priorities by key; of equal keys the last counts.

        Args:
            keys: of samples of this table, integers `[N]`.
            priorities: finite and >= 0, `[N]`.

        Returns:
            How many keys belonged to an item that still exists. The others are skipped
            and counted in `TableStats.num_stale_updates`.

        Raises:
            ValueError: when a key is negative or of another shard, or a priority is
                negative, infinite or NaN; then nothing is written.
        """
        return self._core.update_priorities(self._index, keys, priorities)

    def overwrite(
        self,
        keys: npt.ArrayLike,
        values: Mapping[columns.Path, columns.Nest],
        *,
        rows: int | tuple[int, int] = 0,
    ) -> int:
        """Overwrites stored values of items by key, such as states or targets.

        A row is stored once: every item that has it, of every table, has the new value
        from then on. Rows are written in the order of the keys, so of equal keys, and of
        items that share a row, the last counts. Priorities stay.

        A sample, in this thread or another, has all of a row's new values or none.
        Before it writes, `overwrite` waits until the samples that are being copied are
        done, and samples that others begin meanwhile wait for it; Ctrl-C interrupts.

        Args:
            keys: of samples or appends of this table, integers `[N]`.
            values: by column, as the path of `views.Row` names it, its new values; of an
                inner node, a nest of them. Columns that are not named stay.
            rows: which rows of each item. An int, as the index of `views.Row`: the
                arrays are `[N, *shape]`; 0 is the item's first row, -1 its last. A pair
                `(start, stop)`, as of `views.Rows`: they are `[N, stop - start,
                *shape]`, also in a `time_major` table. Values of rows past an item's
                end are ignored. In unrolls, rows that begin an episode count too.

        Returns:
            How many keys belonged to an item that still exists. The others are skipped
            and counted in `TableStats.num_stale_updates`.

        Raises:
            ValueError: naming the column, when there is none of that path, it is
                compressed, or its values have another dtype or shape; when there are no
                such rows, or a key is negative or of another shard. Then nothing is
                written.
            ClosedError: when the replay is closed, also while waiting.
        """
        numbers: list[int] = []
        arrays: list[Any] = []
        for path, nest in values.items():
            under = columns.select(self._numbers, path)
            numbers += tree.flatten(under)
            arrays += columns.make_flatten(under)(nest)
        start, stop = rows if isinstance(rows, tuple) else (rows, None)
        return self._core.overwrite(self._index, keys, numbers, arrays, start, stop)

    def delete(self, keys: npt.ArrayLike) -> int:
        """Removes items by key, integers `[N]`; keys of removed items are skipped.

        Returns:
            How many items were removed.

        Raises:
            ValueError: when a key is negative or of another shard; then nothing is
                removed.
        """
        return self._core.delete(self._index, keys)

    def can_sample(self, n: int) -> bool:
        """Whether n items may be sampled now."""
        return not self._core.why_not_sample(self._index, n)

    def can_insert(self, n: int) -> bool:
        """Whether n items may be inserted now."""
        return not self._core.why_not_insert(self._index, n)

    def why_not_sample(self, n: int) -> str | None:
        """Why n items may not be sampled now, with the numbers; None when they may."""
        return self._core.why_not_sample(self._index, n) or None

    def why_not_insert(self, n: int) -> str | None:
        """Why n items may not be inserted now, with the numbers; None when they may."""
        return self._core.why_not_insert(self._index, n) or None

    def check_batch_size(self, batch_size: int, *, num_prefetched: int = 0) -> None:
        """Checks that sampling such batches cannot deadlock.

        All samples are taken to be of this size. Appends count as making the most items that `rows_per_append` allows, or that any
        append has made. Later appends that make more are checked against the largest
        batch that was checked here.

        Args:
            batch_size: items per call of `sample`.
            num_prefetched: calls that a reader makes ahead of the batch it uses.

        Raises:
            ValueError: with the numbers, when sampler and inserter could end up waiting
                for each other for ever.
        """
        self._core.check_batch_size(self._index, batch_size, num_prefetched)

    def stats(self) -> TableStats:
        """The table's counts, all read at one moment."""
        stats = self._core.stats(self._index)
        return TableStats(
            name=self._table.name,
            size=stats.size,
            max_size=self._table.max_size,
            num_inserted=stats.num_inserted,
            num_sampled=stats.num_sampled,
            num_deleted=stats.num_deleted,
            num_stale_updates=stats.num_stale_updates,
            max_priority=stats.max_priority,
            total_weight=stats.total_weight,
            least_weight=stats.least_weight,
        )

    def describe_output(
        self, batch_size: int | None = None, *, num_batches: int | None = None
    ) -> columns.Nest:
        """The nest of `Column`s of a sample's data.

        Args:
            batch_size: B; None leaves the batch axis out.
            num_batches: N, as in `sample`; None leaves the axis of batches out.
        """
        batches = () if not _check_num_batches(num_batches) else (num_batches,)
        batch = () if batch_size is None else (batch_size,)
        return self._unflatten(
            [
                columns.Column((*batches, *shape[:axis], *batch, *shape[axis:]), dtype)
                for dtype, shape, axis in self._core.outputs(self._index)
            ]
        )

    def check_valid(self) -> None:
        """Checks every invariant of the replay, slowly; RuntimeError when one fails."""
        self._core.check_valid()

    def __repr__(self) -> str:
        size = "closed" if self._core.closed else f"{self.size}"
        return f"TableHandle({self.name!r}, size={size}/{self._table.max_size})"
