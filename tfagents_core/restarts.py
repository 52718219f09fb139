"""How often what has failed may be started again."""

from __future__ import annotations

import collections
import time
from collections.abc import Callable


class BudgetSpentError(RuntimeError):
    """Something failed more often than it may; the message ends with its first failure.

    Later failures often follow from the first.
    """


class RestartBudget:
    """Counts failures within a span of time. Not thread-safe.

    What fails now and then is started again; what fails again and again has a fault
    that nobody would see if it were started for ever.

    Args:
        name: what may fail, as the error calls it, such as `"environment workers"`.
        max_restarts: failures that are forgiven within `window_s`.
        window_s: seconds after which a failure no longer counts.
        clock: gives the time in seconds.

    Raises:
        ValueError: `max_restarts` is negative or `window_s` is not positive.
    """

    def __init__(
        self,
        name: str,
        *,
        max_restarts: int,
        window_s: float = 600.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if max_restarts < 0 or not window_s > 0:
            raise ValueError(
                f"max_restarts must not be negative, and is {max_restarts}; window_s "
                f"must be positive, and is {window_s}."
            )
        self._name = name
        self._max_restarts = max_restarts
        self._window_s = window_s
        self._clock = clock
        self._times: collections.deque[float] = collections.deque()
        self._first: str | None = None
        self.num_restarts = 0

    def spend(self, failure: str) -> None:
        """Takes note of a failure, after which a restart follows.

        Args:
            failure: what happened, with its traceback.

        Raises:
            BudgetSpentError: it was one too many.
        """
        self._first = self._first or failure
        now = self._clock()
        self._times.append(now)
        while now - self._times[0] > self._window_s:
            self._times.popleft()
        if len(self._times) > self._max_restarts:
            raise BudgetSpentError(
                f"The {self._name} failed {len(self._times)} times within "
                f"{self._window_s:g} s, and {self._max_restarts} are forgiven; the first "
                f"failure was:\n{self._first}"
            )
        self.num_restarts += 1
