"""Steps per second over a sliding window."""

from __future__ import annotations

import collections

_WINDOW_S = 10.0


class SlidingRates:
    """Actor and learner steps per second over a sliding window.

    Keeps the counters of about the last `window_s` seconds, and always the two newest
    samples, so that samples farther apart than the window still yield a rate.
    """

    def __init__(self, window_s: float = _WINDOW_S) -> None:
        self._window_s = window_s
        self._samples: collections.deque[tuple[float, int, int]] = collections.deque()

    @property
    def is_empty(self) -> bool:
        """Whether nothing has been added yet."""
        return not self._samples

    def add(self, now_s: float, num_actor_steps: int, num_learner_steps: int) -> None:
        """Adds the counters at time `now_s`, in seconds of any one clock."""
        self._samples.append((now_s, num_actor_steps, num_learner_steps))
        oldest_s = now_s - self._window_s
        while len(self._samples) > 2 and self._samples[1][0] <= oldest_s:
            self._samples.popleft()

    def per_second(self) -> tuple[float, float] | None:
        """Actor and learner steps per second; None before two samples."""
        if not self._samples:
            return None
        first, last = self._samples[0], self._samples[-1]
        elapsed_s = last[0] - first[0]
        if elapsed_s <= 0:
            return None
        return (last[1] - first[1]) / elapsed_s, (last[2] - first[2]) / elapsed_s
