"""From policies to actors."""

from tfagents_core.acting.actors import PolicyActor
from tfagents_core.acting.exploration import (
    epsilon_greedy,
    gaussian_noise,
    greedy,
    uniform_at_first,
)
from tfagents_core.acting.policies import FeedForwardPolicy
from tfagents_core.acting.stochastic import ActionDistribution, StochasticPolicy

__all__ = [
    "ActionDistribution",
    "FeedForwardPolicy",
    "PolicyActor",
    "StochasticPolicy",
    "epsilon_greedy",
    "gaussian_noise",
    "greedy",
    "uniform_at_first",
]
