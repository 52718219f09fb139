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
from tfagents_core.learning.replication import (
    Replicated,
    check_batch_sizes,
    on_devices,
)
from tfagents_core.learning.schedules import linear
from tfagents_core.learning.targets import update_periodically, update_softly

__all__ = [
    "Adam",
    "Learner",
    "LearnerConfig",
    "NotFiniteError",
    "ObservationNormalizer",
    "ReplayConfig",
    "Replicated",
    "TransitionConfig",
    "check_batch_sizes",
    "check_positive",
    "check_within",
    "linear",
    "on_devices",
    "shuffle_minibatches",
    "update_periodically",
    "update_softly",
]
