"""Reverb's tables for ours, and what is asked of a server within bounded time."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import tree

from tfagents_core import replay, types
from tfagents_core.replay import columns

ANSWER_S = 10
"""Longest wait for one answer of the server, in whole seconds."""

_T = TypeVar("_T")


def make_server(
    rows: types.NestedSpec, tables: Sequence[replay.Table], *, port: int | None = None
) -> Any:
    """A `reverb.Server` with one table for each of `tables`.

    It listens on all of the machine's addresses, as Reverb's servers do. Who makes it
    keeps it, and calls `stop` at the end.

    Args:
        rows: nest of specs of a row.
        tables: with the rate limiters' error buffers, as `roles.make_tables` has them.
        port: where it listens; None: any free port, `server.port`.

    Raises:
        ValueError: naming what of a table Reverb does not have.
        ImportError: Reverb is not installed; it says how to.
    """
    for table in tables:
        _check(table)
    reverb = import_reverb()
    made = [
        reverb.Table(
            name=table.name,
            sampler=_selector(reverb, table.sampler),
            remover=_selector(reverb, table.remover),
            max_size=table.max_size,
            rate_limiter=_limiter(reverb, table.rate_limiter),
            max_times_sampled=table.max_times_sampled,
            signature=signature(rows),
        )
        for table in tables
    ]
    return reverb.Server(made, port=port)


def import_reverb() -> Any:
    """The module `reverb`.

    Raises:
        ImportError: it is not installed; it says how to.
    """
    try:
        return importlib.import_module("reverb")
    except ImportError as error:
        raise ImportError(
            f"Reverb is not installed ({error}): pip install 'tfagents-core[reverb]', in "
            "an environment of its own with Python 3.10 or 3.11 on x86-64 Linux, as it "
            "brings TensorFlow 2.15 and NumPy 1."
        ) from error


def _check(table: replay.Table) -> None:
    """Refuses what Reverb's tables do not have."""
    limiter, samplers = table.rate_limiter, (table.sampler, table.remover)
    missing = {
        "pattern None": table.pattern is None,
        "insert_on_sample": table.insert_on_sample is not None,
        "WithoutReplacement": any(
            isinstance(s, replay.WithoutReplacement) for s in samplers
        ),
        "Prioritized(stratified=True)": any(
            isinstance(s, replay.Prioritized) and s.stratified for s in samplers
        ),
        "Prioritized(uniform_mix=...)": any(
            isinstance(s, replay.Prioritized) and s.uniform_mix > 0 for s in samplers
        ),
        # Reverb's limiters count the draws that items took with them as still to come.
        "max_times_sampled without a Queue": table.max_times_sampled > 0
        and not isinstance(limiter, replay.Queue),
    }
    for name, is_asked in missing.items():
        if is_asked:
            raise ValueError(
                f"table {table.name!r} has {name}, for which Reverb has no counterpart; "
                "change the table, or use this package's own replay"
            )


def _selector(reverb: Any, selector: Any) -> Any:
    if isinstance(selector, replay.Prioritized):
        return reverb.selectors.Prioritized(selector.alpha)
    return getattr(reverb.selectors, type(selector).__name__)()  # Of the same name.


def _limiter(reverb: Any, limiter: Any) -> Any:
    if isinstance(limiter, replay.MinSize):
        return reverb.rate_limiters.MinSize(limiter.min_size)
    if isinstance(limiter, replay.Queue):
        return reverb.rate_limiters.Queue(limiter.size)
    limiter.compile()  # ValueError where the error buffer is open.
    return reverb.rate_limiters.SampleToInsertRatio(
        limiter.samples_per_insert, limiter.min_size, float(limiter.error_buffer)
    )


def signature(rows: types.NestedSpec) -> dict[str, Any]:
    """What an item holds: its rows with their context, and marks; see `ItemBatches`."""
    import tensorflow as tf

    marks = tf.TensorSpec([None], tf.int8)
    leaves = tree.flatten(columns.to_columns(rows))
    return {
        "marks": marks,
        "own_marks": marks,
        "rows": tuple(tf.TensorSpec([None, *c.shape], c.dtype) for c in leaves),
    }


class Connection:
    """What clients and sources ask a server, within bounded time. Thread-safe.

    Args:
        address: of the server, `"host:port"`.
        tables: those that it must have.

    Raises:
        ValueError: it has others.
        ConnectionError: there is no server.
        ImportError: Reverb is not installed; it says how to.

    Attributes:
        reverb: the module.
        address: of the server.
        client: a `reverb.Client`.
    """

    def __init__(self, address: str, tables: Sequence[replay.Table]) -> None:
        self.reverb = import_reverb()
        self.address = address
        self.client = self.reverb.Client(address)
        there = self._infos()
        for table in tables:
            if table.name not in there:
                raise ValueError(
                    f"the Reverb server at {address} has no table {table.name!r}; its "
                    f"tables are {sorted(there)}"
                )

    def _infos(self) -> dict[str, Any]:
        try:
            infos: dict[str, Any] = self.client.server_info(ANSWER_S)
        except (self.reverb.errors.ReverbError, RuntimeError) as error:
            raise ConnectionError(
                f"the Reverb server at {self.address} does not answer: {error}"
            ) from error
        return infos

    def why_not_sample(self, table: str, num_items: int) -> str | None:
        """Why so many items may not be sampled now; None when they may."""
        info = self._infos()[table]
        limiter = info.rate_limiter_info
        num_due = limiter.samples_per_insert * limiter.insert_stats.completed
        num_left = num_due - limiter.sample_stats.completed - num_items
        has_enough = info.current_size >= limiter.min_size_to_sample
        if has_enough and num_left >= limiter.min_diff:
            return None
        return _describe(info)

    def why_not_insert(self, names: Sequence[str]) -> str:
        """What the tables say of themselves while they take no items."""
        try:
            infos = self._infos()
        except ConnectionError as error:
            return str(error)
        return "; ".join(_describe(infos[name]) for name in names)

    def bounded(self, call: Callable[[], _T]) -> _T:
        """What `call` returns; a call that the server never answers is an error.

        It runs in a thread: TensorFlow and gRPC have no deadline here, and who waits in
        them is deaf to signals.

        Raises:
            ConnectionError: it took longer than `ANSWER_S`.
        """
        results: list[_T] = []
        errors: list[BaseException] = []

        def run() -> None:
            try:
                results.append(call())
            except BaseException as error:  # noqa: BLE001 - raised again by who waits.
                errors.append(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        thread.join(ANSWER_S)
        for error in errors:
            raise error
        if not results:
            raise ConnectionError(
                f"the Reverb server at {self.address} did not answer within "
                f"{ANSWER_S} s"
            )
        return results[0]


def _describe(info: Any) -> str:
    limiter = info.rate_limiter_info
    return (
        f"table {info.name!r} holds {info.current_size} items (sampling needs "
        f"{limiter.min_size_to_sample}), took {limiter.insert_stats.completed} and gave "
        f"{limiter.sample_stats.completed} samples, at {limiter.samples_per_insert:g} "
        "samples per insert"
    )
