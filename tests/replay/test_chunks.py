"""Chunks: at most once, on streams of their writers, across saves."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import pytest

from tfagents_core import replay

from . import helpers

STEPS = {
    "value": replay.Column((), np.int64),
    "image": replay.Column((3,), np.uint8),
}


def make(**options: Any) -> replay.Replay:
    table = replay.Table(
        "t",
        pattern=options.pop("pattern", replay.NStep(1)),
        outputs={"value": replay.views.Row("value", -1)},
        max_size=1000,
        rate_limiter=options.pop("rate_limiter", replay.MinSize(1)),
    )
    return replay.Replay(STEPS, [table], **{"num_streams": 2, **options})


def rows(*values: int) -> dict[str, np.ndarray]:
    image = np.repeat(np.array(values)[:, None] % 256, 3, axis=1).astype(np.uint8)
    return {"value": np.array(values, np.int64), "image": image}


def values_of(rb: replay.Replay) -> list[int]:
    table = rb.tables["t"]
    return table.get(table.keys()).data["value"].tolist()


def test_a_chunk_is_appended_once() -> None:
    rb = make()
    assert rb.last_number("a") == -1
    assert rb.append_chunk("a", 0, rows(1, 2, 3), first=True)
    assert not rb.append_chunk("a", 0, rows(1, 2, 3), first=True)
    assert rb.append_chunk("a", 1, rows(4, 5), last=True)
    assert not rb.append_chunk("a", 0, rows(9, 9, 9), first=True)
    assert values_of(rb) == [2, 3, 4, 5]
    assert rb.last_number("a") == 1 and rb.writers == {"a": 1}
    rb.check_valid()


def test_a_missing_chunk_is_asked_for() -> None:
    rb = make()
    for number in (-1, 1, 5):
        with pytest.raises(ValueError, match=f"chunk {number} of writer 'a' .* send 0"):
            rb.append_chunk("a", number, rows(1), first=True)
    rb.append_chunk("a", 0, rows(1), first=True)
    with pytest.raises(ValueError, match="send 1 first"):
        rb.close_writer("a", 2)
    assert rb.writers == {"a": 0}


def test_writers_have_streams_of_their_own_until_they_close() -> None:
    rb = make()
    rb.append_chunk("a", 0, rows(1, 2), first=True)
    rb.append_chunk("b", 0, rows(11, 12), first=True)
    with pytest.raises(ValueError, match="writer 'c' finds no free stream: all 2"):
        rb.append_chunk("c", 0, rows(21), first=True)
    assert rb.writers == {"a": 0, "b": 0}
    for stream in (0, 1):
        with pytest.raises(ValueError, match=f"stream {stream} belongs to a writer"):
            rb.append_one({"value": 1, "image": np.zeros(3, np.uint8)}, stream=stream)
    assert rb.close_writer("a", 1) and not rb.close_writer("a", 1)
    rb.append_chunk("c", 0, rows(21, 22), first=True)
    # A closed writer's chunks are still known; its episode is not open any more.
    assert not rb.append_chunk("a", 0, rows(1, 2), first=True)
    assert rb.close_writer("b", 1)
    with pytest.raises(ValueError, match="no open episode"):
        rb.append_chunk("a", 2, rows(3))
    rb.append_chunk("a", 2, rows(3, 4), first=True)
    assert values_of(rb) == [2, 12, 22, 4]
    rb.check_valid()


def test_a_stream_that_others_append_to_is_no_writers() -> None:
    rb = make()
    rb.append_one({"value": 7, "image": np.zeros(3, np.uint8)}, first=True, stream=0)
    rb.append_chunk("a", 0, rows(1, 2), first=True)
    rb.append_one({"value": 8, "image": np.zeros(3, np.uint8)}, stream=0)
    assert values_of(rb) == [2, 8]


@pytest.mark.parametrize(
    "change, error",
    [
        ({"rows": rows()}, "a chunk of 0 rows"),
        ({"first": False}, "no open episode"),
        ({"rows": {"value": np.zeros(2)}}, "structure"),
        ({"priorities": {"t": [1.0, -1.0]}}, "priorit"),
    ],
)
def test_a_chunk_that_is_refused_is_not_taken(change: Any, error: str) -> None:
    rb = make()
    arguments = {"rows": rows(1, 2), "first": True, **change}
    with pytest.raises(ValueError, match=error):
        rb.append_chunk("a", 0, **arguments)
    assert rb.writers == {} and rb.tables["t"].size == 0
    rb.append_chunk("a", 0, rows(1, 2), first=True)
    rb.append_chunk("b", 0, rows(1, 2), first=True)
    rb.check_valid()


def test_a_chunk_that_waits_too_long_is_not_taken() -> None:
    rb = make(rate_limiter=replay.SampleToInsertRatio(1.0, 1, 2.0))
    rb.append_chunk("a", 0, rows(0, 1, 2), first=True)
    with pytest.raises(TimeoutError, match="waiting to insert into table 't'"):
        rb.append_chunk("a", 1, rows(3, 4), timeout=0)
    assert rb.last_number("a") == 0
    rb.tables["t"].sample(2)
    assert rb.append_chunk("a", 1, rows(3, 4), timeout=0)


def test_a_restored_replay_knows_what_it_has(tmp_path: pathlib.Path) -> None:
    rb = make()
    rb.append_chunk("a", 0, rows(1, 2), first=True)
    rb.append_chunk("b", 0, rows(11, 12), first=True)
    rb.close_writer("b", 1)
    rb.save(tmp_path / "replay")
    rb.append_chunk("a", 1, rows(3))
    copy = make()
    copy.restore(tmp_path / "replay")
    assert copy.writers == {"a": 0, "b": 1}
    assert copy.append_chunk("a", 1, rows(3, 4))  # its episode is still open
    assert copy.append_chunk("b", 2, rows(13, 14), first=True)
    assert values_of(copy) == [2, 12, 3, 4, 14]
    copy.check_valid()


def test_a_reset_forgets_items_and_streams_but_no_numbers() -> None:
    rb = make()
    rb.append_chunk("a", 0, rows(1, 2), first=True)
    rb.append_chunk("b", 0, rows(1, 2), first=True)
    rb.reset()
    assert rb.writers == {"a": 0, "b": 0}
    with pytest.raises(ValueError, match="no open episode"):
        rb.append_chunk("a", 1, rows(3))
    for writer in ("a", "c"):
        number = rb.last_number(writer) + 1
        rb.append_chunk(writer, number, rows(4, 5), first=True)
    assert values_of(rb) == [5, 5]


def test_many_writers_come_and_go() -> None:
    rb = make(num_streams=4, segment_rows=4)
    rng = np.random.default_rng(0)
    open_writers: dict[str, int] = {}
    expected = []
    for i in range(300):
        if len(open_writers) == 4:
            name = str(rng.choice(sorted(open_writers)))
            rb.close_writer(name, open_writers.pop(name) + 1)
        name = f"writer-{i}"
        for number in range(int(rng.integers(1, 4))):
            first = number == 0
            values = [100 * i + 10 * number + j for j in range(3)]
            rb.append_chunk(name, number, rows(*values), first=first)
            rb.append_chunk(name, number, rows(*values), first=first)
            expected += values[1:] if first else values
            open_writers[name] = number
    assert values_of(rb) == expected[-1000:]
    assert len(rb.writers) == 300
    rb.check_valid()


def test_chunks_make_what_runs_make() -> None:
    table = helpers.make_table(pattern=replay.Sequence(4, 2))
    chunked, plain = (replay.Replay(helpers.STEPS, [table]) for _ in range(2))
    rng = np.random.default_rng(0)
    for number in range(20):
        run = [helpers.make_row(rng) for _ in range(5)]
        arrays = {name: np.stack([row[name] for row in run]) for name in run[0]}
        first = np.arange(5) == number % 5 if number else True
        chunked.append_chunk("w", number, arrays, first)
        plain.append_steps(arrays, first)
    keys = [rb.tables["table"].keys() for rb in (chunked, plain)]
    np.testing.assert_array_equal(*keys)
    data = [rb.tables["table"].get(keys[0]).data["action"] for rb in (chunked, plain)]
    np.testing.assert_array_equal(*data)
