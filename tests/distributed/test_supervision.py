"""Waits end, and restarts are counted."""

from __future__ import annotations

import logging

import pytest

from tfagents_core import distributed

from . import toys


def test_a_long_wait_is_reported_once_with_its_reason(
    caplog: pytest.LogCaptureFixture,
) -> None:
    wait = distributed.Wait(
        "Someone", timeout_s=100.0, clock=toys.ticking(4.0), stop=None
    )
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            wait.check("the door is shut")
    assert caplog.messages == ["Someone waits since 12 s: the door is shut"]
