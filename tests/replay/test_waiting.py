"""A call on the replay that goes on waiting says what for."""

from __future__ import annotations

import logging
import subprocess
import sys

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


ALONE = """
import threading, sys
import numpy as np
from tfagents_core import replay

table = replay.Table("t", pattern=replay.NStep(1), max_size=10,
                     outputs=replay.views.Row("x", 0), rate_limiter=replay.{limiter})
buffer = replay.Replay({{"x": replay.Column((), np.float32)}}, [table])
if sys.argv[1] == "alone":
    try:
        {call}
    except RuntimeError as error:
        print(error)
else:
    thread = threading.Thread(target=lambda: {call})
    thread.start()
    threading.Event().wait(1.5)
    buffer.append_steps({{"x": np.zeros(3, np.float32)}}, True)
    thread.join()
    print("went on")
"""


@pytest.mark.parametrize(
    "limiter, call, reason",
    [
        ("MinSize(1)", "buffer.tables['t'].sample(1)", "waiting to sample from table"),
        (
            "SampleToInsertRatio(1.0, 1, 2.0)",
            "[buffer.append_one({'x': 0.0}, first=i == 0) for i in range(9)]",
            "waiting to insert into table",
        ),
    ],
)
def test_a_program_of_one_thread_does_not_wait_for_itself(
    limiter: str, call: str, reason: str
) -> None:
    code = ALONE.format(limiter=limiter, call=call)
    printed = subprocess.check_output(
        [sys.executable, "-c", code, "alone"], text=True, timeout=60
    )
    assert printed.startswith(reason)
    assert "only thread, so that would never change" in printed


def test_a_program_with_another_thread_waits_for_it() -> None:
    code = ALONE.format(limiter="MinSize(1)", call="buffer.tables['t'].sample(1)")
    printed = subprocess.check_output(
        [sys.executable, "-c", code, "together"], text=True, timeout=60
    )
    assert printed == "went on\n"
