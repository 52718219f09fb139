"""A Reverb server in a process of its own: prints its port and serves until killed."""

from __future__ import annotations

import time

import numpy as np

from tfagents_core import replay
from tfagents_core.distributed import reverb_backend

STEPS = {"value": replay.Column((), np.int64)}
TABLE = replay.Table(
    "t",
    pattern=replay.NStep(1),
    outputs={"value": replay.views.Row("value", -1)},
    max_size=1000,
    sampler=replay.Fifo(),
    max_times_sampled=1,
    rate_limiter=replay.Queue(1000),
)

if __name__ == "__main__":
    server = reverb_backend.make_server(STEPS, [TABLE])
    print(server.port, flush=True)
    while True:
        time.sleep(60)
