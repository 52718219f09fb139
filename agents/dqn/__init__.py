"""DQN with double Q-learning, dueling networks, priorities and n-step returns."""

from tfagents_core.agents.dqn.builder import DQNBuilder
from tfagents_core.agents.dqn.config import DQNConfig
from tfagents_core.agents.dqn.learning import DQN, dqn_loss
from tfagents_core.agents.dqn.networks import DQNNetworks, make_networks

__all__ = [
    "DQN",
    "DQNBuilder",
    "DQNConfig",
    "DQNNetworks",
    "dqn_loss",
    "make_networks",
]
