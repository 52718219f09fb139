"""Sonnet modules that several agents share."""

from tfagents_core.networks.heads import DuelingHead
from tfagents_core.networks.initializers import VarianceScaling
from tfagents_core.networks.torsos import MLP, AtariTorso, LayerNormMLP

__all__ = ["MLP", "AtariTorso", "DuelingHead", "LayerNormMLP", "VarianceScaling"]
