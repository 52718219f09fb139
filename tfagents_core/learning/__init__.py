"""What learners share."""

from tfagents_core.learning.learner import SGDLearner
from tfagents_core.learning.optimizers import Adam
from tfagents_core.learning.targets import update_periodically

__all__ = ["Adam", "SGDLearner", "update_periodically"]
