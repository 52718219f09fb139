"""The agents' networks as a whole: what they map to what, and their seeds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tfagents_core import specs
from tfagents_core.agents import d4pg, dqn

CONTROL = specs.EnvironmentSpec(
    observations=specs.Array((5,), np.float32),
    actions=specs.BoundedArray((2,), np.float32, -1, 1),
    rewards=specs.Array((), np.float32),
    discounts=specs.BoundedArray((), np.float32, 0, 1),
)
VECTORS, GRID, FRAMES = (
    specs.EnvironmentSpec(
        observations=observations,
        actions=specs.DiscreteArray(3),
        rewards=CONTROL.rewards,
        discounts=CONTROL.discounts,
    )
    for observations in (
        specs.Array((5,), np.float32),
        specs.Array((10, 5), np.float32),
        specs.StackedArray((4, 84, 84), np.uint8, 0, 255),
    )
)
D4PG = d4pg.D4PGConfig(
    policy_layer_sizes=(8, 8), critic_layer_sizes=(8, 8), num_atoms=11, vmin=-2, vmax=3
)


def make_d4pg(seed: int) -> d4pg.D4PGNetworks:
    return d4pg.make_networks(CONTROL, D4PG, seed=seed)


def make_dqn(seed: int) -> dqn.DQNNetworks:
    return dqn.make_networks(VECTORS, dqn.DQNConfig(layer_sizes=(8, 8)), seed=seed)


def variables_of(made: Any) -> list[np.ndarray]:
    modules = [m for m in vars(made).values() if isinstance(m, tf.Module)]
    return [v.numpy() for m in modules for v in m.trainable_variables]


@pytest.mark.parametrize("make", [make_d4pg, make_dqn])
def test_equal_seeds_make_equal_networks_and_others_do_not(make: Any) -> None:
    first, same, other = (variables_of(make(seed)) for seed in (1, 1, 2))
    assert len(first) > 4
    for ours, theirs in zip(first, same, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    drawn = [not np.all(v == v.flat[0]) for v in first]  # Not biases and the like.
    differs = [not np.array_equal(a, b) for a, b in zip(first, other, strict=True)]
    assert differs == drawn


def test_the_d4pg_policy_starts_near_the_middle_of_the_action_range() -> None:
    observation = tf.constant(np.random.default_rng(0).normal(size=(7, 5)), tf.float32)
    action = make_d4pg(0).policy(observation)
    assert action.shape == (7, 2)
    assert np.all(np.abs(action) < 0.1)
    assert np.any(action != 0)


def test_the_d4pg_policy_never_leaves_the_action_range() -> None:
    policy = make_d4pg(0).policy
    for variable in policy.trainable_variables:
        variable.assign(100 * tf.ones_like(variable))
    assert np.all(np.abs(policy(tf.ones((7, 5)))) <= 1)


def test_the_d4pg_critic_gives_logits_over_atoms_from_vmin_to_vmax() -> None:
    made = make_d4pg(0)
    logits = made.critic(tf.ones((7, 5)), tf.zeros((7, 2)))
    assert logits.shape == (7, 11)
    assert made.atoms.dtype == tf.float32
    np.testing.assert_allclose(made.atoms, np.arange(-2, 3.25, 0.5))


def test_the_d4pg_critics_logits_depend_on_the_action() -> None:
    critic = make_d4pg(0).critic
    logits = [critic(tf.ones((1, 5)), tf.fill((1, 2), a)) for a in (-1.0, 1.0)]
    assert not np.array_equal(*logits)


@pytest.mark.parametrize("dueling", [True, False])
@pytest.mark.parametrize("layer_sizes", [(8,), (8, 6)])
@pytest.mark.parametrize("spec", [VECTORS, GRID, FRAMES], ids=["5", "10x5", "frames"])
def test_dqn_gives_a_value_for_each_action(
    spec: specs.EnvironmentSpec, layer_sizes: tuple[int, ...], dueling: bool
) -> None:
    config = dqn.DQNConfig(layer_sizes=layer_sizes, dueling=dueling)
    made = dqn.make_networks(spec, config, seed=0)
    observation = tf.ones((2, *spec.observations.shape), spec.observations.dtype)
    assert made.q(observation).shape == (2, 3)


def test_dueling_streams_share_all_but_the_last_layer() -> None:
    def shapes(dueling: bool) -> list[tuple[int, ...]]:
        config = dqn.DQNConfig(layer_sizes=(8, 6), dueling=dueling)
        made = dqn.make_networks(VECTORS, config, seed=0)
        return sorted(v.shape for v in variables_of(made) if v.ndim == 2)

    assert shapes(dueling=False) == [(5, 8), (6, 3), (8, 6)]
    assert shapes(dueling=True) == [(5, 8), (6, 1), (6, 3), (8, 6), (8, 6)]


def test_frames_go_through_the_nature_convolutions() -> None:
    config = dqn.DQNConfig(layer_sizes=(8,), dueling=False)
    made = dqn.make_networks(FRAMES, config, seed=0)
    assert (8, 8, 4, 32) in [v.shape for v in variables_of(made)]


@pytest.mark.parametrize(
    ("builder", "spec", "network"),
    [
        (d4pg.D4PGBuilder(D4PG), CONTROL, "policy"),
        (dqn.DQNBuilder(dqn.DQNConfig(layer_sizes=(8, 8))), VECTORS, "q"),
    ],
)
def test_acting_needs_the_trainable_variables_of_the_network_that_acts(
    builder: Any, spec: specs.EnvironmentSpec, network: str
) -> None:
    made = builder.make_networks(spec, seed=0)
    policy = builder.make_policy(made, spec, evaluation=False)
    ours, theirs = policy.variables, getattr(made, network).trainable_variables
    assert [v.ref() for v in ours] == [v.ref() for v in theirs]
