"""Waits that are bounded and say what for, and how often a part may fail."""

from __future__ import annotations

import collections
import logging
import threading
import time
from collections.abc import Callable

REPORT_AFTER_S = 10.0
"""A wait that has taken this long, in seconds, is logged with its reason."""

_LOGGER = logging.getLogger(__name__)


class StoppedError(Exception):
    """The run is stopping, so a wait has ended."""


class BudgetSpentError(RuntimeError):
    """A part of the run failed more often than it may be restarted."""


class Wait:
    """A wait in several short calls: bounded, named, and over once the run stops.

    Not thread-safe; each wait has one of its own.

    Args:
        who: waits, and for what; the start of every message.
        timeout_s: longest wait in seconds, > 0.
        stop: set when the run stops; None: it never does.
        clock: tells seconds.
    """

    def __init__(
        self,
        who: str,
        *,
        timeout_s: float,
        stop: threading.Event | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._who = who
        self._timeout_s = timeout_s
        self._stop = stop
        self._clock = clock
        self._start_s = clock()
        self._is_reported = False

    def check(self, reason: str) -> None:
        """Returns if another short call may be made.

        Args:
            reason: why the last one had no success.

        Raises:
            StoppedError: the run stops.
            TimeoutError: the wait was too long; with the reason.
        """
        if self._stop is not None and self._stop.is_set():
            raise StoppedError(f"{self._who}: the run stops")
        waited_s = self._clock() - self._start_s
        if waited_s >= self._timeout_s:
            raise TimeoutError(f"{self._who} waited {waited_s:.0f} s: {reason}")
        if waited_s >= REPORT_AFTER_S and not self._is_reported:
            self._is_reported = True
            _LOGGER.warning("%s waits since %.0f s: %s", self._who, waited_s, reason)

    def pause(self, seconds: float) -> None:
        """Lets `seconds` pass, but no more once the run stops."""
        if self._stop is None:
            time.sleep(seconds)
        else:
            self._stop.wait(seconds)


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
