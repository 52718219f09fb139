"""Variables on disk, given back bit for bit, and their digest."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tfagents_core import checkpointing


def make_state(
    groups: Mapping[str, Sequence[Any]], names: str = "w"
) -> dict[str, tf.Variable]:
    """Variables of the given values, named as learners name theirs."""
    return {
        f"{group}/{index}/{names}": tf.Variable(value)
        for group, values in groups.items()
        for index, value in enumerate(values)
    }


def make_path(tmp_path: pathlib.Path, groups: Mapping[str, Sequence[Any]]) -> Any:
    path = tmp_path / "variables.npz"
    state = make_state(groups)
    np.savez(path, **{name: v.numpy() for name, v in state.items()})
    return path


@pytest.mark.parametrize(
    "value",
    [
        np.float32(1 / 3),
        np.array([[1e-45, -0.0], [np.nan, np.inf]], np.float32),
        np.int64(2**62 + 1),
        np.zeros((0, 3), np.float32),
        np.array([True, False]),
    ],
)
def test_a_saved_value_is_given_back_bit_for_bit(
    tmp_path: pathlib.Path, value: np.ndarray
) -> None:
    path = make_path(tmp_path, {"policy": [value]})
    restored = tf.Variable(tf.zeros_like(value))
    checkpointing.restore_group(path, "policy", [restored])
    assert restored.numpy().tobytes() == value.tobytes()
    assert restored.numpy().dtype == value.dtype


def test_a_group_of_more_than_ten_keeps_its_order(tmp_path: pathlib.Path) -> None:
    path = make_path(tmp_path, {"policy": list(range(12))})
    restored = [tf.Variable(-1) for _ in range(12)]
    checkpointing.restore_group(path, "policy", restored)
    assert [int(v) for v in restored] == list(range(12))


def test_a_group_whose_name_begins_like_anothers_is_not_taken_for_it(
    tmp_path: pathlib.Path,
) -> None:
    path = make_path(tmp_path, {"policy_optimizer": [5.0, 6.0], "policy": [7.0]})
    restored = tf.Variable(0.0)
    checkpointing.restore_group(path, "policy", [restored])
    assert float(restored) == 7


@pytest.mark.parametrize(
    ("group", "values"),
    [
        ("policy", [[0.0, 0.0, 0.0]]),  # Another shape,
        ("policy", [[0.0, 0.0], [0.0]]),  # one too many,
        ("policy", []),  # one too few,
        ("critic", [[0.0, 0.0]]),  # a group that is not there.
    ],
)
def test_a_file_that_does_not_fit_is_refused_by_name_and_changes_nothing(
    tmp_path: pathlib.Path, group: str, values: list[list[float]]
) -> None:
    path = make_path(tmp_path, {"policy": [[1.0, 2.0]]})
    variables = [tf.Variable(value) for value in values]
    with pytest.raises(ValueError, match=f"does not fit .* its {group}") as error:
        checkpointing.restore_group(path, group, variables)
    assert str(path) in str(error.value)
    assert [v.numpy().tolist() for v in variables] == values


STATE = {"policy": [[1.0, 2.0], np.float32(0)], "steps": [3]}


def test_equal_variables_have_equal_digests_in_whatever_order() -> None:
    state = make_state(STATE)
    backwards = dict(reversed(make_state(STATE).items()))
    digest = checkpointing.digest(state)
    assert checkpointing.digest(backwards) == digest
    assert len(digest) == 64
    assert int(digest, 16) >= 0


@pytest.mark.parametrize(
    "other",
    [
        {**STATE, "policy": [[1.0, np.nextafter(np.float32(2), 3)], 0.0]},  # One bit.
        {**STATE, "policy": [[1.0, 2.0], np.float32(-0.0)]},
        {**STATE, "policy": [[[1.0, 2.0]], 0.0]},  # Another shape of the same bytes.
        {**STATE, "policy": [[1.0, 2.0], np.int32(0)]},  # Another dtype, same bytes.
        {**STATE, "policy": [0.0, [1.0, 2.0]]},  # Another order.
        {"policy": STATE["policy"], "step": STATE["steps"]},  # Another name.
        {"policy": STATE["policy"]},  # One fewer.
        {},
    ],
)
def test_the_digest_changes_with_anything_at_all(other: dict[str, list[Any]]) -> None:
    assert checkpointing.digest(make_state(other)) != checkpointing.digest(
        make_state(STATE)
    )


def test_the_digest_of_nothing_is_the_hash_of_nothing() -> None:
    assert checkpointing.digest({}).startswith("e3b0c44298fc1c14")
