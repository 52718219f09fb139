"""What columns take: nothing is cast silently, and what has no dtype must fit."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from tfagents_core import replay


class Box:
    """A replay of one column that gives back what was put in."""

    def __init__(self, shape: tuple[int, ...], dtype: Any) -> None:
        table = replay.Table(
            "table",
            pattern=replay.Sequence(1, 1),
            outputs=replay.views.Row("x", 0),
            sampler=replay.Lifo(),
            max_size=100,
            rate_limiter=replay.MinSize(1),
        )
        steps = {"x": replay.Column(shape, dtype)}
        self.buffer = replay.Replay(steps, [table], num_streams=2)
        self.table = self.buffer.tables["table"]

    def put(self, value: Any) -> np.ndarray:
        self.buffer.append_one({"x": value}, True)
        return self.table.sample(1).data[0]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, "bfloat16"])
def test_doubles_of_numpy_are_not_cast_to_fewer_bits(dtype: Any) -> None:
    if dtype == "bfloat16":
        pytest.importorskip("ml_dtypes")
    box = Box((), dtype)
    for value in (np.float64(0.5), np.array(0.5), np.float64(np.nan)):
        with pytest.raises(ValueError, match=r"'x' must be b?float.*got float64"):
            box.put(value)
    assert box.table.size == 0


LIMITS = [
    (np.float16, 65519.0, 65520.0),
    (np.float16, 65504, 65505),
    (np.float32, 3.4028235e38, 3.4028236e38),
    (np.float32, 2**24, 2**24 + 1),
    (np.float64, 2**53, 2**53 + 1),
    (np.float64, 2**63, 2**64),
    (np.int8, -128, -129),
    (np.int8, 127, 128),
    (np.uint8, 255, 256),
    (np.uint8, 0, -1),
    (np.int64, 2**63 - 1, 2**63),
    (np.int64, -(2**63), -(2**63) - 1),
    (np.uint64, 2**64 - 1, 2**64),
    (np.int32, True, 1.0),
    (np.bool_, True, 1),
]


@pytest.mark.parametrize(("dtype", "last", "beyond"), LIMITS)
def test_python_numbers_beyond_a_dtype_are_refused(
    dtype: Any, last: float, beyond: float
) -> None:
    box, boxes = Box((), dtype), Box((2,), dtype)
    assert box.put(last) == np.array(last).astype(dtype)
    assert boxes.put([False, last]).tolist() == [0, box.put(last).item()]
    with pytest.raises(ValueError, match="'x'"):
        box.put(beyond)
    with pytest.raises(ValueError, match="'x'"):
        boxes.put([False, beyond])
    assert box.table.size == 2
    assert boxes.table.size == 1


def test_floats_that_are_no_numbers_are_taken_as_such() -> None:
    box = Box((3,), np.float32)
    taken = box.put([float("nan"), float("inf"), -float("inf")])
    np.testing.assert_array_equal(taken, [np.nan, np.inf, -np.inf])


def test_lists_of_python_numbers_are_rows() -> None:
    box = Box((2, 2), np.float32)
    assert box.put([[1, 2.5], (0.1, True)]).tolist() == [[1, 2.5], [np.float32(0.1), 1]]
    box.buffer.append({"x": [[[0, 0], [0, 0]], [[5, 6], [7, 8]]]}, True)
    assert box.table.sample(1).data.tolist() == [[[5, 6], [7, 8]]]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([1.0, np.float64(2)], "got float64"),
        ([1.0], r"must be float32\(2,\)"),
        ([[1.0, 2.0], [3.0]], "inhomogeneous"),
        ([1.0, "2"], "must be float32"),
        ([1.0, None], "got list"),
        (None, "got NoneType"),
        ({"a": 1.0}, "got dict"),
    ],
)
def test_lists_of_others_are_refused_with_the_column(value: Any, words: str) -> None:
    with pytest.raises(ValueError, match=f"'x'.*{words}"):
        Box((2,), np.float32).put(value)


class Foreign:
    """An array of another library, as NumPy's protocols show it."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array


class WithArray(Foreign):
    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return self.array


class WithDlpack(Foreign):
    def __dlpack__(self, **arguments: Any) -> Any:
        return self.array.__dlpack__(**arguments)

    def __dlpack_device__(self) -> Any:
        return self.array.__dlpack_device__()


@pytest.mark.parametrize("library", [WithArray, WithDlpack, memoryview])
def test_arrays_of_other_libraries_are_taken_with_their_dtype(library: Any) -> None:
    box = Box((2,), np.float32)
    assert box.put(library(np.array([1, 2], np.float32))).tolist() == [1, 2]
    with pytest.raises(ValueError, match="got float64"):
        box.put(library(np.array([1.0, 2.0])))


def test_an_array_on_another_device_says_so() -> None:
    class OnDevice:
        def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
            raise TypeError("use Tensor.cpu()")

    with pytest.raises(ValueError, match=r"'x' got what is no array: use Tensor\.cpu"):
        Box((2,), np.float32).put(OnDevice())


def test_tensors_are_taken() -> None:
    tf = pytest.importorskip("tensorflow")
    box = Box((2,), np.float32)
    assert box.put(tf.constant([1.0, 2.0])).tolist() == [1, 2]
    with pytest.raises(ValueError, match="got int32"):
        box.put(tf.constant([1, 2]))


def test_bfloat16_is_stored_saved_and_given_back(tmp_path: Any) -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    box = Box((3,), "bfloat16")
    values = np.array([1.5, -2, 3e38], ml_dtypes.bfloat16)
    taken = box.put(values)
    assert taken.dtype == ml_dtypes.bfloat16
    assert taken.tobytes() == values.tobytes()
    assert box.put([1, 2.5, 256]).tolist() == [1, 2.5, 256]
    with pytest.raises(ValueError, match=r"bfloat16\(3,\), got float16"):
        box.put(values.astype(np.float16))
    with pytest.raises(ValueError, match="257 would be rounded"):
        box.put([1, 2, 257])
    box.buffer.save(tmp_path / "saved")
    again = Box((3,), ml_dtypes.bfloat16)
    again.buffer.restore(tmp_path / "saved")
    assert again.table.sample(1).data[0].tolist() == [1, 2.5, 256]


def test_bfloat16_without_ml_dtypes_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    with pytest.raises(ValueError, match="pip install ml_dtypes"):
        replay.Column((), "bfloat16")
