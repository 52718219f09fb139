"""When things are due in a run."""

from __future__ import annotations

import pytest

from tfagents_core.experiments import cadence, counting


@pytest.mark.parametrize(
    ("unit", "expected"), [("num_actor_steps", 30), ("num_learner_steps", 7)]
)
def test_a_clock_shows_the_counter_of_its_unit(
    unit: cadence.Unit, expected: int
) -> None:
    counters = counting.Counters(30, 7, 2)
    clock = cadence.Clock(counters, unit)
    assert clock.now == expected
    counters.num_actor_steps += 1
    counters.num_learner_steps += 1
    assert clock.now == expected + 1


def test_a_clock_counts_actor_steps_unless_it_is_told_otherwise() -> None:
    assert cadence.Clock(counting.Counters(30, 7, 2)).now == 30


def due(period: int, *, start: int, step: int, stop: int) -> list[int]:
    """When it is due, of the times from `start + step` on."""
    times = cadence.Cadence(period, now=start)
    return [now for now in range(start + step, stop, step) if times.is_due(now)]


def test_every_multiple_of_the_period_is_due_once() -> None:
    assert due(4, start=0, step=1, stop=13) == [4, 8, 12]


def test_a_multiple_that_is_passed_by_is_due_at_the_next_call() -> None:
    assert due(4, start=0, step=3, stop=20) == [6, 9, 12, 18]


def test_of_several_multiples_passed_at_once_only_one_is_due() -> None:
    assert due(2, start=0, step=5, stop=16) == [5, 10, 15]


def test_a_run_that_goes_on_has_had_what_was_due_before() -> None:
    assert due(4, start=7, step=1, stop=13) == [8, 12]
    assert due(4, start=8, step=1, stop=13) == [12]


def test_a_call_without_progress_is_not_due_again() -> None:
    times = cadence.Cadence(4, now=0)
    called = {now: times.is_due(now) for now in (3, 4)}
    assert called == {3: False, 4: True}
    assert not times.is_due(4)
    assert not times.is_due(5)


def test_a_period_of_0_is_never_due() -> None:
    assert due(0, start=0, step=1, stop=20) == []
