"""Batches from several shards, and priorities back to them."""

from __future__ import annotations

import pathlib
import threading
from typing import Any

import numpy as np
import pytest

from tfagents_core import distributed, replay
from tfagents_core.distributed import service as services

from . import toys


def make_shards(
    directory: pathlib.Path, *, count: int = 2, num_ticks: int = 100, **changes: Any
) -> list[distributed.ReplayService]:
    shards = []
    for index in range(count):
        shard = toys.make_service(directory / str(index), shard=index, **changes)
        toys.play(toys.make_client(shard, chunk_ticks=num_ticks), num_ticks)
        shards.append(shard)
    return shards


def make_source(shards: Any, **options: Any) -> distributed.ShardedSource:
    given = {"retry_s": 0.0, "timeout_s": 60.0, **options}
    return distributed.ShardedSource(shards, {"t": 4}, **given)


@pytest.mark.parametrize("shard", [0, 1, 63])
def test_a_key_tells_its_shard(tmp_path: pathlib.Path, shard: int) -> None:
    service = toys.make_service(tmp_path, shard=shard)
    toys.play(toys.make_client(service), 8)
    (sample,) = service.sample("t", 4, None, 1, 0.0)
    assert services.shard_of(sample.info.key).tolist() == [shard] * 4


def test_batches_come_from_every_shard(tmp_path: pathlib.Path) -> None:
    source = make_source(make_shards(tmp_path))
    seen = {int(services.shard_of(source.next().info.key)[0]) for _ in range(20)}
    source.close()
    assert seen == {0, 1}


def test_no_more_is_drawn_ahead_than_was_said(tmp_path: pathlib.Path) -> None:
    shards = make_shards(tmp_path)
    source = make_source(shards, batches_per_call=2, num_in_flight=3)
    for _ in range(5):
        source.next()
    source.close()
    num_drawn = sum(shard.stats().tables["t"].num_sampled for shard in shards) // 4
    assert 5 <= num_drawn <= 5 + 2 * 3


def test_updates_of_one_step_are_drawn_together(tmp_path: pathlib.Path) -> None:
    source = make_source(make_shards(tmp_path), num_batches=3)
    sample = source.next()
    source.close()
    assert sample.info.key.shape == (3, 4) and sample.data["value"].shape == (3, 4)


def test_priorities_go_back_to_their_shards(tmp_path: pathlib.Path) -> None:
    shards = make_shards(tmp_path)
    source = make_source(shards)
    tables = [shard._buffer.tables["t"] for shard in shards]
    keys = np.concatenate([table.keys()[:3] for table in tables])[[0, 3, 1, 4]]
    source.update_priorities("t", keys, np.array([5.0, 6.0, 7.0, 8.0]))
    source.close()
    for table, expected in zip(tables, ([5.0, 7.0, 1.0], [6.0, 8.0, 1.0])):
        priorities = table.get(table.keys()[:3]).info.priority
        assert priorities.tolist() == expected


def test_of_two_priorities_of_an_item_the_last_counts(tmp_path: pathlib.Path) -> None:
    shards = make_shards(tmp_path, count=1)
    source = make_source(shards)
    table = shards[0]._buffer.tables["t"]
    key = table.keys()[:1]
    for priority in range(50):
        source.update_priorities("t", key, np.array([float(priority)]))
    source.close()
    assert table.get(key).info.priority.tolist() == [49.0]


def test_a_refused_priority_is_the_learners_error(tmp_path: pathlib.Path) -> None:
    shards = make_shards(tmp_path)
    source = make_source(shards)
    source.update_priorities("t", source.next().info.key, np.full(4, np.nan))
    source.close()
    with pytest.raises(ValueError, match="priorit"):
        source.next()


def test_several_tables_come_as_a_dict(tmp_path: pathlib.Path) -> None:
    tables = [
        replay.Table(
            name,
            pattern=replay.NStep(1),
            outputs={"value": replay.views.Row("value", -1)},
            max_size=100,
            rate_limiter=replay.MinSize(1),
        )
        for name in ("a", "b")
    ]
    service = distributed.ReplayService(
        replay.Replay(toys.STEPS, tables, num_streams=2), tmp_path
    )
    toys.play(toys.make_client(service), 8)
    source = distributed.ShardedSource([service], {"a": 4, "b": 2})
    batch = source.next()
    source.close()
    assert batch["a"].info.key.shape == (4,) and batch["b"].info.key.shape == (2,)


def test_a_draw_whose_answer_is_lost_is_made_again(tmp_path: pathlib.Path) -> None:
    lossy = [toys.LossyShard(shard) for shard in make_shards(tmp_path)]
    source = make_source(lossy)
    for _ in range(50):
        assert len(source.next().info.key) == 4
    source.close()


def test_an_empty_shard_does_not_hold_up_the_others(tmp_path: pathlib.Path) -> None:
    shards = [
        *make_shards(tmp_path, count=1),
        toys.make_service(tmp_path / "empty", shard=1),
    ]
    source = make_source(shards)
    for _ in range(10):
        assert not services.shard_of(source.next().info.key).any()
    source.close()


def test_a_wait_for_a_batch_says_what_for(tmp_path: pathlib.Path) -> None:
    source = make_source([toys.make_service(tmp_path)], timeout_s=1e-3)
    assert not source.is_ready()
    while "sample" not in source.reason:
        assert not source.wait(0.1)  # No shard has answered yet.
    with pytest.raises(TimeoutError, match="table 't', waited .*sample"):
        source.next()
    source.close()


def test_a_wait_for_a_batch_ends_with_the_run(tmp_path: pathlib.Path) -> None:
    stop = threading.Event()
    stop.set()
    source = make_source([toys.make_service(tmp_path)], stop=stop)
    with pytest.raises(distributed.StoppedError):
        source.next()
    source.close()


def test_an_error_of_a_draw_is_the_learners(tmp_path: pathlib.Path) -> None:
    source = distributed.ShardedSource(make_shards(tmp_path), {"other": 4})
    with pytest.raises(KeyError, match="no table 'other'"):
        source.next()
    source.close()


def test_the_ratio_holds_over_all_shards(tmp_path: pathlib.Path) -> None:
    """Each shard keeps it, so all do: no integer is truncated anywhere."""
    limiter = replay.SampleToInsertRatio(2.5, 10, error_buffer=40.0)
    shards = [
        toys.make_service(tmp_path / str(k), shard=k, rate_limiter=limiter)
        for k in range(2)
    ]
    stop = threading.Event()
    actors = [
        threading.Thread(target=_play_until_stopped, args=[shard, stop])
        for shard in shards
    ]
    for actor in actors:
        actor.start()
    source = make_source(shards)
    for _ in range(1_000):
        source.next()
    stop.set()
    for actor in actors:
        actor.join()
    source.close()
    stats = [shard.stats().tables["t"] for shard in shards]
    for each in stats:
        due = 2.5 * each.num_inserted - each.num_sampled
        assert abs(due - 2.5 * 10) <= 40.0


def _play_until_stopped(shard: Any, stop: threading.Event) -> None:
    client = toys.make_client(shard, chunk_ticks=2, stop=stop)
    try:
        toys.play(client, 10**6)
    except distributed.StoppedError:
        pass
