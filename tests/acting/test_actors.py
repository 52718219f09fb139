"""The actor: what its policy is given, and who is told what it saw."""

from __future__ import annotations

from typing import Any

import dm_env
import numpy as np
import pytest
import tensorflow as tf

from tfagents_core import acting, core

NUM_ENVIRONMENTS = 3
OBSERVATION = np.zeros((NUM_ENVIRONMENTS, 2), np.float32)
FIRST, MID, LAST = dm_env.StepType.FIRST, dm_env.StepType.MID, dm_env.StepType.LAST


class RecordingAdder(core.Adder):
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def add_first(self, timestep: dm_env.TimeStep) -> None:
        self.calls.append(("add_first", timestep))

    def add(
        self, action: Any, next_timestep: dm_env.TimeStep, extras: Any = ()
    ) -> None:
        self.calls.append(("add", action, next_timestep, extras))


def make_actor(
    act: acting.policies.Act, *, seed: int = 0, **options: Any
) -> acting.PolicyActor:
    return acting.PolicyActor(acting.FeedForwardPolicy(act, []), seed=seed, **options)


def uniform(observation: tf.Tensor, context: core.PolicyContext) -> tf.Tensor:
    return tf.random.stateless_uniform([tf.shape(observation)[0]], context.seed)


def timestep(*step_types: dm_env.StepType) -> dm_env.TimeStep:
    size = len(step_types)
    return dm_env.TimeStep(
        np.array(step_types), np.zeros(size), np.ones(size), np.zeros((size, 2))
    )


def act(actor: core.Actor, times: int) -> np.ndarray:
    return np.stack([actor.select_action(OBSERVATION) for _ in range(times)])


def test_actions_are_the_policys_for_these_observations() -> None:
    actor = make_actor(lambda observation, context: 2 * observation)
    observation = np.array([[1, 2], [3, 4]], np.float32)
    action = actor.select_action(observation)
    assert isinstance(action, np.ndarray)
    np.testing.assert_array_equal(action, [[2, 4], [6, 8]])


def test_observations_and_actions_may_be_nested() -> None:
    actor = make_actor(lambda observation, context: {"move": (observation["a"] + 1,)})
    action = actor.select_action({"a": np.ones(2, np.float32), "b": np.zeros((2, 5))})
    np.testing.assert_array_equal(action["move"][0], [2, 2])


def test_the_policy_gets_a_new_seed_at_every_call() -> None:
    actor = make_actor(lambda observation, context: tf.identity(context.seed), seed=5)
    seeds = {tuple(seed) for seed in act(actor, 50)}
    assert len(seeds) == 50


def test_actors_of_other_seeds_give_their_policies_other_seeds() -> None:
    seeds = set()
    for seed in range(20):
        actor = make_actor(
            lambda observation, context: tf.identity(context.seed), seed=seed
        )
        seeds.add(tuple(actor.select_action(OBSERVATION)))
    assert len(seeds) == 20


@pytest.mark.parametrize("seed", [0, 1, 2**31 - 1, 2**63])
def test_an_actor_is_reproducible_from_its_seed(seed: int) -> None:
    first, same, other = (
        act(make_actor(uniform, seed=s), 5) for s in (seed, seed, seed + 1)
    )
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)
    assert len(np.unique(first)) == first.size


def test_the_policy_is_told_the_environment_steps_before_its_call() -> None:
    actor = make_actor(lambda observation, context: context.num_steps)
    told = []
    for _ in range(4):
        action = actor.select_action(OBSERVATION)
        actor.observe(action, timestep(MID, MID, LAST))
        told.append(int(action))
    assert told == [0, 3, 6, 9]


def test_an_actors_num_steps_do_not_count_reset_ticks() -> None:
    actor = make_actor(lambda observation, context: context.num_steps)
    actor.observe_first(timestep(FIRST, FIRST, FIRST))
    told = []
    for step_types in ((MID, LAST, MID), (MID, FIRST, LAST), (FIRST, MID, FIRST)):
        actor.observe(actor.select_action(OBSERVATION), timestep(*step_types))
        told.append(int(actor.select_action(OBSERVATION)))
    assert told == [3, 3 + 2, 3 + 2 + 1]
    assert actor.state()["num_steps"] == 6


@pytest.mark.parametrize(
    ("options", "streams", "num_streams"),
    [({}, [0, 1, 2], 3), ({"streams": [4, 6, 7], "num_streams": 9}, [4, 6, 7], 9)],
)
def test_the_policy_is_told_which_environments_of_the_run_it_acts_in(
    options: dict[str, Any], streams: list[int], num_streams: int
) -> None:
    actor = make_actor(
        lambda observation, context: (context.stream, context.num_streams), **options
    )
    stream, total = actor.select_action(OBSERVATION)
    np.testing.assert_array_equal(stream, streams)
    assert stream.dtype == np.int32
    assert total == num_streams


def test_the_policy_is_compiled_once() -> None:
    num_traces = 0

    def policy(observation: tf.Tensor, context: core.PolicyContext) -> tf.Tensor:
        nonlocal num_traces
        num_traces += 1  # Python runs only while TensorFlow traces.
        return observation

    act(make_actor(policy), 10)
    assert num_traces == 1


def test_the_policys_variables_may_change_between_calls() -> None:
    variable = tf.Variable(1.0)
    actor = make_actor(lambda observation, context: variable + observation[:, 0])
    before = actor.select_action(OBSERVATION)
    variable.assign(7.0)
    after = actor.select_action(OBSERVATION)
    np.testing.assert_array_equal(before, np.full(NUM_ENVIRONMENTS, 1))
    np.testing.assert_array_equal(after, np.full(NUM_ENVIRONMENTS, 7))


def test_the_adder_gets_first_and_next_timesteps_as_they_are() -> None:
    adder = RecordingAdder()
    actor = make_actor(uniform, adder=adder)
    first, following = timestep(FIRST, FIRST, FIRST), timestep(MID, LAST, MID)

    actor.observe_first(first)
    action = actor.select_action(OBSERVATION)
    actor.observe(action, following)

    (name, given_first), (other_name, given_action, given_next, extras) = adder.calls
    assert (name, other_name, extras) == ("add_first", "add", ())
    assert given_first is first
    assert given_action is action
    assert given_next is following


def test_an_actor_nobody_learns_from_needs_no_adder() -> None:
    actor = make_actor(uniform)
    actor.observe_first(timestep(FIRST, FIRST, FIRST))
    action = actor.select_action(OBSERVATION)
    actor.observe(action, timestep(LAST, LAST, LAST))
    actor.update()
    assert action.shape == (NUM_ENVIRONMENTS,)


def test_update_asks_the_variable_client() -> None:
    variable = tf.Variable(0.0)

    class Client:
        def update(self) -> None:
            variable.assign_add(1.0)

    actor = make_actor(uniform, variable_client=Client())
    for _ in range(2):
        actor.update()
    assert float(variable) == 2
