"""Sonnet modules that several agents share."""

from tfagents_core.networks.categorical import Categorical, CategoricalHead
from tfagents_core.networks.critics import CriticEnsemble
from tfagents_core.networks.diagonal_gaussian import DiagonalGaussian, GaussianHead
from tfagents_core.networks.heads import DuelingHead
from tfagents_core.networks.initializers import Orthogonal, VarianceScaling
from tfagents_core.networks.tanh_gaussian import TanhGaussian, log_tanh_derivative
from tfagents_core.networks.torsos import MLP, AtariTorso, LayerNormMLP

__all__ = [
    "MLP",
    "AtariTorso",
    "Categorical",
    "CategoricalHead",
    "CriticEnsemble",
    "DiagonalGaussian",
    "DuelingHead",
    "GaussianHead",
    "LayerNormMLP",
    "Orthogonal",
    "TanhGaussian",
    "VarianceScaling",
    "log_tanh_derivative",
]
