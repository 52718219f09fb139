"""Experience replay in C++: steps stored once, items over them, batches out.

Needs NumPy and dm-tree only. `transitions` and `sequences` make a replay that is ready
for use; all that it is made of can be put together otherwise:

    import numpy as np
    from tfagents_core import replay

    steps = {
        "observation": replay.Column((3,), np.float32),
        "action": replay.Column((), np.int32),
        "reward": replay.Column((), np.float32),
        "discount": replay.Column((), np.float32),
    }
    buffer = replay.Replay(
        steps,
        tables=[
            replay.Table(
                "transitions",
                pattern=replay.NStep(n=5),
                outputs=replay.n_step_transition(steps, gamma=0.99),
                sampler=replay.Prioritized(alpha=0.6),
                max_size=1_000_000,
                rate_limiter=replay.MinSize(1_000),
            )
        ],
    )
    buffer.append_one(row, first=True)
    ...
    table = buffer.tables["transitions"]
    info, batch = table.sample(256, beta=0.4)
    table.update_priorities(info.key, abs(td_error))
"""

from tfagents_core.replay import views
from tfagents_core.replay._core import ClosedError, DamagedCheckpointError
from tfagents_core.replay.asynchronous import AsyncReplay
from tfagents_core.replay.buffer import Replay
from tfagents_core.replay.checkpoint import latest_intact
from tfagents_core.replay.columns import Column
from tfagents_core.replay.durable import DurableReplay
from tfagents_core.replay.env_replay import EnvReplay
from tfagents_core.replay.outputs import (
    SequenceSample,
    Transition,
    Unroll,
    n_step_transition,
    sequence,
    unroll,
)
from tfagents_core.replay.patterns import Episode, NStep, Sequence
from tfagents_core.replay.rate_limiters import MinSize, Queue, SampleToInsertRatio
from tfagents_core.replay.ready_made import sequences, transitions
from tfagents_core.replay.relabelling import hindsight
from tfagents_core.replay.selectors import (
    Fifo,
    Lifo,
    MaxHeap,
    MinHeap,
    Prioritized,
    Uniform,
    WithoutReplacement,
)
from tfagents_core.replay.tables import (
    Sample,
    SampleInfo,
    Table,
    TableHandle,
    TableStats,
)

__all__ = [
    "AsyncReplay",
    "ClosedError",
    "Column",
    "DamagedCheckpointError",
    "DurableReplay",
    "EnvReplay",
    "Episode",
    "Fifo",
    "Lifo",
    "MaxHeap",
    "MinHeap",
    "MinSize",
    "NStep",
    "Prioritized",
    "Queue",
    "Replay",
    "Sample",
    "SampleInfo",
    "SampleToInsertRatio",
    "Sequence",
    "SequenceSample",
    "Table",
    "TableHandle",
    "TableStats",
    "Transition",
    "Uniform",
    "Unroll",
    "WithoutReplacement",
    "hindsight",
    "latest_intact",
    "n_step_transition",
    "sequence",
    "sequences",
    "transitions",
    "unroll",
    "views",
]
