"""Checkpoints written while the work goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from tfagents_core import checkpointing


def test_start_returns_when_all_is_copied_and_finish_when_all_is_written() -> None:
    may_write = threading.Event()
    events: list[str] = []

    def write(when_copied: Callable[[], None]) -> int:
        events.append("copied")
        when_copied()
        may_write.wait(30)
        events.append("written")
        return 7

    with checkpointing.BackgroundWriter[int]() as writer:
        writer.start(write)
        assert events == ["copied"]
        assert not writer.is_done
        may_write.set()
        assert writer.finish() == 7
        assert events == ["copied", "written"]
        assert not writer.is_done
        assert writer.finish() is None


def test_a_write_that_fails_says_so_at_its_finish_even_before_it_copied() -> None:
    def write(when_copied: Callable[[], None]) -> int:
        raise OSError(28, "No space left on device")

    with checkpointing.BackgroundWriter[int]() as writer:
        writer.start(write)
        with pytest.raises(OSError, match="No space"):
            writer.finish()
        writer.start(lambda when_copied: 1)
        assert writer.finish() == 1


def test_there_is_one_write_at_a_time() -> None:
    with checkpointing.BackgroundWriter[int]() as writer:
        writer.start(lambda when_copied: 1)
        with pytest.raises(RuntimeError, match="not been finished"):
            writer.start(lambda when_copied: 2)


def test_leaving_waits_for_the_write_under_way() -> None:
    written = threading.Event()

    def write(when_copied: Callable[[], None]) -> None:
        when_copied()
        threading.Event().wait(0.05)
        written.set()

    def leave_early() -> None:
        with checkpointing.BackgroundWriter[None]() as writer:
            writer.start(write)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        leave_early()
    assert written.is_set()
