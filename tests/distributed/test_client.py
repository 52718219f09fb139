"""Rows reach the replay exactly once, whatever becomes of calls and processes."""

from __future__ import annotations

import pathlib
import threading

import numpy as np
import pytest

from tfagents_core import core, distributed, replay, testing

from . import toys


class TestChunkClient(testing.ReplayClientContract):
    @pytest.fixture(autouse=True)
    def _directory(self, tmp_path: pathlib.Path) -> None:
        self._path = tmp_path

    def make_client(self, num_streams: int) -> core.ReplayClient:
        table = replay.Table(
            "t",
            pattern=replay.Sequence(1, period=1),
            outputs={"reward": replay.views.Row("reward", 0)},
            max_size=100,
            rate_limiter=replay.MinSize(1),
        )
        buffer = replay.Replay(self.rows, [table], num_streams=num_streams)
        self._service = distributed.ReplayService(buffer, self._path)
        return distributed.ChunkClient(
            self._service,
            self.rows,
            actor="a",
            num_streams=num_streams,
            chunk_ticks=3,
        )

    def count_rows(self, client: core.ReplayClient) -> int:
        assert isinstance(client, distributed.ChunkClient)
        client.flush()
        return self._service.stats().tables["t"].num_inserted


def test_rows_travel_in_chunks(tmp_path: pathlib.Path) -> None:
    service = toys.make_service(tmp_path)
    client = toys.make_client(service, chunk_ticks=4)
    toys.play(client, 11)
    assert toys.values(service) == toys.expected(8)
    assert client.num_acknowledged == 2
    client.flush()
    assert toys.values(service) == toys.expected(11)
    client.flush()
    assert client.num_acknowledged == 3


def test_each_of_ten_thousand_chunks_is_appended_exactly_once(
    tmp_path: pathlib.Path,
) -> None:
    service = toys.make_service(tmp_path)
    lossy = toys.LossyShard(service)
    client = toys.make_client(lossy, chunk_ticks=2)
    toys.play(client, 20_000)
    assert client.num_acknowledged == 10_000
    assert min(lossy.num_lost.values()) > 2_500
    assert toys.values(service) == toys.expected(20_000)


def test_a_new_life_continues_where_chunks_were_acknowledged(
    tmp_path: pathlib.Path,
) -> None:
    """With the same streams, and what the old life still sends is refused."""
    service = toys.make_service(tmp_path)
    old = toys.make_client(service, chunk_ticks=4)
    toys.play(old, 10)  # Two chunks, and two ticks that die with it.
    new = toys.make_client(service, chunk_ticks=4)
    toys.play(new, 4)
    assert toys.values(service) == sorted(toys.expected(8) + toys.expected(4))
    with pytest.raises(ValueError, match="another actor-0 has taken this one's place"):
        old.flush()


def test_a_chunk_of_a_dead_actor_that_comes_late_is_not_appended(
    tmp_path: pathlib.Path,
) -> None:
    """Not even by a shard that was made again and knows no present life."""
    service = toys.make_service(tmp_path)
    first, last = np.ones((2, 1), bool), np.zeros((2, 1), bool)
    rows = {"value": np.zeros((2, 1), np.int64)}
    service.append_chunk("actor-0", "old", 0, rows, first, last, 0.0)
    service.open_writers("actor-0", "new")
    again = toys.make_service(tmp_path)
    assert not again.append_chunk("actor-0", "old", 1, rows, first, last, 0.0)
    assert again.last_number("actor-0", "old", 1) == 1


def test_an_actor_waits_while_the_rate_limiter_refuses(tmp_path: pathlib.Path) -> None:
    service = toys.make_service(
        tmp_path, rate_limiter=replay.SampleToInsertRatio(1.0, 4, error_buffer=12.0)
    )
    client = toys.make_client(service, chunk_ticks=2)
    thread = threading.Thread(target=toys.play, args=[client, 40])
    thread.start()
    while thread.is_alive():
        try:
            service.sample("t", 4, None, 1, 1.0)
        except TimeoutError:
            pass
    thread.join()
    assert toys.values(service) == toys.expected(40)


def test_a_wait_for_the_rate_limiter_ends_with_the_run(tmp_path: pathlib.Path) -> None:
    stop = threading.Event()
    client = _full_client(tmp_path, stop=stop)
    stop.set()
    with pytest.raises(distributed.StoppedError, match="actor-0"):
        toys.play(client, 100)


def test_a_wait_that_is_too_long_says_what_for(tmp_path: pathlib.Path) -> None:
    client = _full_client(tmp_path, timeout_s=1e-3)
    with pytest.raises(TimeoutError, match="actor-0, sending rows, .*insert"):
        toys.play(client, 100)


def _full_client(directory: pathlib.Path, **options: object) -> distributed.ChunkClient:
    """Of a replay that takes a few rows, and nobody samples."""
    limiter = replay.SampleToInsertRatio(1.0, 4, error_buffer=12.0)
    service = toys.make_service(directory, rate_limiter=limiter)
    return toys.make_client(service, chunk_ticks=2, **options)


def test_a_shard_that_never_answers_is_named(tmp_path: pathlib.Path) -> None:
    class Gone:
        def open_writers(self, actor: str, token: str) -> None:
            raise ConnectionError("shard 3 is away")

    client = toys.make_client(Gone(), timeout_s=1e-3)
    with pytest.raises(TimeoutError, match="does not answer .shard 3 is away"):
        toys.play(client, 4)


def test_a_chunk_that_was_cut_off_is_sent_before_the_next(
    tmp_path: pathlib.Path,
) -> None:
    service = toys.make_service(tmp_path)

    class Once:
        def __getattr__(self, name: str) -> object:
            return getattr(service, name)

        def append_chunk(self, *arguments: object) -> bool:
            del self.__class__.append_chunk
            raise TimeoutError("not now")

    stop = threading.Event()
    stop.set()
    client = toys.make_client(Once(), chunk_ticks=4, stop=stop)
    with pytest.raises(distributed.StoppedError):
        toys.play(client, 4)
    for tick in range(4, 8):
        toys.append(client, tick)
    assert toys.values(service) == toys.expected(8)
