"""Runs: configured, trained, evaluated, written down."""

from tfagents_core.experiments.config import ExperimentConfig, RunError
from tfagents_core.experiments.evaluation import evaluate
from tfagents_core.experiments.run import InlineExperiment, Result, run_experiment

__all__ = [
    "ExperimentConfig",
    "InlineExperiment",
    "Result",
    "RunError",
    "evaluate",
    "run_experiment",
]
