"""Runs: configured, trained, evaluated, written down."""

from tfagents_core.experiments.config import (
    DirectoryError,
    ExperimentConfig,
    Interrupted,
    RunError,
)
from tfagents_core.experiments.evaluation import Evaluation, evaluate
from tfagents_core.experiments.evaluator import run_episodes
from tfagents_core.experiments.inline import InlineExperiment
from tfagents_core.experiments.observers import ContinuousActionObserver
from tfagents_core.experiments.run import Result, run_experiment

__all__ = [
    "ContinuousActionObserver",
    "DirectoryError",
    "Evaluation",
    "ExperimentConfig",
    "InlineExperiment",
    "Interrupted",
    "Result",
    "RunError",
    "evaluate",
    "run_episodes",
    "run_experiment",
]
