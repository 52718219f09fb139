"""SAC: soft actor-critic with automatic temperature."""

from tfagents_core.agents.sac.builder import SACBuilder
from tfagents_core.agents.sac.config import SACConfig
from tfagents_core.agents.sac.learning import (
    SAC,
    critic_loss,
    policy_loss,
    temperature_loss,
)
from tfagents_core.agents.sac.networks import SACNetworks, make_networks

__all__ = [
    "SAC",
    "SACBuilder",
    "SACConfig",
    "SACNetworks",
    "critic_loss",
    "make_networks",
    "policy_loss",
    "temperature_loss",
]
