"""A budget in bytes, copies on sampling, given priorities, and time-major arrays."""

from __future__ import annotations

from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from tfagents_core import replay

from . import helpers

views = replay.views


def batch_of(num_rows: int, value: float) -> dict[str, np.ndarray]:
    """Rows of `helpers.STEPS` in which everything is `value`."""
    return {
        name: np.full((num_rows, *column.shape), value, column.dtype)
        for name, column in helpers.STEPS.items()
    }


def least_budget(**options: Any) -> int:
    """The budget that the refusal of a budget of one byte asks for."""
    with pytest.raises(ValueError, match="max_bytes is 1, but table") as error:
        make_bounded(1, **options)
    return int(str(error.value).split(" needs ")[1].split(":")[0])


def make_bounded(
    max_bytes: int, *, num_streams: int = 1, **overrides: Any
) -> tuple[replay.Replay, replay.TableHandle]:
    table = helpers.make_table(**{"max_size": 100_000, **overrides})
    rb = replay.Replay(
        helpers.STEPS,
        [table],
        num_streams=num_streams,
        segment_rows=8,
        max_bytes=max_bytes,
    )
    return rb, rb.tables["table"]


@hypothesis.given(
    st.integers(1, 3), st.integers(1, 5), st.integers(0, 9), st.integers(0, 2**32)
)
@hypothesis.settings(max_examples=40, deadline=None)
def test_a_budget_is_kept_by_removing_the_oldest_items(
    num_streams: int, n: int, spare_blocks: int, seed: int
) -> None:
    options = {"num_streams": num_streams, "pattern": replay.NStep(n=n)}
    options |= {"outputs": views.Row("action", -1)}
    budget = least_budget(**options) + 300 * spare_blocks
    rb, handle = make_bounded(budget, **options)
    rng = np.random.default_rng(seed)
    for tick in range(250):
        first = tick == 0 or rng.random(num_streams) < 0.05
        rb.append(batch_of(num_streams, tick), first=first)
        rb.check_valid()
        assert rb.bytes_allocated <= budget
        assert handle.size or not handle.stats().num_inserted
    stats = handle.stats()
    assert stats.num_deleted == stats.num_inserted - stats.size > 0
    assert handle.sample(64).info.age.max() < stats.size  # the newest are left


def test_a_budget_is_shared_by_tables_and_the_oldest_steps_go_first() -> None:
    tables = [
        helpers.make_table("short", max_size=10**5),
        helpers.make_table(
            "long",
            max_size=10**5,
            pattern=replay.Sequence(length=20, period=20, end="drop"),
            outputs=views.Rows("action", 0, 20),
        ),
    ]
    rb = replay.Replay(helpers.STEPS, tables, segment_rows=8, max_bytes=16_384)
    for tick in range(2000):
        rb.append(batch_of(1, tick), first=tick == 0)
        assert rb.bytes_allocated <= 16_384
    rb.check_valid()
    assert rb.tables["long"].size > 5
    short = rb.tables["short"].sample(2000).data["action"]
    long = rb.tables["long"].sample(500).data
    assert abs(int(short.min()) - int(long.min())) < 40


def test_a_replay_whose_budget_holds_everything_removes_nothing() -> None:
    rb, handle = make_bounded(10**6)
    for tick in range(1000):
        rb.append(batch_of(1, tick), first=tick == 0)
    assert handle.size == 999


@pytest.mark.parametrize("max_bytes", [0, -5])
def test_a_budget_of_nothing_is_refused(max_bytes: int) -> None:
    with pytest.raises(ValueError, match="max_bytes"):
        make_bounded(max_bytes)


def test_a_budget_below_what_min_size_needs_is_refused_with_the_numbers() -> None:
    limiter = replay.MinSize(5000)
    needed = least_budget(rate_limiter=limiter)
    assert needed > 5000 * 20
    make_bounded(needed, rate_limiter=limiter)
    with pytest.raises(ValueError, match=f"{needed - 1}.*{needed}.*min_size 5000"):
        make_bounded(needed - 1, rate_limiter=limiter)


def test_a_budget_refuses_removers_that_would_empty_the_table() -> None:
    with pytest.raises(ValueError, match="Fifo"):
        make_bounded(10**6, remover=replay.Uniform())


def make_pair(**overrides: Any) -> replay.Replay:
    """A table whose items are copied into another when first sampled."""
    tables = [
        helpers.make_table("new", insert_on_sample="seen", **overrides),
        helpers.make_table("seen", pattern=None),
    ]
    return replay.Replay(helpers.STEPS, tables)


def test_the_first_sample_of_an_item_inserts_a_copy_into_the_other_table() -> None:
    rb = make_pair()
    helpers.append_items(rb, 20)
    drawn: set[int] = set()
    for _ in range(10):
        drawn |= set(rb.tables["new"].sample(3).data["action"].tolist())
        rb.check_valid()
        assert rb.tables["seen"].size == len(drawn)
    seen = rb.tables["seen"].sample(500)
    assert set(seen.data["action"].tolist()) == drawn
    assert rb.tables["new"].size == 20


def test_copies_keep_their_steps_and_priorities_when_the_original_goes() -> None:
    rb = make_pair(sampler=replay.Fifo(), max_times_sampled=1, max_size=4)
    row = helpers.make_row(np.random.default_rng(0))
    rb.append_one(row, first=True)
    for i, priority in enumerate([5.0, 0.25]):
        row["action"] = np.int32(i)
        rb.append_one(row, priorities={"new": priority})
    rb.tables["new"].sample(2)
    helpers.append_items(rb, 500)
    rb.check_valid()
    info, data = rb.tables["seen"].sample(50)
    expected = np.where(data["action"] == 0, 5.0, 0.25)
    np.testing.assert_array_equal(info.priority, expected)
    assert set(data["action"].tolist()) == {0, 1}


@pytest.mark.parametrize(
    ("name", "limiter", "word"),
    [
        ("nope", replay.MinSize(1), "no other table"),
        ("new", replay.MinSize(1), "no other table"),
        ("seen", replay.Queue(3), "rate limiter"),
    ],
)
def test_copies_into_a_table_that_cannot_take_them_are_refused(
    name: str, limiter: Any, word: str
) -> None:
    tables = [
        helpers.make_table("new", insert_on_sample=name),
        helpers.make_table("seen", rate_limiter=limiter),
    ]
    with pytest.raises(ValueError, match=word):
        replay.Replay(helpers.STEPS, tables)


def test_items_have_the_priority_given_with_the_row_that_makes_them() -> None:
    tables = [helpers.make_table("one"), helpers.make_table("two")]
    rb = replay.Replay(helpers.STEPS, tables, num_streams=3)
    rb.append(batch_of(3, 0), first=True)
    rb.append(batch_of(3, 1), priorities={"two": [0.0, 0.5, 7.0]})
    one, two = (rb.tables[name].sample(200).info for name in ("one", "two"))
    assert set(one.priority.tolist()) == {1.0}
    assert set(two.priority.tolist()) == {0.0, 0.5, 7.0}
    rb.append_one(helpers.make_row(np.random.default_rng(0)), priorities={"one": 3.0})
    assert 3.0 in rb.tables["one"].sample(200).info.priority
    rb.check_valid()


@pytest.mark.parametrize(
    ("priorities", "error"),
    [
        ({"table": [1.0]}, ValueError),
        ({"table": [1.0, -1.0]}, ValueError),
        ({"table": [1.0, float("nan")]}, ValueError),
        ({"nope": [1.0, 1.0]}, KeyError),
    ],
)
def test_bad_priorities_of_rows_are_refused_and_nothing_is_written(
    priorities: dict[str, list[float]], error: type[Exception]
) -> None:
    rb, handle = helpers.make_replay(num_streams=2)
    rb.append(batch_of(2, 0), first=True)
    with pytest.raises(error):
        rb.append(batch_of(2, 1), priorities=priorities)
    assert handle.size == 0
    rb.append(batch_of(2, 1), priorities={"table": np.float32([1, 2])})
    assert handle.size == 2


@hypothesis.given(
    st.integers(1, 6), st.integers(1, 5), st.none() | st.integers(1, 3), st.integers(1)
)
@hypothesis.settings(max_examples=30, deadline=None)
def test_time_major_batches_are_batch_major_ones_with_two_axes_exchanged(
    length: int, batch_size: int, stack: int | None, seed: int
) -> None:
    def run(time_major: bool) -> tuple[replay.TableHandle, replay.Sample]:
        rb, handle = helpers.make_replay(
            pattern=replay.Sequence(length=length + 1, period=1),
            outputs={
                "sequence": replay.sequence(helpers.STEPS, length, stack=stack),
                "first": views.Row("observation", 0, stack),
            },
            segment_rows=4,
            time_major=time_major,
        )
        rng = np.random.default_rng(seed)
        for step in range(40):
            row = helpers.make_row(rng)
            rb.append_one(row, first=step % 9 == 0, last=step % 9 == 8)
        return handle, handle.sample(batch_size)

    handle, (info, data) = run(True)
    _, expected = run(False)
    np.testing.assert_array_equal(info.key, expected.info.key)
    np.testing.assert_array_equal(data["first"], expected.data["first"])
    for name in ("observation", "action", "reward", "discount", "mask"):
        theirs = getattr(expected.data["sequence"], name)
        np.testing.assert_array_equal(
            getattr(data["sequence"], name), np.swapaxes(theirs, 0, 1), err_msg=name
        )
    mine = handle.sample(batch_size)
    assert handle.sample(batch_size, out=mine) is mine
    shapes = handle.describe_output(batch_size)["sequence"]
    assert shapes.mask.shape == data["sequence"].mask.shape == (length, batch_size)
    assert shapes.observation.shape == data["sequence"].observation.shape
