"""A shard's process may be killed at any moment."""

from __future__ import annotations

import pathlib
import random

from . import remote, toys


def test_a_killed_shard_loses_and_doubles_no_acknowledged_chunk(
    tmp_path: pathlib.Path,
) -> None:
    kill_at = set(random.Random(0).sample(range(2, 500), 12))
    shard = remote.KilledShard(tmp_path, kill_at=kill_at)
    client = toys.make_client(shard, chunk_ticks=2)
    for tick in range(1_000):
        toys.append(client, tick)
        if tick % 250 == 0:
            shard.save()
    assert client.num_acknowledged == 500
    assert shard.values() == toys.expected(1_000)
    shard.kill()
