"""`dm_env` environments of several suites, made from ids such as `atari:Pong`."""

from tfagents_core.environments.base import SeededEnvironment
from tfagents_core.environments.errors import (
    EnvironmentIdError,
    MissingExtraError,
    RenderingError,
    UnsupportedEnvironmentError,
)
from tfagents_core.environments.factory import list_ids, make, make_canonical
from tfagents_core.environments.seeding import episode_seed

__all__ = [
    "EnvironmentIdError",
    "MissingExtraError",
    "RenderingError",
    "SeededEnvironment",
    "UnsupportedEnvironmentError",
    "episode_seed",
    "list_ids",
    "make",
    "make_canonical",
]
