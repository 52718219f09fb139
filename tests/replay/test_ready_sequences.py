"""`replay.sequences`, and data sets that are added at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tfagents_core import replay

SCALAR = replay.Column((), np.float32)
ACTION = replay.Column((), np.int64)


def make(**options: Any) -> replay.EnvReplay:
    return replay.sequences(
        SCALAR, ACTION, **{"length": 3, "max_size": 100, "seed": 0, **options}
    )


def play(buffer: replay.EnvReplay, num_steps: int, **extras: Any) -> None:
    """One episode from observation 0 on; each step's reward is the one it led to."""
    for o in range(num_steps):
        last = o == num_steps - 1
        given = (
            {"extras": {name: make(o) for name, make in extras.items()}}
            if extras
            else {}
        )
        buffer.add(np.float32(o), 10 + o, o + 1, np.float32(o + 1), last, **given)


def by_start(data: replay.SequenceSample, start: float) -> dict[str, Any]:
    """The sequence that begins with this observation."""
    i = int(np.flatnonzero(data.observation[:, 0] == start)[0])
    return {
        name: leaf[i].tolist()
        for name, leaf in data._asdict().items()
        if isinstance(leaf, np.ndarray)
    }


def test_every_step_is_in_one_sequence() -> None:
    buffer = make()
    play(buffer, 5)
    assert len(buffer) == 2
    data = buffer.sample(50).data
    assert by_start(data, 0) == {
        "observation": [0, 1, 2],
        "action": [10, 11, 12],
        "reward": [1, 2, 3],
        "discount": [1, 1, 1],
        "mask": [1, 1, 1],
        "is_first": [True, False, False],
    }
    assert by_start(data, 3) == {
        "observation": [3, 4, 5],
        "action": [13, 14, 0],
        "reward": [4, 5, 0],
        "discount": [1, 0, 0],
        "mask": [1, 1, 0],
        "is_first": [False, False, False],
    }


def test_sequences_overlap_where_the_period_is_shorter() -> None:
    buffer = make(length=4, period=2)
    play(buffer, 8)
    assert set(buffer.sample(100).data.observation[:, 0]) == {0, 2, 4}


@pytest.mark.parametrize("period", [0, 4])
def test_periods_that_leave_steps_out_are_refused(period: int) -> None:
    with pytest.raises(ValueError, match=f"period is {period}"):
        make(length=3, period=period)


def test_the_core_state_is_that_before_the_first_step() -> None:
    extras = {"core": replay.Column((2,), np.float32), "log_prob": SCALAR}
    buffer = make(extras=extras, core_state="core")
    play(
        buffer,
        6,
        core=lambda o: np.full(2, 100 + o, np.float32),
        log_prob=lambda o: np.float32(-o),
    )
    data = buffer.sample(50).data
    assert by_start(data, 3)["core_state"] == [103, 103]
    assert by_start(data, 0)["core_state"] == [100, 100]
    assert set(data.extras) == {"log_prob"}
    assert set(data.extras["log_prob"][:, 1]) == {-1, -4}


def test_sequences_may_be_time_major() -> None:
    buffer = make(time_major=True)
    play(buffer, 3)
    data = buffer.sample(7).data
    assert data.observation.shape == data.is_first.shape == data.mask.shape == (3, 7)


DATA = {
    "observation": np.array([0, 1, 2, 10, 11, 20, 21, 40], np.float32),
    "action": np.arange(8),
    "reward": np.arange(8.0),
    "next_observation": np.array([1, 2, 3, 11, 12, 21, 22, 41], np.float32),
    "terminated": np.array([0, 0, 1, 0, 0, 0, 0, 0], bool),
    "truncated": np.array([0, 0, 0, 0, 1, 0, 0, 0], bool),
}


def transitions(**options: Any) -> replay.EnvReplay:
    return replay.transitions(SCALAR, ACTION, max_size=100, **options)


def test_a_data_set_is_as_its_steps_added_one_by_one() -> None:
    whole, single = transitions(n_step=2), transitions(n_step=2)
    whole.extend(**DATA)
    for i in range(8):
        step = {name: array[i] for name, array in DATA.items()}
        step["truncated"] = step["truncated"] or i in (6, 7)  # Ends that nobody marked.
        single.add(**step)
    assert len(whole) == len(single) == 8
    for left, right in zip(whole.sample(100).data[:5], single.sample(100).data[:5]):
        np.testing.assert_array_equal(left, right)
    whole.replay.check_valid()


def test_a_data_set_may_be_followed_by_an_environment() -> None:
    buffer = transitions()
    buffer.add(np.float32(90), 0, 0, np.float32(91), False)
    buffer.extend(**DATA)
    buffer.add(np.float32(91), 0, 0, np.float32(92), False)
    buffer.extend(**DATA)
    observation = buffer.sample(500).data.observation
    assert len(buffer) == 18
    assert set(observation) == {*DATA["observation"], 90, 91}


def test_a_data_set_gives_up_the_first_environments_episode_only() -> None:
    buffer = transitions(num_envs=2)
    o, action = np.array([90, 80], np.float32), [0, 0]
    buffer.add(o, action, o, o + 1, False)
    buffer.extend(**DATA)
    with pytest.raises(ValueError, match="environment 1 goes on"):
        buffer.add(np.array([0, 0], np.float32), action, o, o + 1, False)
    buffer.add(np.array([0, 81], np.float32), action, o, o + 1, False)
    assert len(buffer) == 12
    buffer.replay.check_valid()


def test_a_data_set_without_steps_adds_nothing() -> None:
    buffer = transitions()
    buffer.extend(**{name: array[:0] for name, array in DATA.items()})
    assert len(buffer) == 0


def test_data_sets_of_nests_keep_their_structure() -> None:
    space = {"a": SCALAR, "b": (replay.Column((2,), np.uint8),)}
    buffer = replay.transitions(space, ACTION, max_size=9, extras={"q": SCALAR})
    a = np.arange(4, dtype=np.float32)
    o = {"a": a[:-1], "b": (np.zeros((3, 2), np.uint8),)}
    following = {"a": a[1:], "b": (np.zeros((3, 2), np.uint8),)}
    q = np.arange(3, dtype=np.float32)
    buffer.extend(o, np.arange(3), np.ones(3), following, [0, 0, 1], extras={"q": q})
    data = buffer.sample(50).data
    np.testing.assert_array_equal(data.observation["a"], data.extras["q"])
    np.testing.assert_array_equal(data.observation["a"], data.action)
    np.testing.assert_array_equal(data.next_observation["a"], data.action + 1)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"observation": np.zeros(8)},
            r"'observation' must be .*float32\(8,\), got .*64",
        ),
        ({"next_observation": np.zeros(7, np.float32)}, "'observation' must be .*8"),
        ({"action": np.zeros((8, 1), np.int64)}, "'action' must be"),
        ({"action": list(range(8))}, "'action' must be .*got list"),
        ({"truncated": np.zeros(7, bool)}, r"truncated must be bool\(8,\)"),
    ],
)
def test_a_data_set_that_does_not_fit_adds_nothing(
    change: dict[str, Any], words: str
) -> None:
    buffer = transitions()
    with pytest.raises(ValueError, match=words):
        buffer.extend(**{**DATA, **change})
    assert len(buffer) == 0
