"""A run's parts in several threads, processes or machines.

`ReplayService` is one shard of the replay behind methods that may be called remotely;
`ChunkClient` fills it from an actor and `ShardedSource` draws a learner's batches from
several. `weights` carries variables from the learner to actors. None of these knows how
calls travel: whoever launches them says.
"""

from tfagents_core.distributed.client import ChunkClient
from tfagents_core.distributed.service import ReplayService, Shard, ShardStats
from tfagents_core.distributed.source import ShardedSource
from tfagents_core.distributed.supervision import StoppedError, Wait
from tfagents_core.restarts import BudgetSpentError, RestartBudget

__all__ = [
    "BudgetSpentError",
    "ChunkClient",
    "ReplayService",
    "RestartBudget",
    "Shard",
    "ShardStats",
    "ShardedSource",
    "StoppedError",
    "Wait",
]
