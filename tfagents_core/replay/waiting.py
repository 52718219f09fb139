"""Says what a call on the replay waits for, when it has waited for a while."""

from __future__ import annotations

import logging
import re
import time

REPORT_AFTER_S = 10.0

_LOGGER = logging.getLogger(__name__)
_NUMBER = re.compile(r"\d[\d.,]*")


class Wait:
    """One call's wait, made when it begins. The C++ core makes and updates it."""

    def __init__(self) -> None:
        self._start_s = time.monotonic()
        self._reported: set[str] = set()

    def update(self, reason: str) -> None:
        """Logs a warning when the wait is long and the reason is new.

        Args:
          reason: why the call still waits. One that differs from one reported before
            in nothing but numbers is not new.
        """
        waited_s = time.monotonic() - self._start_s
        kind = _NUMBER.sub("#", reason)
        if waited_s < REPORT_AFTER_S or kind in self._reported:
            return
        self._reported.add(kind)
        _LOGGER.warning("After %.0f s still %s.", waited_s, reason)
