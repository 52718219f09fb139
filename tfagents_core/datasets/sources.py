"""Where a learner's batches come from: tables drawn from directly, or a pipeline."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
import tree

from tfagents_core import core, replay


class TableSource(core.BatchSource):
    """Draws batches from tables when they are asked for, and not before.

    What is learned then depends on the seeds alone, and a draw costs less than one
    through `tf.data`. Arrays are 64-byte aligned, so TensorFlow takes them without a
    copy. Ctrl-C works while a draw waits.

    Args:
        tables: the tables to sample, by name.
        batch_sizes: items of a batch from each table, B.
        num_batches: batches drawn at once; more than 1 puts this axis in front.
        timeout_s: longest wait for a batch, in seconds; None waits for ever.

    Raises:
        ValueError: such batches can never be drawn under a table's rate limiter.
    """

    def __init__(
        self,
        tables: Mapping[str, replay.TableHandle],
        batch_sizes: Mapping[str, int],
        *,
        num_batches: int = 1,
        timeout_s: float | None = None,
    ) -> None:
        self._tables = {name: tables[name] for name in batch_sizes}
        self._batch_sizes = dict(batch_sizes)
        self._num_batches = num_batches
        self._timeout_s = timeout_s
        for name, table in self._tables.items():
            table.check_batch_size(self._num_items(name))

    def is_ready(self) -> bool:
        """Whether every table would give its items now."""
        return all(
            table.can_sample(self._num_items(name))
            for name, table in self._tables.items()
        )

    def next(self) -> Any:
        """Draws the next batch.

        Raises:
            TimeoutError: a table gave none in time; the message says why.
        """
        samples = {name: self._draw(name) for name in self._tables}
        return samples if len(samples) > 1 else next(iter(samples.values()))

    def batch_axes(self, batch: Any) -> Any:
        """0, or 1 for arrays with a time axis of tables that are `time_major`."""
        axes: Any = super().batch_axes(batch)
        if isinstance(batch, dict):
            return {name: self._axes(name, sample) for name, sample in axes.items()}
        (name,) = self._tables
        return self._axes(name, axes)

    def _axes(self, name: str, axes: replay.Sample) -> replay.Sample:
        # The axis of the items is the one that another batch size would change.
        one, other = (self._tables[name].describe_output(size) for size in (1, 2))
        return axes._replace(data=tree.map_structure(_differing_axis, one, other))

    def update_priorities(
        self, table: str, keys: np.ndarray, priorities: np.ndarray
    ) -> None:
        """Sets the priorities of items of `table`; items that have gone are skipped."""
        self._tables[table].update_priorities(keys, priorities)

    def _num_items(self, name: str) -> int:
        return self._batch_sizes[name] * self._num_batches

    def _draw(self, name: str) -> replay.Sample:
        return self._tables[name].sample(
            self._batch_sizes[name],
            num_batches=self._num_batches if self._num_batches > 1 else None,
            timeout=self._timeout_s,
        )


def _differing_axis(one: replay.Column, other: replay.Column) -> int:
    pairs = zip(one.shape, other.shape, strict=True)
    return next(axis for axis, (size, size_) in enumerate(pairs) if size != size_)


class PipelineSource(core.BatchSource):
    """Takes the elements of a `tf.data` pipeline: recorded data, or drawn ahead.

    Args:
        dataset: each element is what a learner step takes.
        tables: where priorities go; those of other tables are ignored.
    """

    def __init__(
        self,
        dataset: tf.data.Dataset,
        tables: Mapping[str, replay.TableHandle] | None = None,
    ) -> None:
        self._iterator = iter(dataset)
        self._tables = dict(tables or {})

    def is_ready(self) -> bool:
        """Always: a pipeline does not say whether its next element is there."""
        return True

    def next(self) -> Any:
        """The next element.

        Raises:
            StopIteration: the pipeline has ended.
        """
        # Python handles signals in the main thread, between its own instructions: one
        # that waits inside TensorFlow is deaf, one that waits for a thread is not.
        fetched: list[Any] = []
        thread = threading.Thread(target=self._fetch, args=[fetched], daemon=True)
        thread.start()
        thread.join()
        (element,) = fetched
        if isinstance(element, BaseException):
            raise element
        return element

    def _fetch(self, fetched: list[Any]) -> None:
        try:
            fetched.append(next(self._iterator))
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that waits.
            fetched.append(error)

    def update_priorities(
        self, table: str, keys: np.ndarray, priorities: np.ndarray
    ) -> None:
        """Sets the priorities of items of `table`, if it was given."""
        if table in self._tables:
            self._tables[table].update_priorities(keys, priorities)
