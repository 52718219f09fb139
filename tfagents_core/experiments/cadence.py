"""When things are due in a run."""

from __future__ import annotations

import dataclasses
from typing import Literal

from tfagents_core.experiments import counting

Unit = Literal["num_actor_steps", "num_learner_steps"]


@dataclasses.dataclass(frozen=True)
class Clock:
    """How far a run is, in the unit that its length and its periods are given in.

    Attributes:
        counters: the run's.
        unit: actor steps; or learner steps where there is no environment, as in
            offline learning.
    """

    counters: counting.Counters
    unit: Unit = "num_actor_steps"

    @property
    def now(self) -> int:
        """Steps so far."""
        return int(getattr(self.counters, self.unit))


class Cadence:
    """Tells when another multiple of a period has been reached.

    One tick of K environments may take the clock from below a multiple to above it.

    Args:
        period: steps from one time to the next; 0 is never.
        now: the clock when the run begins or resumes.
    """

    def __init__(self, period: int, *, now: int) -> None:
        self._period = period
        self._last = now

    def is_due(self, now: int) -> bool:
        """Whether a multiple of the period lies after the last call, up to `now`."""
        if self._period == 0:
            return False
        last, self._last = self._last, now
        return last // self._period != now // self._period
