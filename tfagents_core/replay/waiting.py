"""Logs why a call on the replay is waiting, once it has waited for some time."""

from __future__ import annotations

import logging
import re
import time

REPORT_AFTER_S = 10.0

_LOGGER = logging.getLogger(__name__)
_NUMBER = re.compile(r"\d[\d.,]*")


class Wait:
    """The wait of one call. The C++ core creates it when the wait begins."""

    def __init__(self) -> None:
        self._start_s = time.monotonic()
        self._reported: set[str] = set()

    def update(self, reason: str) -> None:
        """Logs a warning when the wait is long and the reason is new.

        Args:
            reason: why the call still waits. A reason that differs from an earlier one
                only in its numbers is not new.
        """
        waited_s = time.monotonic() - self._start_s
        kind = _NUMBER.sub("#", reason)
        if waited_s < REPORT_AFTER_S or kind in self._reported:
            return
        self._reported.add(kind)
        _LOGGER.warning("After %.0f s still %s.", waited_s, reason)
