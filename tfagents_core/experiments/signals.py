"""SIGINT and SIGTERM, noted and acted on between two ticks."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import threading
import types
from collections.abc import Iterator


@dataclasses.dataclass
class Interruption:
    """The signal that arrived, if one did.

    Attributes:
        signal: its number; None as long as there was none.
    """

    signal: int | None = None


@contextlib.contextmanager
def noting() -> Iterator[Interruption]:
    """Notes SIGINT and SIGTERM; a second one ends the process at once.

    A run that stopped in the middle of a tick could not be resumed exactly, so whoever
    runs it looks at the note between two ticks.
    """
    interruption = Interruption()

    def note(number: int, frame: types.FrameType | None) -> None:
        del frame
        if interruption.signal is not None:
            os._exit(128 + number)
        interruption.signal = number

    # Python lets only the main thread handle signals.
    handled = threading.current_thread() is threading.main_thread()
    numbers = (signal.SIGINT, signal.SIGTERM) if handled else ()
    previous = {number: signal.signal(number, note) for number in numbers}
    try:
        yield interruption
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
