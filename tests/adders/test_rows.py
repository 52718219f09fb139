"""What adders make of timesteps, and tables of their rows."""

import dm_env
import numpy as np
import pytest
import tree

from tfagents_core import adders, replay, specs

STACK = specs.StackedArray((3, 2), np.uint8, 0, 255)
SPEC = specs.EnvironmentSpec(
    observations=STACK,
    actions=specs.DiscreteArray(4, dtype=np.int32),
    rewards=specs.Array((), np.float32),
    discounts=specs.BoundedArray((), np.float32, 0, 1),
)
FIRST, MID, LAST = dm_env.StepType.FIRST, dm_env.StepType.MID, dm_env.StepType.LAST


class Frames:
    """One environment whose frame at step t of an episode is `10 * episode + t`."""

    def __init__(self) -> None:
        self._episode = -1

    def reset(self) -> None:
        self._episode, self._t = self._episode + 1, 0

    def step(self) -> None:
        self._t += 1

    def observation(self) -> np.ndarray:
        newest = np.arange(self._t - 2, self._t + 1).clip(0)
        return np.repeat((10 * self._episode + newest)[:, None], 2, 1).astype(np.uint8)


def timestep(step_type, observation, reward=0.0, discount=1.0) -> dm_env.TimeStep:
    return dm_env.TimeStep(
        step_type=np.array([step_type]),
        reward=np.array([reward], np.float32),
        discount=np.array([discount], np.float32),
        observation=observation[None],
    )


class Appended:
    """Keeps what is appended."""

    def __init__(self) -> None:
        self.rows = []

    def append(self, rows, *, first, last) -> None:
        self.rows.append((rows, bool(first[0]), bool(last[0])))


def play(adder: adders.RowAdder, lengths: list[int]) -> None:
    """Episodes of `lengths` steps; step t takes action t % 4 and is rewarded t."""
    frames = Frames()
    for number, length in enumerate(lengths):
        frames.reset()
        begin = timestep(FIRST, frames.observation())
        if number:
            adder.add(np.array([3], np.int32), begin)  # Ignored by the environment.
        else:
            adder.add_first(begin)
        for t in range(1, length + 1):
            frames.step()
            end = t == length
            adder.add(
                np.array([t % 4], np.int32),
                timestep(LAST if end else MID, frames.observation(), t, not end),
            )


def make_buffer(table: replay.Table) -> replay.Replay:
    return replay.Replay(adders.row_spec(SPEC), [table], seed=0)


def test_a_stack_of_frames_is_stored_one_frame_at_a_time() -> None:
    client = Appended()
    play(adders.RowAdder(SPEC, client), [2])
    assert adders.row_spec(SPEC).observation.shape == (2,)
    frames = [rows.observation[0, 0] for rows, _, _ in client.rows]
    assert frames == [0, 1, 2]


def test_the_row_that_begins_an_episode_has_no_action() -> None:
    client = Appended()
    play(adders.RowAdder(SPEC, client), [1, 1])
    flags = [(first, last) for _, first, last in client.rows]
    assert flags == [(True, False), (False, True)] * 2
    assert [int(rows.action[0]) for rows, _, _ in client.rows] == [0, 1, 0, 1]


@pytest.mark.parametrize("which", [[0], [1], [0, 2], [0, 1, 2]])
def test_only_the_environments_that_begin_an_episode_have_no_action(
    which: list[int],
) -> None:
    """Whichever of three they are; what the actor still holds is left as it is."""
    rows = []

    class Client:
        """Keeps what is appended."""

        def append(self, row, *, first, last) -> None:
            rows.append((row, first.tolist(), last.tolist()))

    extras_spec = {"log_prob": specs.Array((2,), np.float32)}
    adder = adders.RowAdder(SPEC, Client(), extras_spec=extras_spec)
    step_type = np.array([MID, LAST, MID])
    step_type[which] = FIRST
    reward = np.float32([1.5, -2.5, 3.5])
    reward[which] = 0
    action = np.array([1, 2, 3], np.int32)
    extras = {"log_prob": np.arange(1, 7, dtype=np.float32).reshape(3, 2)}
    observation = np.zeros((3, *STACK.shape), np.uint8)
    following = dm_env.TimeStep(step_type, reward, np.float32([1, 0, 1]), observation)
    adder.add(action, following, extras)
    ((row, first, last),) = rows
    for k in range(3):
        begins = k in which
        assert first[k] == begins
        assert last[k] == (k == 1 and not begins)
        assert row.action[k] == (0 if begins else k + 1)
        assert row.reward[k] == reward[k]
        assert row.discount[k] == following.discount[k]
        log_prob = [0, 0] if begins else [2 * k + 1, 2 * k + 2]
        assert row.extras["log_prob"][k].tolist() == log_prob
    assert action.tolist() == [1, 2, 3]
    assert extras["log_prob"].min() == 1


def test_the_rows_before_the_first_action_are_zeros_in_every_environment() -> None:
    rows = []

    class Client:
        """Keeps what is appended."""

        def append(self, row, *, first, last) -> None:
            rows.append((row, first.tolist(), last.tolist()))

    extras_spec = {"log_prob": specs.Array((2,), np.float32)}
    adder = adders.RowAdder(SPEC, Client(), extras_spec=extras_spec)
    observation = np.zeros((3, *STACK.shape), np.uint8)
    zeros, ones = np.zeros(3, np.float32), np.ones(3, np.float32)
    adder.add_first(dm_env.TimeStep(np.array([FIRST] * 3), zeros, ones, observation))
    ((row, first, last),) = rows
    assert (first, last) == ([True] * 3, [False] * 3)
    assert (row.action.dtype, row.action.tolist()) == (np.int32, [0, 0, 0])
    np.testing.assert_array_equal(row.extras["log_prob"], np.zeros((3, 2)))


def test_rewards_are_clipped_on_both_sides_and_only_where_asked() -> None:
    def clipped(limit: float | None, *rewards: float) -> list[float]:
        client = Appended()
        adder = adders.RowAdder(SPEC, client, max_abs_reward=limit)
        frame = np.zeros(STACK.shape, np.uint8)
        for reward in rewards:
            adder.add(np.array([1], np.int32), timestep(MID, frame, reward))
        return [float(rows.reward[0]) for rows, _, _ in client.rows]

    rewards = (0.0, 0.5, 1.0, 3.0, -0.5, -1.0, -7.0)
    assert clipped(None, *rewards) == list(rewards)
    assert clipped(1.0, *rewards) == [0, 0.5, 1, 1, -0.5, -1, -1]
    assert clipped(2.5, *rewards) == [0, 0.5, 1, 2.5, -0.5, -1, -2.5]


@pytest.mark.parametrize("n_step", [1, 3])
def test_transitions_are_what_the_environment_did(n_step: int) -> None:
    table = adders.n_step_table(
        "t", SPEC, n_step=n_step, discount=0.5, sampler=replay.Fifo(), max_size=100,
        max_times_sampled=1, rate_limiter=replay.MinSize(1),
    )  # fmt: skip
    buffer = make_buffer(table)
    play(adders.RowAdder(SPEC, buffer), [5])

    # Windows end at every step, from up to n steps before; at the end of the episode
    # shorter ones start at each step still left.
    windows = [(max(0, t - n_step), t) for t in range(1, 6)]
    windows += [(start, 5) for start in range(5 - n_step + 1, 5)]
    data = buffer.tables["t"].sample(len(windows)).data
    assert buffer.tables["t"].size == 0
    for index, (start, stop) in enumerate(windows):
        rewards = np.arange(start + 1, stop + 1)
        expected = np.sum(rewards * 0.5 ** np.arange(stop - start))
        assert data.reward[index] == expected
        assert data.discount[index] == (0 if stop == 5 else 0.5 ** (stop - start))
        assert data.action[index] == (start + 1) % 4
        for stack, t in ((data.observation, start), (data.next_observation, stop)):
            newest = np.arange(t - 2, t + 1).clip(0)
            np.testing.assert_array_equal(stack[index, :, 0], newest)


def test_a_stack_never_reaches_into_the_episode_before() -> None:
    table = adders.n_step_table(
        "t", SPEC, n_step=1, discount=1.0, sampler=replay.Fifo(), max_size=100,
        max_times_sampled=1, rate_limiter=replay.MinSize(1),
    )  # fmt: skip
    buffer = make_buffer(table)
    play(adders.RowAdder(SPEC, buffer), [2, 2])
    data = buffer.tables["t"].sample(4).data
    np.testing.assert_array_equal(
        data.observation[:, :, 0], [[0, 0, 0], [0, 0, 1], [10, 10, 10], [10, 10, 11]]
    )


def test_sequences_overlap_and_the_last_is_padded() -> None:
    table = adders.sequence_table(
        "t", SPEC, length=3, period=2, sampler=replay.Fifo(), max_size=100,
        max_times_sampled=1, rate_limiter=replay.MinSize(1),
    )  # fmt: skip
    buffer = make_buffer(table)
    play(adders.RowAdder(SPEC, buffer), [6])
    data = buffer.tables["t"].sample(buffer.tables["t"].size).data
    np.testing.assert_array_equal(data.reward, [[1, 2, 3], [3, 4, 5], [5, 6, 0]])
    np.testing.assert_array_equal(data.mask, [[1, 1, 1], [1, 1, 1], [1, 1, 0]])
    np.testing.assert_array_equal(data.discount[-1], [1, 0, 0])
    np.testing.assert_array_equal(data.observation[0, :, -1, 0], [0, 1, 2])


def test_unrolls_go_on_over_episode_ends_with_their_stacks() -> None:
    table = adders.unroll_table(
        "t", SPEC, length=4, sampler=replay.Fifo(), max_size=100,
        max_times_sampled=1, rate_limiter=replay.MinSize(1),
    )  # fmt: skip
    buffer = make_buffer(table)
    play(adders.RowAdder(SPEC, buffer), [3, 1, 4])
    data = buffer.tables["t"].sample(2).data
    assert isinstance(data, replay.Unroll)
    np.testing.assert_array_equal(data.reward, [[1, 2, 3, 1], [1, 2, 3, 4]])
    np.testing.assert_array_equal(data.discount, [[1, 1, 0, 0], [1, 1, 1, 0]])
    np.testing.assert_array_equal(data.is_first, [[1, 0, 0, 1], [1, 0, 0, 0]])
    np.testing.assert_array_equal(
        data.observation[0, :, :, 0], [[0, 0, 0], [0, 0, 1], [0, 1, 2], [10, 10, 10]]
    )
    np.testing.assert_array_equal(
        data.next_observation[0, :, :, 0],
        [[0, 0, 1], [0, 1, 2], [1, 2, 3], [10, 10, 11]],
    )


def test_unrolls_may_overlap_and_have_the_first_steps_core_state() -> None:
    table = adders.unroll_table(
        "t", SPEC, length=4, period=2, extras_spec={"core": specs.Array((), np.int32)},
        core_state="core", sampler=replay.Fifo(), max_size=100, max_times_sampled=1,
        rate_limiter=replay.MinSize(1),
    )  # fmt: skip
    rows = adders.row_spec(SPEC, {"core": specs.Array((), np.int32)})
    buffer = replay.Replay(rows, [table])
    for t in range(9):
        row = tree.map_structure(lambda s: np.zeros(s.shape, s.dtype), buffer.steps)
        row = row._replace(extras={"core": np.int32(t)})
        buffer.append_one(row, t == 0)
    data = buffer.tables["t"].sample(3).data
    np.testing.assert_array_equal(data.core_state, [1, 3, 5])
    assert data.extras == ()


def test_episodes_come_whole() -> None:
    table = adders.episode_table(
        "t", SPEC, max_length=4, sampler=replay.Fifo(), max_size=100,
        max_times_sampled=1, rate_limiter=replay.MinSize(1),
    )  # fmt: skip
    buffer = make_buffer(table)
    play(adders.RowAdder(SPEC, buffer), [4, 2])
    data = buffer.tables["t"].sample(2).data
    np.testing.assert_array_equal(data.reward, [[1, 2, 3, 4], [1, 2, 0, 0]])
    np.testing.assert_array_equal(data.mask, [[1, 1, 1, 1], [1, 1, 0, 0]])


def test_an_episode_longer_than_its_table_is_refused() -> None:
    table = adders.episode_table(
        "t", SPEC, max_length=2, sampler=replay.Fifo(), max_size=100,
        rate_limiter=replay.MinSize(1),
    )  # fmt: skip
    with pytest.raises(ValueError, match="episode"):
        play(adders.RowAdder(SPEC, make_buffer(table)), [3])
