"""D4PG: distributed distributional deep deterministic policy gradients."""

from tfagents_core.agents.d4pg.builder import D4PGBuilder
from tfagents_core.agents.d4pg.config import D4PGConfig
from tfagents_core.agents.d4pg.learning import D4PG, critic_loss, policy_loss
from tfagents_core.agents.d4pg.networks import D4PGNetworks, make_networks

__all__ = [
    "D4PG",
    "D4PGBuilder",
    "D4PGConfig",
    "D4PGNetworks",
    "critic_loss",
    "make_networks",
    "policy_loss",
]
