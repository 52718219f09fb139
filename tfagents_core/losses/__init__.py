"""Losses as pure functions of tensors, named after their papers."""

from tfagents_core.losses.base import LossOutput
from tfagents_core.losses.distributional import categorical_td, mean, project
from tfagents_core.losses.policy_gradients import dpg
from tfagents_core.losses.value_learning import (
    double_q_learning,
    ensemble_td,
    huber,
    importance_weights,
    select,
)

__all__ = [
    "LossOutput",
    "categorical_td",
    "double_q_learning",
    "dpg",
    "ensemble_td",
    "huber",
    "importance_weights",
    "mean",
    "project",
    "select",
]
