"""From policies to actors."""

from tfagents_core.acting.actors import FeedForwardActor, Policy
from tfagents_core.acting.exploration import epsilon_greedy, gaussian_noise, greedy
from tfagents_core.acting.variables import VariableClient

__all__ = [
    "FeedForwardActor",
    "Policy",
    "VariableClient",
    "epsilon_greedy",
    "gaussian_noise",
    "greedy",
]
