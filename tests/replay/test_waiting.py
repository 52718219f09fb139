"""A call on the replay that goes on waiting says what for."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from tfagents_core import replay
from tfagents_core.replay import waiting

from . import helpers


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "REPORT_AFTER_S", 0.0)


def test_a_sample_that_waits_says_what_for_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rb, handle = helpers.make_replay(rate_limiter=replay.MinSize(10))
    helpers.append_items(rb, 4)
    with pytest.raises(TimeoutError):
        handle.sample(2, timeout=0.5)
    (record,) = caplog.records
    assert (record.name, record.levelno) == (waiting.__name__, logging.WARNING)
    assert "still waiting to sample from table 'table'" in record.getMessage()
    assert "4 items < min_size 10" in record.getMessage()


def test_an_append_that_waits_says_what_for(caplog: pytest.LogCaptureFixture) -> None:
    rb, _ = helpers.make_replay(rate_limiter=replay.Queue(2))
    helpers.append_items(rb, 2)
    row = helpers.make_row(np.random.default_rng(0))
    with pytest.raises(TimeoutError):
        rb.append_one(row, first=False, last=False, timeout=0.3)
    (record,) = caplog.records
    assert "still waiting to insert into table 'table'" in record.getMessage()


def test_a_short_wait_says_nothing(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "REPORT_AFTER_S", 10.0)
    _, handle = helpers.make_replay()
    with pytest.raises(TimeoutError):
        handle.sample(1, timeout=0.3)
    assert not caplog.records


def test_only_another_reason_is_reported_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    wait = waiting.Wait()
    for reason in ("for 4 items of 10", "for 9 items of 10", "for memory", "for 2"):
        wait.update(reason)
    messages = [record.getMessage() for record in caplog.records]
    assert [m.removeprefix("After 0 s still ") for m in messages] == [
        "for 4 items of 10.",
        "for memory.",
        "for 2.",
    ]
