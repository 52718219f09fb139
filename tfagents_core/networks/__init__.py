"""Sonnet modules that several agents share."""

from tfagents_core.networks.categorical import Categorical, CategoricalHead
from tfagents_core.networks.diagonal_gaussian import DiagonalGaussian, GaussianHead
from tfagents_core.networks.heads import DuelingHead
from tfagents_core.networks.initializers import Orthogonal, VarianceScaling
from tfagents_core.networks.torsos import MLP, AtariTorso, LayerNormMLP

__all__ = [
    "MLP",
    "AtariTorso",
    "Categorical",
    "CategoricalHead",
    "DiagonalGaussian",
    "DuelingHead",
    "GaussianHead",
    "LayerNormMLP",
    "Orthogonal",
    "VarianceScaling",
]
