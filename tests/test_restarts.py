"""How often what failed is started again."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from tfagents_core import restarts


def ticking(seconds: float) -> Callable[[], float]:
    """A clock that goes on by `seconds` whenever somebody looks."""
    times = itertools.count()
    return lambda: seconds * next(times)


def test_restarts_within_the_budget_are_counted() -> None:
    budget = restarts.RestartBudget(2, 10.0, clock=ticking(6.0))
    for _ in range(20):  # At most two in any window.
        budget.note("actor 1", "trace")
    assert budget.num_restarts == 20


def test_a_spent_budget_shows_the_first_traceback() -> None:
    budget = restarts.RestartBudget(2, 10.0, clock=ticking(1.0))
    budget.note("actor 1", "the cause")
    budget.note("actor 1", "a consequence")
    with pytest.raises(restarts.BudgetSpentError) as caught:
        budget.note("actor 1", "another")
    assert "actor 1 failed 3 times within 10 s" in str(caught.value)
    assert str(caught.value).endswith("the cause")
    assert budget.num_restarts == 2


@pytest.mark.parametrize("given", [(-1, 10.0), (1, 0.0), (1, float("nan"))])
def test_impossible_budgets_are_refused(given: tuple[int, float]) -> None:
    with pytest.raises(ValueError, match="max_restarts"):
        restarts.RestartBudget(*given)
