"""How far a run has come."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass
class Counters:
    """What a run counts, each with its unit in its name.

    Attributes:
        num_actor_steps: environment steps taken to learn from; one tick of K
            environments counts up to K, a reset counts nothing.
        num_learner_steps: SGD steps.
        num_episodes: finished training episodes.
    """

    num_actor_steps: int = 0
    num_learner_steps: int = 0
    num_episodes: int = 0
