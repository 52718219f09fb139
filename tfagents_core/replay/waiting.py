"""Says why a call on the replay is waiting, once it has waited for some time."""

from __future__ import annotations

import logging
import re
import sys
import time

REPORT_AFTER_S = 10.0
# Threads that are about to end, or about to begin, have done so by then.
ALONE_AFTER_S = 1.0

_LOGGER = logging.getLogger(__name__)
_NUMBER = re.compile(r"\d[\d.,]*")


class Wait:
    """The wait of one call. The C++ core creates it when the wait begins."""

    def __init__(self) -> None:
        self._start_s = time.monotonic()
        self._reported: set[str] = set()

    def update(self, reason: str, for_ever: bool = False) -> None:
        """Logs a warning when the wait is long and the reason is new.

        Args:
            reason: why the call still waits. A reason that differs from an earlier one
                only in its numbers is not new.
            for_ever: whether the call has no timeout.

        Raises:
            RuntimeError: when the call would wait for ever for another thread to sample
                or to append, and there is no other.
        """
        waited_s = time.monotonic() - self._start_s
        needs_another = for_ever and reason.startswith("waiting to ")
        if needs_another and waited_s >= ALONE_AFTER_S and _is_alone():
            raise RuntimeError(
                f"{reason}; this is the program's only thread, so that would never "
                "change: ask can_sample or can_insert first, or give a timeout"
            )
        kind = _NUMBER.sub("#", reason)
        if waited_s < REPORT_AFTER_S or kind in self._reported:
            return
        self._reported.add(kind)
        _LOGGER.warning("After %.0f s still %s.", waited_s, reason)


def _is_alone() -> bool:
    """Whether no other thread can call a replay: threads of C++ have no frames."""
    return len(sys._current_frames()) == 1
