"""PPO: proximal policy optimization with a clipped objective."""

from tfagents_core.agents.ppo.builder import PPOBuilder
from tfagents_core.agents.ppo.config import PPOConfig
from tfagents_core.agents.ppo.learning import (
    PPO,
    Metrics,
    Samples,
    make_samples,
    ppo_loss,
)
from tfagents_core.agents.ppo.networks import PPONetworks, make_networks

__all__ = [
    "PPO",
    "Metrics",
    "PPOBuilder",
    "PPOConfig",
    "PPONetworks",
    "Samples",
    "make_networks",
    "make_samples",
    "ppo_loss",
]
