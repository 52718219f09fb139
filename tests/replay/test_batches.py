"""Several batches in one draw: the same items in the same order, batch by batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tree

from tfagents_core import replay

from . import helpers

views = replay.views

OUTPUTS = {
    "row": views.Row("observation", -1),
    "rows": views.Rows("observation", 0, 4),
    "stacks": views.Rows("action", 1, 4, stack=2),
    "mask": views.Mask(1, 4),
    "return": views.NStepReturn("reward", "discount", 0.9),
    "steps": views.Steps("action", 0, 3, which="before"),
    "is_first": views.IsFirst(0, 3),
}
WITH_TIME = {"rows", "stacks", "mask", "steps", "is_first"}


def make(num_items: int = 200, **options: Any) -> replay.TableHandle:
    rb, handle = helpers.make_replay(
        **{
            "pattern": replay.Sequence(length=4, period=1),
            "outputs": OUTPUTS,
            "sampler": replay.Prioritized(1.0),
            **options,
        }
    )
    rng = np.random.default_rng(0)
    while handle.size < num_items:
        for step in range(9):
            rb.append_one(
                helpers.make_row(rng),
                first=step == 0,
                last=step == 8,
                priorities={"table": float(rng.integers(1, 5))},
            )
    return handle


@pytest.mark.parametrize("time_major", [False, True])
@pytest.mark.parametrize(("num_batches", "batch_size"), [(1, 5), (3, 40), (8, 1)])
def test_several_batches_are_the_items_of_one_draw_in_their_order(
    time_major: bool, num_batches: int, batch_size: int
) -> None:
    """The time axis is that of each batch: `[N, T, B]`, never cut along time."""
    expected = make().sample(num_batches * batch_size)
    drawn = make(time_major=time_major).sample(batch_size, num_batches=num_batches)
    for name, array in drawn.info._asdict().items():
        assert array.shape == (num_batches, batch_size)
        np.testing.assert_array_equal(array.ravel(), getattr(expected.info, name))
    for name, array in drawn.data.items():
        by_batch = array
        if time_major and name in WITH_TIME:
            assert array.shape[:3] == (num_batches, *OUTPUT_TIMES[name], batch_size)
            by_batch = array.swapaxes(1, 2)
        flat = by_batch.reshape(num_batches * batch_size, *by_batch.shape[2:])
        np.testing.assert_array_equal(flat, expected.data[name], err_msg=name)


OUTPUT_TIMES = {"rows": (4,), "stacks": (3,), "mask": (3,), "steps": (3,)}
OUTPUT_TIMES["is_first"] = (3,)


def test_large_batches_that_several_threads_copy_are_right_too() -> None:
    def draw(time_major: bool) -> np.ndarray:
        steps = {"x": replay.Column((1000,), np.float32)}
        table = helpers.make_table(
            pattern=replay.Sequence(length=4, period=1),
            outputs=views.Rows("x", 0, 4),
            time_major=time_major,
        )
        rb = replay.Replay(steps, [table])
        for number in range(50):
            rb.append_one({"x": np.full(1000, number, np.float32)}, first=number == 0)
        return rb.tables["table"].sample(100, num_batches=6).data

    np.testing.assert_array_equal(draw(True).swapaxes(1, 2), draw(False))


def test_weights_are_over_the_largest_of_their_own_batch() -> None:
    info = make().sample(4, num_batches=50, beta=0.5).info
    raw = info.probability**-0.5
    np.testing.assert_allclose(info.weight, raw / raw.max(1, keepdims=True))
    assert (raw.max(1) < raw.max()).any()
    info = make().sample(4, num_batches=50, beta=0.5, normalize="table").info
    largest = (1 / make().sample(10_000).info.probability.min()) ** -0.5
    np.testing.assert_allclose(info.weight, info.probability**-0.5 * largest)


def test_described_batches_are_the_arrays_of_a_sample() -> None:
    for time_major in (False, True):
        handle = make(time_major=time_major)
        described = handle.describe_output(5, num_batches=3)
        data = handle.sample(5, num_batches=3).data
        for column, array in zip(tree.flatten(described), tree.flatten(data)):
            assert (column.shape, column.dtype) == (array.shape, array.dtype)


def test_batches_are_written_into_the_callers_arrays() -> None:
    handle = make(time_major=True)
    mine = handle.sample(5, num_batches=3)
    copy = tree.map_structure(np.copy, mine)
    assert handle.sample(5, num_batches=3, out=mine) is mine
    assert (copy.info.key != mine.info.key).any()
    with pytest.raises(
        ValueError, match=r"'key' must be int64\(5, 3\), got int64\(3, 5\)"
    ):
        handle.sample(3, num_batches=5, out=mine)
    with pytest.raises(ValueError, match=r"must be int64\(15,\), got"):
        handle.sample(15, out=mine)


@pytest.mark.parametrize("num_batches", [0, -1])
def test_no_batches_are_refused(num_batches: int) -> None:
    handle = make()
    with pytest.raises(ValueError, match=f"num_batches is {num_batches}"):
        handle.sample(2, num_batches=num_batches)
    with pytest.raises(ValueError, match=f"num_batches is {num_batches}"):
        handle.describe_output(2, num_batches=num_batches)


def test_all_batches_are_drawn_or_none() -> None:
    handle = make(max_times_sampled=1)
    size = handle.size
    with pytest.raises(TimeoutError):
        handle.sample(size, num_batches=2, timeout=0)
    assert handle.stats().num_sampled == 0
    handle.sample(size // 2, num_batches=2, timeout=0)
    assert handle.size == size % 2
