"""`dm_env` environments of several suites, made from ids such as `atari:Pong`."""

from tfagents_core.environments.base import SeededEnvironment
from tfagents_core.environments.batched import BatchedEnvironment, SerialEnvironments
from tfagents_core.environments.errors import (
    EnvironmentFailedError,
    EnvironmentIdError,
    MissingExtraError,
    NotFiniteError,
    RenderingError,
    UnsupportedEnvironmentError,
)
from tfagents_core.environments.factory import (
    Factory,
    TrainingEnvironments,
    list_ids,
    make,
    make_canonical,
)
from tfagents_core.environments.seeding import episode_seed
from tfagents_core.environments.workers import WorkerEnvironments

__all__ = [
    "BatchedEnvironment",
    "EnvironmentFailedError",
    "EnvironmentIdError",
    "Factory",
    "MissingExtraError",
    "NotFiniteError",
    "RenderingError",
    "SeededEnvironment",
    "SerialEnvironments",
    "TrainingEnvironments",
    "UnsupportedEnvironmentError",
    "WorkerEnvironments",
    "episode_seed",
    "list_ids",
    "make",
    "make_canonical",
]
