"""`replay.transitions` takes steps as environments give them."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import warnings
from typing import Any

import numpy as np
import pytest

from tfagents_core import replay

SCALAR = replay.Column((), np.float32)
ACTION = replay.Column((), np.int64)
DRAIN = 200


def make(**options: Any) -> replay.EnvReplay:
    """Of an environment whose observations are one number."""
    return replay.transitions(SCALAR, ACTION, **{"max_size": 100, **options})


def play(buffer: replay.EnvReplay, first: int, last: int, **flags: bool) -> None:
    """Adds the steps from observation `first` to `last`; each one's reward is its end."""
    for o in range(first, last):
        ends = {name: flag and o == last - 1 for name, flag in flags.items()}
        terminated = ends.get("terminated", False)
        truncated = ends.get("truncated", False)
        after = np.float32(o + 1)
        buffer.add(np.float32(o), -o, o + 1, after, terminated, truncated)


def held(buffer: replay.EnvReplay) -> dict[float, tuple[float, ...]]:
    """By first observation: action, reward, discount and last observation."""
    batch = buffer.sample(DRAIN).data
    return {
        float(o): tuple(float(leaf[i]) for leaf in batch[1:5])
        for i, o in enumerate(batch.observation)
    }


def test_steps_become_transitions() -> None:
    buffer = make(gamma=0.5)
    play(buffer, 0, 3, terminated=True)
    play(buffer, 10, 12, truncated=True)
    assert len(buffer) == 5
    assert held(buffer) == {
        0: (0, 1, 0.5, 1),
        1: (-1, 2, 0.5, 2),
        2: (-2, 3, 0, 3),
        10: (-10, 11, 0.5, 11),
        11: (-11, 12, 0.5, 12),
    }


def test_every_step_begins_one_transition_of_n_steps() -> None:
    buffer = make(n_step=3, gamma=0.5)
    play(buffer, 0, 4, terminated=True)
    assert held(buffer) == {
        0: (0, 1 + 2 / 2 + 3 / 4, 1 / 8, 3),
        1: (-1, 2 + 3 / 2 + 4 / 4, 0, 4),
        2: (-2, 3 + 4 / 2, 0, 4),
        3: (-3, 4, 0, 4),
    }
    assert len(buffer) == 4


def test_an_observation_is_stored_once() -> None:
    frames = replay.Column((1 << 16,), np.uint8)
    buffer = replay.transitions(frames, ACTION, max_size=100)
    frame = np.zeros(frames.shape, np.uint8)
    for _ in range(64):
        buffer.add(frame, 0, 0, frame, False, False)
    assert buffer.replay.bytes_in_use < 1.5 * 64 * frame.nbytes


def test_steps_of_many_environments_are_kept_apart() -> None:
    buffer = make(num_envs=3, n_step=2, gamma=1.0)
    ends = np.array([[False, True, False], [False, False, False], [True, True, True]])
    first = np.array([0, 10, 20], np.float32)
    for step in range(3):
        o = np.where([False, step == 1, False], 30, first).astype(np.float32)
        buffer.add(o, [1, 2, 3], np.ones(3), o + 1, ends[step], False)
        first = o + 1
    assert held(buffer) == {
        0: (1, 2, 1, 2),
        1: (1, 2, 0, 3),
        2: (1, 1, 0, 3),
        10: (2, 1, 0, 11),
        30: (2, 2, 0, 32),
        31: (2, 1, 0, 32),
        20: (3, 2, 1, 22),
        21: (3, 2, 0, 23),
        22: (3, 1, 0, 23),
    }
    buffer.replay.check_valid()


def next_step_calls(k: int | None) -> Any:
    """Calls of an environment that is reset by the one after an episode's end."""
    calls = [
        (0, 1, 0),
        (1, 2, 1),
        (2, 5, 0),
        (5, 6, 0),
        (6, 7, 1),
        (7, 8, 0),
        (8, 9, 0),
    ]
    for before, after, ends in calls:
        o, following = np.float32(before), np.float32(after)
        if k is not None:
            o, following = np.full(k, o), np.full(k, following)
        yield o, 0 if k is None else np.zeros(k, np.int64), 0.0, following, bool(ends)


@pytest.mark.parametrize("k", [None, 1, 2])
@pytest.mark.parametrize("autoreset", ["next_step", "NextStep"])
def test_the_call_that_resets_is_no_step(k: int | None, autoreset: str) -> None:
    buffer = make(num_envs=k, autoreset=autoreset)
    for o, action, reward, following, ends in next_step_calls(k):
        rewards = reward if k is None else [reward] * k
        buffer.add(o, action, rewards, following, ends)
    expected = {0: (1, 0.99), 1: (2, 0), 5: (6, 0.99), 6: (7, 0), 8: (9, 0.99)}
    found = held(buffer)
    assert {o: found[o][3] for o in found} == {o: e[0] for o, e in expected.items()}
    assert len(buffer) == 5 * (k or 1)


def test_an_episode_may_end_while_another_environment_is_reset() -> None:
    buffer = make(num_envs=2, autoreset="next_step", gamma=1.0, n_step=2)
    calls: list[list[tuple[float, float]]] = [
        [(0, 1), (10, 11)],
        [(1, 2), (11, 12)],  # The second ends, and
        [(2, 3), (12, 20)],  # is reset while the first ends, which
        [(3, 5), (20, 21)],  # is reset now.
        [(5, 6), (21, 22)],
    ]
    ends = [(), (1,), (0,), (), ()]
    for call, which in zip(calls, ends):
        before, after = np.array(call, np.float32).T
        truncated = np.isin([0, 1], which)
        buffer.add(before, np.zeros(2, np.int64), after, after, False, truncated)
    assert set(held(buffer)) == {0, 1, 2, 10, 11, 20}
    assert set(buffer.sample(DRAIN).data.discount) == {1.0}
    buffer.replay.check_valid()


@pytest.mark.parametrize("k", [None, 2])
def test_frames_that_differ_somewhere_are_told_apart(k: int | None) -> None:
    frames = replay.Column((84, 84), np.uint8)
    buffer = replay.transitions(frames, ACTION, max_size=9, num_envs=k)
    shape = () if k is None else (k,)
    frame, action = np.zeros((*shape, 84, 84), np.uint8), np.zeros(shape, np.int64)
    other = frame.copy()
    other[..., 30:40, :] = 1
    buffer.add(frame, action, action, frame, False)
    with pytest.raises(ValueError, match="goes on"):
        buffer.add(other, action, action, frame, False)


@pytest.mark.parametrize("k", [None, 2])
def test_environments_that_do_not_reset_so_are_found_out(k: int | None) -> None:
    buffer = make(num_envs=k, autoreset="next_step")
    shape = () if k is None else (k,)
    o = np.zeros(shape, np.float32)
    action, reward = np.zeros(shape, np.int64), np.zeros(shape)
    buffer.add(o, action, reward, o + 1, True)
    with pytest.raises(ValueError, match="environment.* does not reset itself"):
        buffer.add(o, action, reward, o + 1, True)


@pytest.mark.parametrize("k", [None, 2])
def test_an_episode_that_goes_on_elsewhere_is_an_error(k: int | None) -> None:
    buffer = make(num_envs=k)
    shape = () if k is None else (k,)
    o = np.zeros(shape, np.float32)
    action, reward = np.zeros(shape, np.int64), np.zeros(shape)
    buffer.add(o, action, reward, o + 1, False)
    other = o + 1 if k is None else np.array([1, 7], np.float32)
    if k is None:
        other = np.float32(7)
    name = "the environment" if k is None else "environment 1"
    with pytest.raises(ValueError, match=rf"{name} goes on .*new_episode\(\)"):
        buffer.add(other, action, reward, o + 2, False)
    assert len(buffer) == (k or 1)
    buffer.new_episode()
    buffer.add(other, action, reward, o + 2, False)
    assert len(buffer) == 2 * (k or 1)


def test_not_a_number_is_the_same_observation_as_before() -> None:
    buffer = make()
    buffer.add(np.float32(0), 0, 0, np.float32(np.nan), False)
    buffer.add(np.float32(np.nan), 0, 0, np.float32(1), False)
    assert len(buffer) == 2


@pytest.mark.parametrize("k", [None, 1])
def test_first_observations_in_place_of_last_ones_are_warned_of_once(
    k: int | None,
) -> None:
    def run(after: float) -> list[str]:
        buffer = make(num_envs=k)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for _ in range(10):
                o, end = (
                    np.full(() if k is None else k, x, np.float32) for x in (0, after)
                )
                action = 0 if k is None else [0]
                buffer.add(o, action, o, o + 1, False)
                buffer.add(o + 1, action, o, end, False, True)
        assert {each.filename for each in caught} <= {__file__}
        return [str(each.message) for each in caught]

    (message,) = run(after=0)
    assert "final_obs" in message
    assert run(after=2) == []


@pytest.mark.parametrize("k", [None, 2])
def test_a_step_that_does_not_fit_changes_nothing(k: int | None) -> None:
    buffer = make(num_envs=k, n_step=2)
    shape = () if k is None else (k,)
    o = np.zeros(shape, np.float32)
    action, reward = np.zeros(shape, np.int64), np.zeros(shape)
    wrong: dict[str, tuple[Any, ...]] = {
        "'action' must be int64": (o, o, reward, o, False, False),
        "'observation' must": (o.astype(np.float64), action, reward, o, False, False),
        "shape": (np.zeros((3, 3), np.float32), action, reward, o, False, False),
    }
    for started in range(2):
        for words, arguments in wrong.items():
            if started and words.startswith("'observation'"):
                arguments = (o, action, reward, o.astype(np.float64), False, False)
            with pytest.raises(ValueError, match=words):
                buffer.add(*arguments)
        buffer.add(o, action, reward, o, False, bool(started))
    assert len(buffer) == 2 * (k or 1)
    buffer.replay.check_valid()


def test_flags_of_another_length_are_refused() -> None:
    buffer = make(num_envs=2)
    o = np.zeros(2, np.float32)
    with pytest.raises(ValueError, match=r"terminated must be bool\(2,\)"):
        buffer.add(o, [0, 0], o, o, [True, False, True])


class DictSpace:
    """As Gymnasium's `Dict` and `Tuple` are: a shape of None, and `spaces`."""

    shape = dtype = None

    def __init__(self, spaces: Any) -> None:
        self.spaces = spaces


def test_spaces_within_spaces_are_nests() -> None:
    box = np.zeros(2, np.float32)
    space = DictSpace({"a": box, "b": DictSpace((ACTION, box))})
    buffer = replay.transitions(space, ACTION, max_size=10, extras={"log_prob": SCALAR})
    o = {"a": box, "b": (np.int64(7), box + 1)}
    buffer.add(o, 0, 0, o, False, False, extras={"log_prob": -0.5})
    data = buffer.sample(2).data
    assert data.observation["b"][0].tolist() == [7, 7]
    assert data.extras["log_prob"].tolist() == [-0.5, -0.5]


def test_a_space_without_a_shape_is_named() -> None:
    with pytest.raises(ValueError, match="'observation/a'"):
        replay.transitions({"a": DictSpace("text")}, ACTION, max_size=10)


def test_frames_are_stacked_when_they_are_drawn() -> None:
    buffer = replay.transitions(SCALAR, ACTION, max_size=10, stack=3)
    play(buffer, 4, 6)
    data = buffer.sample(20).data
    assert sorted(set(map(tuple, data.observation.tolist()))) == [(4, 4, 4), (4, 4, 5)]


def test_priorities_are_exponents_or_none() -> None:
    with pytest.raises(ValueError, match="alpha"):
        make(prioritized=-1.0)
    alphas = {}
    for prioritized in (False, True, 0.9):
        buffer = make(prioritized=prioritized, seed=1)
        play(buffer, 0, 2)
        keys = np.unique(buffer.sample(50).info.key)
        buffer.update_priorities(keys, [1.0, 4.0])
        info = buffer.sample(50, beta=1.0).info
        alphas[prioritized] = info.probability.max() / info.probability.min()
        assert info.weight.min() == pytest.approx(1 / alphas[prioritized])
    assert alphas == pytest.approx({False: 1.0, True: 4**0.6, 0.9: 4**0.9})


def test_sampling_nothing_says_so_at_once() -> None:
    with pytest.raises(TimeoutError, match="0 items"):
        make().sample(1)


def test_a_restored_replay_begins_new_episodes(tmp_path: Any) -> None:
    buffer = make()
    play(buffer, 0, 3)
    buffer.save(tmp_path / "saved")
    again = make()
    play(again, 50, 52)
    again.restore(tmp_path / "saved")
    assert held(again) == held(buffer)
    play(again, 20, 22)
    assert set(held(again)) == {0, 1, 2, 20, 21}


def test_a_cleared_replay_begins_new_episodes() -> None:
    buffer = make()
    play(buffer, 0, 3)
    buffer.clear()
    assert len(buffer) == 0
    play(buffer, 7, 8)
    assert set(held(buffer)) == {7}


def test_a_closed_replay_says_so() -> None:
    with make() as buffer:
        pass
    with pytest.raises(replay.ClosedError):
        play(buffer, 0, 1)


@dataclasses.dataclass
class Mode:
    value: str


@pytest.mark.parametrize("autoreset", ["never", Mode("Sometimes"), 3])
def test_an_unknown_mode_is_refused(autoreset: Any) -> None:
    with pytest.raises(ValueError, match="autoreset is"):
        make(autoreset=autoreset)


def test_gymnasium_is_neither_needed_nor_imported() -> None:
    program = (
        "import sys; from tfagents_core import replay; import numpy as np;"
        "o = np.zeros(2, np.float32);"
        "replay.transitions(o, np.int64(0), max_size=1).add(o, 0, 0, o, True);"
        "sys.exit('gymnasium' in sys.modules)"
    )
    command = [sys.executable, "-c", program]
    assert subprocess.run(command, check=False, timeout=120).returncode == 0


@pytest.mark.parametrize("mode", ["NEXT_STEP", "SAME_STEP"])
def test_vectorised_environments_of_gymnasium_add_every_step(mode: str) -> None:
    gym = pytest.importorskip("gymnasium")
    modes = pytest.importorskip("gymnasium.vector").AutoresetMode
    envs = gym.make_vec(
        "CartPole-v1",
        3,
        vectorization_mode="sync",
        vector_kwargs={"autoreset_mode": modes[mode]},
    )
    buffer = replay.transitions(
        envs.single_observation_space,
        envs.single_action_space,
        max_size=1000,
        num_envs=3,
        autoreset=envs.metadata["autoreset_mode"],
    )
    observation, _ = envs.reset(seed=0)
    envs.action_space.seed(0)
    num_steps, resets = 0, np.zeros(3, bool)
    for _ in range(200):
        action = envs.action_space.sample()
        following, reward, terminated, truncated, infos = envs.step(action)
        num_steps += 3 - resets.sum()
        ended = terminated | truncated
        after = following.copy()
        if mode == "NEXT_STEP":
            resets = ended
        else:
            for k in np.flatnonzero(ended):
                after[k] = infos["final_obs"][k]
        buffer.add(observation, action, reward, after, terminated, truncated)
        observation = following
    assert len(buffer) == num_steps
    batch = buffer.sample(1000).data
    moved = np.abs(batch.next_observation[:, 0] - batch.observation[:, 0])
    assert moved.max() < 0.1  # No transition leads from one episode into another.
    fallen = np.abs(batch.next_observation[:, 2]) > 0.2095
    np.testing.assert_array_equal(batch.discount == 0, fallen)
