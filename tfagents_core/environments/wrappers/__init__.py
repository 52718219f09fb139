"""Wrappers of a `dm_env.Environment`."""

from tfagents_core.environments.wrappers.actions import ActionRepeat, CanonicalActions
from tfagents_core.environments.wrappers.base import EnvironmentWrapper
from tfagents_core.environments.wrappers.delay import Delay
from tfagents_core.environments.wrappers.episodes import LifeLoss, StepLimit
from tfagents_core.environments.wrappers.frame_stacking import FrameStacking
from tfagents_core.environments.wrappers.observations import ConcatObservation
from tfagents_core.environments.wrappers.precision import SinglePrecision
from tfagents_core.environments.wrappers.rewards import RewardClipping

__all__ = [
    "ActionRepeat",
    "CanonicalActions",
    "ConcatObservation",
    "Delay",
    "EnvironmentWrapper",
    "FrameStacking",
    "LifeLoss",
    "RewardClipping",
    "SinglePrecision",
    "StepLimit",
]
