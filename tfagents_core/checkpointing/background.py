"""Writes checkpoints on a background thread while training continues."""

from __future__ import annotations

import threading
import types
from collections.abc import Callable
from concurrent import futures
from typing import Generic, TypeVar

T = TypeVar("T")


class BackgroundWriter(Generic[T]):
    """Runs one write at a time on a thread of its own.

    A write stores the state at one moment: `start` returns once that state has been
    copied. The writer is a context manager, which on exit waits for the write in
    progress. Not thread-safe.
    """

    def __init__(self) -> None:
        self._executor = futures.ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._future: futures.Future[T] | None = None

    def start(self, write: Callable[[Callable[[], None]], T]) -> None:
        """Starts a write and returns when the state that it stores may change again.

        Args:
            write: called on the background thread; it calls its argument as soon as it
                has copied or pinned everything that it has not yet written.

        Raises:
            RuntimeError: `finish` has not been called for the previous write.
        """
        if self._future is not None:
            raise RuntimeError("The write before this one has not been finished.")
        copied = threading.Event()

        def run() -> T:
            try:
                return write(copied.set)
            finally:
                copied.set()  # A write that failed early must not block `start`.

        self._future = self._executor.submit(run)
        copied.wait()

    @property
    def is_done(self) -> bool:
        """Whether a write has ended for which `finish` has not been called."""
        return self._future is not None and self._future.done()

    def finish(self) -> T | None:
        """Waits for the write in progress.

        Returns:
            The write's return value; None if there was no write.

        Raises:
            Exception: the write's own exception.
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
