"""Losses as pure functions of tensors, named after their papers."""

from tfagents_core.losses.advantages import generalized_advantage_estimation
from tfagents_core.losses.base import LossOutput
from tfagents_core.losses.distributional import categorical_td, mean, project
from tfagents_core.losses.policy_gradients import clipped_surrogate, dpg
from tfagents_core.losses.value_learning import (
    clipped_value,
    double_q_learning,
    ensemble_td,
    huber,
    importance_weights,
    select,
)

__all__ = [
    "LossOutput",
    "categorical_td",
    "clipped_surrogate",
    "clipped_value",
    "double_q_learning",
    "dpg",
    "ensemble_td",
    "generalized_advantage_estimation",
    "huber",
    "importance_weights",
    "mean",
    "project",
    "select",
]
