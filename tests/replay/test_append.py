"""What may be appended, and how users' mistakes are answered."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

from tfagents_core import replay

from . import helpers

DTYPES = [
    np.bool_, np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32,
    np.int64, np.uint64, np.float16, np.float32, np.float64,
]  # fmt: skip


class Step(NamedTuple):
    observation: Any
    action: Any


def single(steps: Any, outputs: Any, num_streams: int = 1) -> replay.Replay:
    table = helpers.make_table(
        **helpers.drained(
            pattern=replay.Sequence(length=1, period=1, end="drop"), outputs=outputs
        )
    )
    return replay.Replay(steps, [table], num_streams=num_streams)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (1,), (3, 5)])
def test_every_plain_dtype_and_shape_comes_back_as_it_went_in(
    dtype: type, shape: tuple[int, ...]
) -> None:
    rb = single({"x": replay.Column(shape, dtype)}, replay.views.Row("x", 0))
    bits = np.random.default_rng(0).integers(0, 256, (4, *shape, 8), np.uint8)
    if dtype is np.bool_:
        bits %= 2
    values = bits.view(dtype)[..., 0]
    for i, value in enumerate(values):
        rb.append_one({"x": value}, first=i == 0, last=i == 3)
    data = rb.tables["table"].sample(4).data
    assert data.dtype == dtype
    np.testing.assert_array_equal(data, values)


def test_nests_of_tuples_dicts_and_named_tuples_keep_their_structure() -> None:
    column = replay.Column((), np.int64)
    steps = Step(observation={"a": column, "b": (column, column)}, action=column)
    rb = single(
        steps,
        {
            "all": replay.views.Row("observation", 0),
            "one": replay.views.Row(("observation", "b", 1), 0),
        },
    )
    row = Step({"a": np.int64(1), "b": (np.int64(2), np.int64(3))}, np.int64(4))
    rb.append_one(row, first=True, last=True)
    data = rb.tables["table"].sample(1).data
    assert data["all"]["a"] == [1]
    assert data["all"]["b"][0] == [2]
    assert data["one"] == [3]


def test_arrays_and_spec_like_things_describe_columns() -> None:
    class Spec:
        shape = (2,)
        dtype = np.dtype(np.uint8)

    steps = {"array": np.zeros(3, np.float32), "spec": Spec()}
    rb = single(steps, replay.views.Row("spec", 0))
    row = {"array": np.ones(3, np.float32), "spec": np.array([7, 8], np.uint8)}
    rb.append_one(row, first=True, last=True)
    np.testing.assert_array_equal(rb.tables["table"].sample(1).data, [[7, 8]])


def test_python_numbers_are_taken_for_scalar_columns() -> None:
    rb = single(helpers.STEPS, replay.views.Row("reward", 0))
    row = {
        "observation": np.zeros(2, np.float32),
        "action": 3,
        "reward": 0.5,
        "discount": 1.0,
    }
    rb.append_one(row, first=True, last=True)
    np.testing.assert_array_equal(rb.tables["table"].sample(1).data, [0.5])


def test_arrays_that_are_not_contiguous_are_stored_by_value() -> None:
    rb = single({"x": replay.Column((3,), np.float32)}, replay.views.Row("x", 0))
    rb.append_one({"x": np.arange(6, dtype=np.float32)[::2]}, first=True, last=True)
    np.testing.assert_array_equal(rb.tables["table"].sample(1).data, [[0, 2, 4]])


def test_the_caller_may_write_over_what_it_appended() -> None:
    rb = single({"x": replay.Column((3,), np.float32)}, replay.views.Row("x", 0))
    frame = np.ones(3, np.float32)
    rb.append_one({"x": frame}, first=True, last=True)
    frame[:] = -1
    np.testing.assert_array_equal(rb.tables["table"].sample(1).data, [[1, 1, 1]])


BAD_ROWS = {
    "a shape": ({"x": np.zeros(4, np.float32)}, ValueError),
    "a rank": ({"x": np.zeros((1, 3), np.float32)}, ValueError),
    "a dtype": ({"x": np.zeros(3, np.float64)}, ValueError),
    "an integer": ({"x": np.zeros(3, np.int32)}, ValueError),
    "another name": ({"y": np.zeros(3, np.float32)}, (ValueError, KeyError)),
    "nothing": ({}, (ValueError, KeyError)),
    "text": ({"x": "abc"}, (ValueError, TypeError)),
}


@pytest.mark.parametrize("what", BAD_ROWS)
def test_rows_that_do_not_fit_are_refused_and_nothing_is_written(what: str) -> None:
    row, error = BAD_ROWS[what]
    rb = single({"x": replay.Column((3,), np.float32)}, replay.views.Row("x", 0))
    with pytest.raises(error):
        rb.append_one(row, first=True, last=True)
    assert rb.tables["table"].size == 0
    rb.check_valid()
    rb.append_one({"x": np.zeros(3, np.float32)}, first=True, last=True)
    assert rb.tables["table"].size == 1


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"first": 1}, ValueError, "first must be a bool"),
        ({"first": True, "last": "no"}, ValueError, "last must be a bool"),
        ({"first": True, "stream": 1}, IndexError, "stream 1 does"),
        ({"first": True, "stream": 0.0}, TypeError, "integer"),
        ({"first": True, "timeout": -1.0}, ValueError, "timeout is -1"),
        ({"first": True, "timeout": "long"}, TypeError, "real number"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_and_nothing_is_written(
    arguments: dict[str, Any], error: type[Exception], words: str
) -> None:
    rb = single({"x": replay.Column((), np.float32)}, replay.views.Row("x", 0))
    with pytest.raises(error, match=words):
        rb.append_one({"x": 1.0}, **arguments)
    assert rb.tables["table"].size == 0
    rb.check_valid()


def test_floats_are_never_cast_to_integers() -> None:
    rb = single({"x": replay.Column((), np.int32)}, replay.views.Row("x", 0))
    for value in (1.5, np.float32(1), np.array(1.0)):
        with pytest.raises((ValueError, TypeError)):
            rb.append_one({"x": value}, first=True, last=True)


def test_errors_name_the_column() -> None:
    rb = single(helpers.STEPS, replay.views.Row("reward", 0))
    row = helpers.make_row(np.random.default_rng(0))
    row["observation"] = np.zeros(5, np.float32)
    with pytest.raises(ValueError, match="observation"):
        rb.append_one(row, first=True, last=True)


def test_a_row_without_an_open_episode_is_refused() -> None:
    rb, _ = helpers.make_replay()
    row = helpers.make_row(np.random.default_rng(0))
    with pytest.raises(ValueError, match="first=True"):
        rb.append_one(row, first=False, last=False)
    rb.append_one(row, first=True, last=True)
    with pytest.raises(ValueError, match="first=True"):
        rb.append_one(row, first=False, last=False)


def batch_of(num_rows: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    rows = [helpers.make_row(rng) for _ in range(num_rows)]
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


@pytest.mark.parametrize(
    ("streams", "error"),
    [([0, 3], IndexError), ([-1, 0], IndexError), ([1, 1], ValueError)],
)
def test_streams_that_do_not_exist_or_repeat_are_refused(
    streams: list[int], error: type[Exception]
) -> None:
    rb, _ = helpers.make_replay(num_streams=3)
    with pytest.raises(error, match="stream"):
        rb.append(batch_of(2), first=True, last=False, streams=streams)
    rb.check_valid()


def test_a_batch_of_the_wrong_length_is_refused() -> None:
    rb, _ = helpers.make_replay(num_streams=3)
    with pytest.raises(ValueError):
        rb.append(batch_of(2), first=True, last=False)
    with pytest.raises(ValueError):
        rb.append(batch_of(3), first=[True, True], last=False)


def test_one_call_appends_to_all_streams_in_order() -> None:
    rb = single(helpers.STEPS, replay.views.Row("action", 0), num_streams=3)
    batch = batch_of(3)
    rb.append(batch, first=True, last=[True, False, True])
    data = rb.tables["table"].sample(3).data
    np.testing.assert_array_equal(data, batch["action"])
    with pytest.raises(ValueError, match="first=True"):
        rb.append(batch, first=False, last=False)


@pytest.mark.parametrize(
    "make",
    [
        lambda: replay.NStep(n=0),
        lambda: replay.Sequence(length=0, period=1),
        lambda: replay.Sequence(length=3, period=0),
        lambda: replay.Sequence(length=3, period=1, end="sometimes"),
        lambda: replay.Episode(max_length=0),
        lambda: replay.Prioritized(alpha=-1.0),
        lambda: replay.Prioritized(alpha=float("nan")),
        lambda: replay.MinSize(0),
        lambda: replay.Queue(0),
    ],
)
def test_impossible_options_are_refused_at_the_latest_by_the_replay(make: Any) -> None:
    with pytest.raises(ValueError):
        option = make()
        kinds = {
            replay.Prioritized: "sampler",
            replay.MinSize: "rate_limiter",
            replay.Queue: "rate_limiter",
        }
        helpers.make_replay(**{kinds.get(type(option), "pattern"): option})


def test_tables_of_one_name_or_none_are_refused() -> None:
    with pytest.raises(ValueError, match="table"):
        replay.Replay(helpers.STEPS, [helpers.make_table(), helpers.make_table()])
    with pytest.raises(ValueError, match="table"):
        replay.Replay(helpers.STEPS, [])


def test_an_unknown_table_or_column_is_named() -> None:
    rb, _ = helpers.make_replay()
    with pytest.raises(KeyError, match="nope"):
        rb.tables["nope"]
    with pytest.raises((KeyError, ValueError), match="nope"):
        helpers.make_replay(outputs=replay.views.Row("nope", 0))


def test_columns_of_objects_are_refused() -> None:
    with pytest.raises((ValueError, TypeError)):
        single({"x": replay.Column((), np.object_)}, replay.views.Row("x", 0))


def test_the_repr_of_a_replay_names_its_tables() -> None:
    rb, handle = helpers.make_replay()
    assert "table" in repr(rb)
    assert "table" in repr(handle)
