"""Snapshots of policies that remember, or that draw lots."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tfagents_core import acting, core, specs, types
from tfagents_core.checkpointing import snapshots

ORIGIN = snapshots.Origin("none", "gym:CartPole-v1", seed=0, num_actor_steps=5)
OBSERVATIONS = {"a": specs.Array((2,), np.float32), "b": specs.Array((), np.float32)}
ACTIONS = specs.BoundedArray((2,), np.float32, -10, 10)


class Summing(core.Policy):
    """Acts with a hundredth of the sum of all that it has seen in the episode."""

    def __init__(self, start: float = 0.0) -> None:
        self._start = tf.Variable(start)
        self.variables = [self._start]

    def initial_state(self, batch_size: int) -> types.NestedTensor:
        return {
            "a": self._start * tf.ones([batch_size, 2]),
            "calls": (tf.zeros([batch_size], tf.int64),),
        }

    def __call__(
        self,
        observation: types.NestedTensor,
        state: types.NestedTensor,
        context: core.PolicyContext,
    ) -> core.PolicyOutput:
        total = state["a"] + observation["a"] + observation["b"][:, None]
        following = {"a": total, "calls": (state["calls"][0] + 1,)}
        return core.PolicyOutput(total / 100, following)


def write(path: pathlib.Path, policy: core.Policy, **changes: Any) -> Any:
    """Writes it, and loads it."""
    snapshots.write(
        path,
        policy,
        **{
            "observations": OBSERVATIONS,
            "actions": ACTIONS,
            "origin": ORIGIN,
            **changes,
        },
    )
    return snapshots.load(path)


def make_batches(size: int, *, num_batches: int = 3) -> list[dict[str, np.ndarray]]:
    generator = np.random.default_rng(0)
    return [
        {
            "a": generator.normal(size=(size, 2)).astype(np.float32),
            "b": generator.normal(size=size).astype(np.float32),
        }
        for _ in range(num_batches)
    ]


@pytest.mark.parametrize("size", [1, 5])
def test_a_snapshot_takes_a_state_and_returns_the_next(
    tmp_path: pathlib.Path, size: int
) -> None:
    model = write(tmp_path / "snapshot", Summing(start=3.0)).model
    state = model.initial_state(size)
    np.testing.assert_array_equal(state["a"], np.full((size, 2), 3.0))
    total = np.full((size, 2), 3.0)
    for number, observation in enumerate(make_batches(size), start=1):
        action, state = model.policy(observation, state)
        total += observation["a"] + observation["b"][:, None]
        np.testing.assert_allclose(action, total / 10, rtol=1e-5)  # To [-10, 10].
        np.testing.assert_allclose(state["a"], total, rtol=1e-5)
        assert state["calls"][0].numpy().tolist() == [number] * size


def test_the_signature_tells_the_state_from_observations_of_the_same_name(
    tmp_path: pathlib.Path,
) -> None:
    model = write(tmp_path / "snapshot", Summing()).model
    serve = model.signatures["serving_default"]
    _, inputs = serve.structured_input_signature
    assert set(inputs) == {"a", "b", "state_a", "state_calls_0"}
    assert set(serve.structured_outputs) == {"action", "state_a", "state_calls_0"}
    served = {
        "state_a": tf.zeros((5, 2)),
        "state_calls_0": tf.zeros(5, tf.int64),
    }
    state = model.initial_state(5)
    for observation in make_batches(5):
        action, state = model.policy(observation, state)
        served = serve(**tf.nest.map_structure(tf.constant, observation), **served)
        np.testing.assert_array_equal(served.pop("action"), action)
        np.testing.assert_array_equal(served["state_a"], state["a"])
        np.testing.assert_array_equal(served["state_calls_0"], state["calls"][0])


def test_a_loaded_snapshot_is_a_policy_like_any_other(tmp_path: pathlib.Path) -> None:
    policy = Summing(start=3.0)
    loaded = snapshots.SnapshotPolicy(write(tmp_path / "snapshot", policy))
    actors = [acting.PolicyActor(p, seed=0) for p in (policy, loaded)]
    first = core.dm_env.StepType.FIRST
    flags = [[False, False], [True, False], [False, True]]
    for observation, is_first in zip(make_batches(2), flags, strict=True):
        own, from_disk = (actor.select_action(observation) for actor in actors)
        np.testing.assert_allclose(10 * own, from_disk, rtol=1e-5)
        step_type = np.where(is_first, first, first + 1)
        for actor in actors:
            actor.observe(own, core.dm_env.TimeStep(step_type, None, None, None))


def test_a_policy_without_memory_has_no_state_to_ask_for(
    tmp_path: pathlib.Path,
) -> None:
    policy = acting.FeedForwardPolicy(lambda o, context: o["a"], [])
    snapshot = write(tmp_path / "snapshot", policy)
    assert not hasattr(snapshot.model, "initial_state")
    assert snapshots.SnapshotPolicy(snapshot).initial_state(3) == ()
    _, inputs = snapshot.model.signatures["serving_default"].structured_input_signature
    assert set(inputs) == {"a", "b"}


def test_a_random_policy_draws_anew_at_every_call_and_alike_after_every_load(
    tmp_path: pathlib.Path,
) -> None:
    policy = acting.FeedForwardPolicy(
        lambda o, context: tf.random.stateless_uniform(tf.shape(o["a"]), context.seed),
        [],
    )
    write(tmp_path / "snapshot", policy)
    (observation,) = make_batches(4, num_batches=1)
    calls = []
    for _ in range(2):
        model = snapshots.load(tmp_path / "snapshot").model
        calls.append([model.policy(observation).numpy() for _ in range(3)])
    np.testing.assert_array_equal(*calls)
    assert len(np.unique(calls[0])) == 3 * 4 * 2


def test_a_snapshot_tells_the_policy_of_as_many_streams_as_its_batch(
    tmp_path: pathlib.Path,
) -> None:
    policy = acting.FeedForwardPolicy(
        lambda o, context: (
            tf.stack(
                [
                    context.stream,
                    tf.fill(tf.shape(context.stream), context.num_streams),
                ],
                axis=1,
            )
            / 10
        ),
        [],
    )
    model = write(tmp_path / "snapshot", policy).model
    (observation,) = make_batches(4, num_batches=1)
    action = model.policy(observation)
    np.testing.assert_allclose(action, [[0, 4], [1, 4], [2, 4], [3, 4]], atol=1e-6)
