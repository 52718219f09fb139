"""A wrapper that makes an environment slow, to measure what hides the waiting."""

from __future__ import annotations

import time
from typing import Any

import dm_env

from tfagents_core.environments.wrappers import base


class Delay(base.EnvironmentWrapper):
    """Waits a given time in every step, as rendering, a simulator or a robot does.

    Args:
        environment: what it wraps.
        step_s: seconds that a step waits, on top of its own; a reset does not wait.
    """

    def __init__(self, environment: dm_env.Environment, *, step_s: float) -> None:
        super().__init__(environment)
        self._step_s = step_s

    def step(self, action: Any) -> dm_env.TimeStep:
        """Waits, and takes one step."""
        time.sleep(self._step_s)
        return super().step(action)
