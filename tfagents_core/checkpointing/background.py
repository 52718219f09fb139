"""Checkpoints written while the work goes on."""

from __future__ import annotations

import threading
import types
from collections.abc import Callable
from concurrent import futures
from typing import Generic, TypeVar

T = TypeVar("T")


class BackgroundWriter(Generic[T]):
    """Runs one write at a time in a thread of its own.

    What is written is of one moment: `start` returns once that moment has been kept.
    A context manager, which waits for the write under way at its end. To be used by
    one thread.
    """

    def __init__(self) -> None:
        self._executor = futures.ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._future: futures.Future[T] | None = None

    def start(self, write: Callable[[Callable[[], None]], T]) -> None:
        """Begins a write and returns when what it writes may change again.

        Args:
            write: called in the thread; calls its argument once it has copied, or
                holds on to, all that it has not written yet.

        Raises:
            RuntimeError: the one before has not been taken by `finish`.
        """
        if self._future is not None:
            raise RuntimeError("The write before this one has not been finished.")
        copied = threading.Event()

        def run() -> T:
            try:
                return write(copied.set)
            finally:
                copied.set()

        self._future = self._executor.submit(run)
        copied.wait()

    @property
    def is_done(self) -> bool:
        """Whether a write has ended that `finish` has not taken yet."""
        return self._future is not None and self._future.done()

    def finish(self) -> T | None:
        """Waits for the write under way.

        Returns:
            What it returned; None if there was none.

        Raises:
            Exception: what it raised.
        """
        future, self._future = self._future, None
        return None if future is None else future.result()

    def __enter__(self) -> BackgroundWriter[T]:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: types.TracebackType | None,
    ) -> None:
        self._executor.shutdown(wait=True)
