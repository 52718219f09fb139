"""Waits that are bounded and say what for."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from tfagents_core.restarts import BudgetSpentError, RestartBudget

__all__ = ["BudgetSpentError", "RestartBudget", "StoppedError", "Wait"]

REPORT_AFTER_S = 10.0
"""A wait that has taken this long, in seconds, is logged with its reason."""

_LOGGER = logging.getLogger(__name__)


class StoppedError(Exception):
    """The run is stopping, so a wait has ended."""


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
