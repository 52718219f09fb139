"""Where a learner's batches come from: tables and pipelines."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tfagents_core import datasets, replay

STEPS = {"x": replay.Column((3,), np.float32)}


def make_table(name: str, **changes: Any) -> replay.Table:
    return replay.Table(
        name,
        **{
            "sampler": replay.Prioritized(1.0),
            "max_size": 100,
            "rate_limiter": replay.MinSize(1),
            "pattern": replay.NStep(1),
            "outputs": replay.views.Row("x", 0),
            **changes,
        },
    )


def make_buffer(num_items: int, *tables: replay.Table) -> replay.Replay:
    """Item i of every table is of the number i."""
    buffer = replay.Replay(STEPS, tables or [make_table("t")], seed=0)
    for number in range(num_items + 1):
        buffer.append_one({"x": np.full(3, number, np.float32)}, first=number == 0)
    return buffer


def test_a_table_source_gives_batches_of_its_table() -> None:
    source = datasets.TableSource(make_buffer(20).tables, {"t": 4})
    sample = source.next()
    assert isinstance(sample, replay.Sample)
    assert sample.data.shape == (4, 3)
    np.testing.assert_array_equal(sample.data[:, 0], sample.info.key)


def test_a_table_source_draws_what_a_pipeline_draws() -> None:
    source = datasets.TableSource(make_buffer(20).tables, {"t": 4})
    pipeline = datasets.PipelineSource(
        datasets.from_table(make_buffer(20).tables["t"], batch_size=4)
    )
    for _ in range(3):
        one, other = source.next(), pipeline.next()
        np.testing.assert_array_equal(one.info.key, other.info.key)
        np.testing.assert_array_equal(one.data, other.data)


def test_a_table_source_draws_nothing_ahead() -> None:
    buffer = make_buffer(20)
    source = datasets.TableSource(buffer.tables, {"t": 4}, num_batches=2)
    assert source.is_ready()
    assert buffer.tables["t"].stats().num_sampled == 0
    source.next()
    assert buffer.tables["t"].stats().num_sampled == 8


def test_several_batches_are_drawn_at_once_with_their_own_axis() -> None:
    source = datasets.TableSource(make_buffer(20).tables, {"t": 4}, num_batches=3)
    sample = source.next()
    assert sample.info.key.shape == (3, 4)
    assert sample.data.shape == (3, 4, 3)
    np.testing.assert_array_equal(sample.data[..., 0], sample.info.key)


def test_from_several_tables_a_batch_is_a_dict_of_those_asked_for() -> None:
    buffer = make_buffer(20, *(make_table(name) for name in ("a", "b", "unasked")))
    source = datasets.TableSource(buffer.tables, {"b": 2, "a": 5})
    batch = source.next()
    assert {name: len(sample.data) for name, sample in batch.items()} == {
        "a": 5,
        "b": 2,
    }
    assert buffer.tables["unasked"].stats().num_sampled == 0


@pytest.mark.parametrize(
    ("size", "num_batches", "expected"),
    [(1, 1, False), (2, 1, True), (5, 3, False), (6, 3, True)],
)
def test_a_table_source_is_ready_when_the_table_has_all_its_batches(
    size: int, num_batches: int, expected: bool
) -> None:
    queue = make_table("t", sampler=replay.Fifo(), rate_limiter=replay.Queue(100))
    buffer = make_buffer(size, queue)
    source = datasets.TableSource(buffer.tables, {"t": 2}, num_batches=num_batches)
    assert source.is_ready() is expected


@pytest.mark.parametrize(("size", "expected"), [(1, False), (2, False), (3, True)])
def test_a_table_source_is_ready_when_all_its_tables_are(
    size: int, expected: bool
) -> None:
    tables = [
        make_table("a", rate_limiter=replay.MinSize(1)),
        make_table("b", rate_limiter=replay.MinSize(3)),
    ]
    source = datasets.TableSource(make_buffer(size, *tables).tables, {"a": 1, "b": 1})
    assert source.is_ready() is expected


def test_a_pipeline_is_always_ready_and_ends_when_it_does() -> None:
    source = datasets.PipelineSource(tf.data.Dataset.range(2))
    taken = []
    for _ in range(2):
        assert source.is_ready()
        taken.append(int(source.next()))
    assert taken == [0, 1]
    assert source.is_ready()
    with pytest.raises(StopIteration):
        source.next()


@pytest.mark.parametrize("kind", ["table", "pipeline"])
def test_priorities_reach_the_table(kind: str) -> None:
    buffer = make_buffer(20)
    source = make_source(kind, buffer.tables)
    source.update_priorities("t", np.arange(20), np.eye(20)[7])
    np.testing.assert_array_equal(source.next().info.key, np.full(4, 7))


def make_source(kind: str, tables: Any) -> Any:
    if kind == "table":
        return datasets.TableSource(tables, {"t": 4})
    dataset = datasets.from_table(tables["t"], batch_size=4)
    return datasets.PipelineSource(dataset, tables)


@pytest.mark.parametrize("kind", ["table", "pipeline"])
def test_priorities_of_items_that_have_gone_are_skipped(kind: str) -> None:
    buffer = make_buffer(20, make_table("t", max_size=5))
    source = make_source(kind, buffer.tables)
    keys = np.unique(buffer.tables["t"].sample(1000).info.key)
    for number in (21, 22):
        buffer.append_one({"x": np.full(3, number, np.float32)})
    source.update_priorities("t", keys, np.arange(5) == 4)
    data = [source.next().data for _ in range(30)]
    assert set(np.ravel(data)) == {19, 20, 21}  # Of the old ones the last alone.


def test_a_pipeline_ignores_priorities_of_tables_it_was_not_given() -> None:
    source = datasets.PipelineSource(tf.data.Dataset.range(2))
    source.update_priorities("t", np.arange(2), np.ones(2))


def test_batches_that_can_never_be_drawn_are_refused() -> None:
    queue = make_table("t", sampler=replay.Fifo(), rate_limiter=replay.Queue(4))
    tables = make_buffer(0, queue).tables
    datasets.TableSource(tables, {"t": 2}, num_batches=2)
    with pytest.raises(ValueError, match="6"):
        datasets.TableSource(tables, {"t": 2}, num_batches=3)


def test_waiting_too_long_says_what_for() -> None:
    table = make_table("t", rate_limiter=replay.MinSize(10))
    tables = make_buffer(3, table).tables
    source = datasets.TableSource(tables, {"t": 2}, timeout_s=0.01)
    with pytest.raises(TimeoutError, match="min_size 10"):
        source.next()


_WAITING = """
import signal, sys, threading
import numpy as np
import tensorflow as tf
from tfagents_core import core, datasets, learning, replay

# Whoever started the tests in the background may have had it ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
steps = {"x": replay.Column((), np.float32)}
table = replay.Table("t", max_size=9, rate_limiter=replay.MinSize(5),
                     pattern=replay.NStep(1), outputs=replay.views.Row("x", 0))
tables = replay.Replay(steps, [table]).tables
kind, prefetch = sys.argv[1], int(sys.argv[2])
if kind == "table":
    source = datasets.TableSource(tables, {"t": 2})
else:
    source = datasets.PipelineSource(
        datasets.from_table(tables["t"], batch_size=2, prefetch=prefetch), tables)

class Rule(core.UpdateRule):
    variables = {"policy": []}
    def update(self, batch, *, seed, num_steps):
        return core.Update({"loss": tf.constant(0.0)})

learner = learning.Learner(Rule(), source, seed=0)
next_ = source.next
def tell_and_next():
    threading.Timer(0.5, print, ["waiting"], {"flush": True}).start()
    return next_()
source.next = tell_and_next
try:
    learner.step()
except KeyboardInterrupt:
    print("interrupted", flush=True)
    raise
"""


@pytest.mark.parametrize(
    ("kind", "prefetch"), [("table", 0), ("pipeline", 0), ("pipeline", 2)]
)
def test_ctrl_c_is_heard_while_a_learner_waits_for_its_batch(
    kind: str, prefetch: int
) -> None:
    words = [sys.executable, "-c", _WAITING, kind, str(prefetch)]
    process = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(signal.SIGINT)
        # Without a signal it would wait for ever; a second is enough on a quiet machine.
        output, errors = process.communicate(timeout=30)
    finally:
        process.kill()
    assert output == "interrupted\n"
    assert "KeyboardInterrupt" in errors
    assert process.returncode != 0
