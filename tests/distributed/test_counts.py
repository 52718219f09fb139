"""What shards hold together, in numbers and in words."""

from __future__ import annotations

import pathlib

from tfagents_core import replay
from tfagents_core.distributed import counts

from . import toys


def test_counts_of_shards_add_up(tmp_path: pathlib.Path) -> None:
    limiter = replay.SampleToInsertRatio(2.0, 4, error_buffer=100.0)
    shards = [
        toys.make_service(tmp_path / str(k), shard=k, rate_limiter=limiter)
        for k in range(2)
    ]
    for shard in shards:
        toys.play(toys.make_client(shard), 8)
        shard.sample("t", 4, None, 2, 0.0)
    table = shards[0]._buffer.tables["t"].config
    totals = counts.Totals.of(table, [shard.stats() for shard in shards])
    assert (totals.size, totals.num_inserted, totals.num_sampled) == (28, 28, 16)
    words = "28 items; 0.6 samples per insert (target 2)"
    assert counts.describe(totals, is_only=True) == words
    assert counts.describe(totals, is_only=False) == f"t: {words}"


def test_a_table_without_a_ratio_has_no_target(tmp_path: pathlib.Path) -> None:
    service = toys.make_service(tmp_path)
    table = service._buffer.tables["t"].config
    totals = counts.Totals.of(table, [])
    assert counts.describe(totals, is_only=True) == "0 items; 0.0 samples per insert"
