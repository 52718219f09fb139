"""How often what failed is started again."""

from __future__ import annotations

import pytest

from tfagents_core import restarts


def test_a_failure_too_many_is_an_error_with_the_first_failure() -> None:
    budget = restarts.RestartBudget("actors", max_restarts=2, window_s=10)
    budget.spend("the first")
    budget.spend("the second")
    assert budget.num_restarts == 2
    with pytest.raises(restarts.BudgetSpentError) as caught:
        budget.spend("the third")
    assert str(caught.value) == (
        "The actors failed 3 times within 10 s, and 2 are forgiven; the first failure "
        "was:\nthe first"
    )


def test_failures_are_forgotten_after_a_while() -> None:
    times = iter([0.0, 6.0, 11.0, 12.0])
    budget = restarts.RestartBudget(
        "actors", max_restarts=2, window_s=10, clock=lambda: next(times)
    )
    for _ in range(3):  # The first no longer counts when the third comes.
        budget.spend("again")
    with pytest.raises(restarts.BudgetSpentError):
        budget.spend("again")


@pytest.mark.parametrize("wrong", [{"max_restarts": -1}, {"window_s": 0.0}])
def test_impossible_budgets_are_refused(wrong: dict[str, float]) -> None:
    options = {"max_restarts": 1, "window_s": 1.0, **wrong}
    with pytest.raises(ValueError, match="must not be negative"):
        restarts.RestartBudget("actors", **options)  # type: ignore[arg-type]
