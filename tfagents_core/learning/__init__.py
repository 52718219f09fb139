"""What learners share."""

from tfagents_core.learning.learner import NotFiniteError, SGDLearner, Update
from tfagents_core.learning.optimizers import Adam
from tfagents_core.learning.targets import update_periodically

__all__ = ["Adam", "NotFiniteError", "SGDLearner", "Update", "update_periodically"]
