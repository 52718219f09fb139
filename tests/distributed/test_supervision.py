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


def test_restarts_within_the_budget_are_counted() -> None:
    budget = distributed.RestartBudget(2, 10.0, clock=toys.ticking(6.0))
    for _ in range(20):  # At most two in any window.
        budget.note("actor 1", "trace")
    assert budget.num_restarts == 20


def test_a_spent_budget_shows_the_first_traceback() -> None:
    budget = distributed.RestartBudget(2, 10.0, clock=toys.ticking(1.0))
    budget.note("actor 1", "the cause")
    budget.note("actor 1", "a consequence")
    with pytest.raises(distributed.BudgetSpentError) as caught:
        budget.note("actor 1", "another")
    assert "actor 1 failed 3 times within 10 s" in str(caught.value)
    assert str(caught.value).endswith("the cause")
    assert budget.num_restarts == 2


@pytest.mark.parametrize("given", [(-1, 10.0), (1, 0.0), (1, float("nan"))])
def test_impossible_budgets_are_refused(given: tuple[int, float]) -> None:
    with pytest.raises(ValueError, match="max_restarts"):
        distributed.RestartBudget(*given)
