"""Absurd sizes get one clear sentence, or the right answer; none overflows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tfagents_core import replay

ROWS = replay.Sequence(length=1, period=1)
X = {"x": replay.Column((), np.float32)}


def make(
    steps: dict[str, replay.Column] | None = None,
    *,
    outputs: Any = None,
    pattern: replay.Pattern | None = ROWS,
    max_size: int = 100,
    **options: Any,
) -> replay.Replay:
    steps = steps or X
    table = replay.Table(
        "t",
        pattern=pattern,
        outputs=outputs or {name: replay.views.Row(name, 0) for name in steps},
        max_size=max_size,
        rate_limiter=replay.MinSize(1),
    )
    return replay.Replay(steps, [table], **options)


@pytest.mark.parametrize("shape", [(2**31, 2**31, 4), (2**60,), (2**29,), (2**62, 0)])
def test_a_row_of_gigabytes_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"column 'x' .* fewer than 2\^31 bytes"):
        make({"x": replay.Column(shape, np.float32)})


def test_a_row_of_nothing_is_a_row() -> None:
    rb = make({"x": replay.Column((0, 2**40), np.float32)})
    rb.append_one({"x": np.zeros((0, 2**40), np.float32)}, first=True)
    assert rb.tables["t"].sample(3).data["x"].shape == (3, 0, 2**40)


@pytest.mark.parametrize(
    "view",
    [
        replay.views.Rows("x", 0, 2**60),
        replay.views.Rows("x", 2**63 - 3, 2**63 - 1),
        replay.views.Row("x", -(2**63)),
        replay.views.Row("x", 2**63 - 1, 4),
        replay.views.Row("x", 0, 2**63 - 1),
    ],
)
def test_a_view_of_more_rows_than_there_can_be_is_refused(view: Any) -> None:
    with pytest.raises(ValueError, match=r"at most 2\^31|between -2\^31 and 2\^31"):
        make(outputs={"x": view})


def test_an_output_of_gigabytes_is_refused() -> None:
    with pytest.raises(ValueError, match=r"output of Rows: .* fewer than 2\^31 bytes"):
        make(outputs={"x": replay.views.Rows("x", 0, 2**30, 2**20)})


@pytest.mark.parametrize(
    "options",
    [
        {"history": 2**63 - 1},
        {"history": 2**63 - 1, "outputs": {"x": replay.views.Row("x", 0, 4)}},
        {"pattern": replay.Sequence(3, 2**63 - 1)},
    ],
)
def test_more_rows_of_history_than_there_can_be_are_refused(options: Any) -> None:
    with pytest.raises(ValueError, match=r"at most 2\^31|in \[1, 2\^30\]"):
        make(**options)


@pytest.mark.parametrize(
    "length, end",
    [(2**62, -(2**62)), (2**63 - 1, -5), (5, -(2**63 - 3)), (1, -(2**63)), (0, -1)],
)
def test_rows_that_never_were_make_no_item(length: int, end: int) -> None:
    rb = make(pattern=None, history=8)
    for t in range(20):
        rb.append_one({"x": float(t)}, first=t == 0)
    with pytest.raises(IndexError, match="not within its history of 8 rows"):
        rb.create_item("t", length, end=end)
    rb.check_valid()


def test_the_memory_of_the_largest_table_is_projected_without_overflow() -> None:
    rb = make(pattern=replay.Episode(2**30), max_size=2**31 - 1)
    assert rb.projected_bytes("t") >= 2**61


def test_counts_are_not_negative() -> None:
    table = make().tables["t"]
    for ask in (table.can_sample, table.can_insert):
        with pytest.raises(ValueError, match="n is -5; it must be >= 0"):
            ask(-5)


def test_a_sample_that_no_memory_holds_is_refused() -> None:
    rb = make(outputs={"x": replay.views.Rows("x", 0, 2**28)})
    rb.append_one({"x": 1.0}, first=True)
    with pytest.raises(MemoryError, match="items of 1073741824 bytes"):
        rb.tables["t"].sample(2**31 - 1)


def test_ended_episodes_give_their_memory_back() -> None:
    steps = {"x": replay.Column((1000,), np.uint8)}
    table = replay.Table(
        "episodes",
        pattern=replay.Episode(max_length=20_000),
        outputs={"x": replay.views.Row("x", 0)},
        max_size=10,
        rate_limiter=replay.MinSize(1),
    )
    rb = replay.Replay(steps, [table], num_streams=4, segment_rows=16)
    rows = {"x": np.zeros((4, 1000), np.uint8)}
    for t in range(3000):
        rb.append(rows, first=t % 100 == 0, last=t % 100 == 99)
    # Ten episodes are items; each stream has a hundred rows of its newest. Each of
    # those 14 runs of rows may lie in a block more than it fills.
    assert rb.bytes_in_use <= 14 * (100 + 2 * 16) * 1100


def test_rows_of_an_ended_episode_make_items_until_the_next_one_begins() -> None:
    rb = make(pattern=replay.Episode(100), history=3, segment_rows=4)
    for t in range(50):
        rb.append_one({"x": float(t)}, first=t == 0, last=t == 49)
    assert isinstance(rb.create_item("t", 50), int)
    rb.append_one({"x": 0.0}, first=True)
    with pytest.raises(IndexError, match="history of 3 rows"):
        rb.create_item("t", 4, end=-2)
    rb.create_item("t", 2, end=-2)
    rb.check_valid()
