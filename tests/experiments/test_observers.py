"""Metrics of episodes."""

import dm_env
import numpy as np
import pytest

from tfagents_core import specs
from tfagents_core.experiments import observers

FIRST, MID, LAST = dm_env.StepType.FIRST, dm_env.StepType.MID, dm_env.StepType.LAST


def make_spec(actions) -> specs.EnvironmentSpec:
    scalar = specs.Array((), np.float32)
    return specs.EnvironmentSpec(scalar, actions, scalar, scalar)


def timestep(*step_types) -> dm_env.TimeStep:
    size = len(step_types)
    return dm_env.TimeStep(
        np.array(step_types), np.zeros(size), np.ones(size), np.zeros(size)
    )


def test_actions_are_summed_up_by_environment_and_episode() -> None:
    observer = observers.ContinuousActionObserver(
        make_spec(specs.BoundedArray((1,), np.float32, -1, 1))
    )
    observer.observe_first(timestep(FIRST, FIRST))
    observer.observe(np.array([[1.0], [0.5]]), timestep(MID, MID))
    observer.observe(np.array([[-1.0], [0.5]]), timestep(LAST, MID))
    assert observer.metrics(0) == {"action_magnitude": 1.0, "action_deviation": 1.0}
    observer.observe(np.array([[9.0], [0.5]]), timestep(FIRST, LAST))
    assert observer.metrics(1) == {"action_magnitude": 0.5, "action_deviation": 0.0}
    observer.observe(np.array([[0.25], [9.0]]), timestep(LAST, FIRST))
    assert observer.metrics(0) == {"action_magnitude": 0.25, "action_deviation": 0.0}


def test_discrete_actions_are_refused() -> None:
    with pytest.raises(ValueError, match="2 discrete actions"):
        observers.ContinuousActionObserver(make_spec(specs.DiscreteArray(2)))
