"""How agents learn: the learner, and what update rules share."""

from tfagents_core.learning.config import (
    LearnerConfig,
    ReplayConfig,
    TransitionConfig,
    check_positive,
    check_within,
)
from tfagents_core.learning.learner import Learner, NotFiniteError
from tfagents_core.learning.minibatches import shuffle_minibatches
from tfagents_core.learning.normalizers import ObservationNormalizer
from tfagents_core.learning.optimizers import Adam
from tfagents_core.learning.schedules import linear
from tfagents_core.learning.targets import update_periodically, update_softly

__all__ = [
    "Adam",
    "Learner",
    "LearnerConfig",
    "NotFiniteError",
    "ObservationNormalizer",
    "ReplayConfig",
    "TransitionConfig",
    "check_positive",
    "check_within",
    "linear",
    "shuffle_minibatches",
    "update_periodically",
    "update_softly",
]
