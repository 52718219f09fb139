"""How often what has failed may be started again."""

from __future__ import annotations

import collections
import threading
import time
from collections.abc import Callable


class BudgetSpentError(RuntimeError):
    """A part of the run failed more often than it may be restarted."""


class RestartBudget:
    """How often a part of a run may fail before the run does.

    Restarting for ever would hide an error that comes back every time. Thread-safe.

    Args:
        max_restarts: within any window of time, >= 0.
        window_s: that window, in seconds, > 0.
        clock: tells seconds.

    Attributes:
        num_restarts: how many there have been, in the window or before.

    Raises:
        ValueError: a value is out of its range.
    """

    def __init__(
        self,
        max_restarts: int,
        window_s: float,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if max_restarts < 0 or not window_s > 0:
            raise ValueError(
                f"max_restarts is {max_restarts} and window_s {window_s}; they must be "
                ">= 0 and > 0"
            )
        self.num_restarts = 0
        self._max_restarts = max_restarts
        self._window_s = window_s
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: collections.deque[tuple[float, str]] = collections.deque()

    def note(self, who: str, traceback: str) -> None:
        """Counts a failure, after which `who` is to be restarted.

        Args:
            who: failed, such as `"actor 3"`.
            traceback: of its error, as text.

        Raises:
            BudgetSpentError: it must not be restarted; with the traceback of the
                window's first failure, because those that follow are often another
                error's consequences.
        """
        with self._lock:
            now_s = self._clock()
            self._failures.append((now_s, traceback))
            while self._failures[0][0] < now_s - self._window_s:
                self._failures.popleft()
            if len(self._failures) > self._max_restarts:
                raise BudgetSpentError(
                    f"{who} failed {len(self._failures)} times within "
                    f"{self._window_s:g} s, and may be restarted "
                    f"{self._max_restarts} times; its first error was:\n"
                    f"{self._failures[0][1]}"
                )
            self.num_restarts += 1
