"""Policies that remember: when their state begins anew, and where it is kept."""

from __future__ import annotations

from typing import Any

import dm_env
import numpy as np
import pytest
import tensorflow as tf

from tfagents_core import acting, adders, core, environment_loop, specs, types
from tfagents_core.environments import batched

SPEC = specs.EnvironmentSpec(
    observations=specs.Array((), np.float32),
    actions=specs.Array((), np.int32),
    rewards=specs.Array((), np.float32),
    discounts=specs.BoundedArray((), np.float32, 0, 1),
)
BEGIN = 7  # Not 0, so that a state of zeros would show.


class Countdown(dm_env.Environment):
    """Episodes of fixed length whose observation is the steps taken."""

    def __init__(self, length: int) -> None:
        self._length = length

    def reset(self) -> dm_env.TimeStep:
        self._step = 0
        return dm_env.restart(np.float32(0))

    def step(self, action: Any) -> dm_env.TimeStep:
        if self._step == self._length:
            return self.reset()
        self._step += 1
        end = dm_env.termination if self._step == self._length else dm_env.transition
        return end(1.0, np.float32(self._step))

    def observation_spec(self) -> specs.Array:
        return SPEC.observations

    def action_spec(self) -> specs.Array:
        return SPEC.actions


class Counting(core.Policy):
    """Acts with the number of its calls in the episode, counted from `BEGIN`.

    Its state is that number and the sum of the observations; extras are the state
    before the call.
    """

    def __init__(self) -> None:
        self.extras_spec = {
            "count": specs.Array((), np.int32),
            "sum": specs.Array((1, 2), np.float32),
        }

    def initial_state(self, batch_size: int) -> types.NestedTensor:
        return {
            "count": tf.fill([batch_size], BEGIN),
            "sum": tf.zeros([batch_size, 1, 2]),
        }

    def __call__(
        self,
        observation: types.NestedTensor,
        state: types.NestedTensor,
        context: core.PolicyContext,
    ) -> core.PolicyOutput:
        added = tf.ones((1, 1, 2)) * tf.reshape(observation, [-1, 1, 1])
        following = {"count": state["count"] + 1, "sum": state["sum"] + added}
        return core.PolicyOutput(state["count"], following, state)


class Rows:
    """Keeps what is appended."""

    def __init__(self) -> None:
        self.rows: list[adders.Row] = []

    def append(
        self, rows: types.NestedArray, *, first: np.ndarray, last: np.ndarray
    ) -> None:
        self.rows.append(rows)


class Watching(acting.PolicyActor):
    """Keeps its actions, and the observations that they were for."""

    def __init__(self, policy: core.Policy, **options: Any) -> None:
        super().__init__(policy, seed=0, **options)
        self.actions: list[np.ndarray] = []
        self.observations: list[np.ndarray] = []

    def select_action(self, observation: types.NestedArray) -> types.NestedArray:
        action = super().select_action(observation)
        self.actions.append(action)
        self.observations.append(observation)
        return action


def play(
    actor: core.Actor, *lengths: int, num_ticks: int
) -> environment_loop.EnvironmentLoop:
    loop = environment_loop.EnvironmentLoop(
        batched.SerialEnvironments([Countdown(n) for n in lengths]), actor
    )
    for _ in range(num_ticks + 1):  # The first tick resets.
        loop.step()
    return loop


def test_the_state_begins_anew_where_an_episode_begins_and_only_there() -> None:
    actor = Watching(Counting())
    play(actor, 2, 3, 5, num_ticks=20)
    # A Countdown's observation says how many calls of this episode came before.
    np.testing.assert_array_equal(actor.actions, BEGIN + np.stack(actor.observations))
    ended = [np.count_nonzero(np.diff(o) < 0) for o in np.transpose(actor.observations)]
    assert ended == [6, 4, 3]  # After every length + 1 ticks, the last is a reset.


def test_a_loop_that_begins_again_begins_the_state_anew() -> None:
    actor = Watching(Counting())
    play(actor, 9, 9, num_ticks=3)
    play(actor, 9, 9, num_ticks=1)
    assert [int(action[0]) for action in actor.actions] == [7, 8, 9, 7]


def test_an_actor_that_was_shown_no_first_timestep_begins_all_the_same() -> None:
    actor = acting.PolicyActor(Counting(), seed=0)
    mid = np.full(2, dm_env.StepType.MID)
    for expected in (BEGIN, BEGIN + 1):
        action = actor.select_action(np.zeros(2, np.float32))
        np.testing.assert_array_equal(action, [expected, expected])
        actor.observe(action, dm_env.TimeStep(mid, None, None, None))


def test_what_the_policy_says_beside_the_action_is_stored_with_it() -> None:
    client = Rows()
    adder = adders.RowAdder(SPEC, client, extras_spec=Counting().extras_spec)
    play(Watching(Counting(), adder=adder), 2, 3, num_ticks=5)
    count = np.stack([row.extras["count"] for row in client.rows])
    # In the row that begins an episode there was no action.
    expected = [[0, 0], [7, 7], [8, 8], [0, 9], [7, 0], [8, 7]]
    np.testing.assert_array_equal(count, expected)
    np.testing.assert_array_equal(count, [row.action for row in client.rows])
    total = np.stack([row.extras["sum"] for row in client.rows])
    assert total.shape == (6, 2, 1, 2)
    # Environment 1 was at steps 0, 1 and 2: before its third call the sum was 1.
    np.testing.assert_array_equal(total[3], [[[0, 0]], [[1, 1]]])


@pytest.mark.parametrize("num_ticks", [0, 1, 2, 3, 4])
def test_a_restored_actor_remembers(num_ticks: int) -> None:
    lengths = (2, 3, 9)
    whole, stopped = Watching(Counting()), Watching(Counting())
    play(whole, *lengths, num_ticks=8)
    loop = play(stopped, *lengths, num_ticks=num_ticks)
    state = {name: value.copy() for name, value in stopped.state().items()}
    restored = Watching(Counting())
    restored.restore(state)
    loop._actor = restored
    for _ in range(8 - num_ticks):
        loop.step()
    np.testing.assert_array_equal(stopped.actions + restored.actions, whole.actions)
    np.testing.assert_equal(restored.state(), whole.state())


def test_an_actors_state_is_plain_arrays() -> None:
    actor = Watching(Counting())
    assert set(actor.state()) == {"seed", "num_steps"}
    play(actor, 2, 3, num_ticks=2)
    state = actor.state()
    assert set(state) == {"seed", "num_steps", "is_first", "policy/0", "policy/1"}
    assert all(isinstance(value, np.ndarray) for value in state.values())
    assert state["policy/0"].tolist() == [9, 9]
    before = {name: value.copy() for name, value in state.items()}
    actor.select_action(np.zeros(2, np.float32))
    np.testing.assert_equal(state, before)  # What was saved stays.


def test_a_policy_without_memory_keeps_nothing() -> None:
    policy = acting.FeedForwardPolicy(lambda o, context: tf.cast(o, tf.int32), [])
    actor = Watching(policy)
    play(actor, 2, 3, num_ticks=4)
    assert set(actor.state()) == {"seed", "num_steps"}
