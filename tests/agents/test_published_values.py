"""The settings each agent is published with, and that they reach where they act.

The table is written out a second time on purpose: a default that is changed must be
changed here too, with its source.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tfagents_core import core, replay, specs
from tfagents_core.agents import d4pg, dqn, ppo, sac

from . import by_hand

D4PG = {
    "num_sgd_steps_per_step": 1,
    "jit_compile": True,
    "batch_size": 256,
    "samples_per_insert": 32.0,
    "min_replay_size": 1_000,
    "max_replay_size": 1_000_000,
    "discount": 0.99,
    "n_step": 5,
    "policy_layer_sizes": (256, 256, 256),
    "critic_layer_sizes": (512, 512, 256),
    "num_atoms": 51,
    "vmin": -150.0,
    "vmax": 150.0,
    "sigma": 0.2,
    "policy_learning_rate": 3e-4,
    "critic_learning_rate": 3e-4,
    "target_update_period": 100,
    "gradient_clip_norm": 40.0,
    "dqda_clip_norm": 1.0,
}
DQN = {
    "num_sgd_steps_per_step": 1,
    "jit_compile": False,
    "batch_size": 64,
    "samples_per_insert": 32.0,
    "min_replay_size": 1_000,
    "max_replay_size": 100_000,
    "discount": 0.99,
    "n_step": 3,
    "layer_sizes": (128, 128),
    "dueling": True,
    "epsilon_initial": 1.0,
    "epsilon_final": 0.01,
    "epsilon_decay_steps": 5_000,
    "evaluation_epsilon": 0.0,
    "compress_frames": False,
    "priority_exponent": 0.6,
    "priority_epsilon": 1e-3,
    "importance_exponent_initial": 0.4,
    "importance_exponent_final": 1.0,
    "importance_annealing_steps": 25_000,
    "learning_rate": 5e-4,
    "adam_epsilon": 1.5e-4,
    "huber_delta": 1.0,
    "target_update_period": 100,
    "gradient_clip_norm": 10.0,
    "max_abs_reward": None,
}
DQN_ATARI = {
    **DQN,
    "batch_size": 32,
    "samples_per_insert": 8.0,
    "min_replay_size": 20_000,
    "max_replay_size": 1_000_000,
    "layer_sizes": (512,),
    "epsilon_decay_steps": 250_000,
    "evaluation_epsilon": 0.001,
    "importance_annealing_steps": 12_500_000,
    "learning_rate": 6.25e-5,
    "target_update_period": 2_000,
    "max_abs_reward": 1.0,
}
DQN_BSUITE = {
    **DQN,
    "batch_size": 32,
    "min_replay_size": 128,
    "n_step": 1,
    "layer_sizes": (50, 50),
    "epsilon_initial": 0.05,
    "epsilon_final": 0.05,
    "epsilon_decay_steps": 0,
    "importance_annealing_steps": 50_000,
    "learning_rate": 1e-3,
    "adam_epsilon": 1e-8,
    "target_update_period": 4,
}
SAC = {
    "num_sgd_steps_per_step": 1,
    "jit_compile": False,
    "batch_size": 256,
    "samples_per_insert": 256.0,
    "min_replay_size": 1_000,
    "max_replay_size": 1_000_000,
    "discount": 0.99,
    "n_step": 1,
    "policy_layer_sizes": (256, 256),
    "critic_layer_sizes": (256, 256),
    "learning_rate": 3e-4,
    "temperature_learning_rate": 3e-4,
    "initial_temperature": 1.0,
    "target_entropy": None,
    "tau": 0.005,
    "num_random_steps": 1_000,
}
PPO = {
    "num_sgd_steps_per_step": 1,
    "jit_compile": True,
    "layer_sizes": (64, 64),
    "initial_std": 1.0,
    "num_unrolls": 8,
    "unroll_length": 128,
    "num_epochs": 10,
    "num_minibatches": 16,
    "discount": 0.99,
    "gae_lambda": 0.95,
    "clip_epsilon": 0.2,
    "value_clip_epsilon": None,
    "value_coefficient": 0.5,
    "entropy_coefficient": 0.0,
    "normalize_advantages": True,
    "normalize_observations": False,
    "max_abs_observation": 10.0,
    "learning_rate": 3e-4,
    "learning_rate_decay_updates": None,
    "adam_epsilon": 1e-5,
    "gradient_clip_norm": 0.5,
    "max_abs_reward": None,
}
PPO_CONTROL = {
    **PPO,
    "unroll_length": 256,
    "num_minibatches": 32,
    "normalize_observations": True,
}
PPO_ATARI = {
    **PPO,
    "layer_sizes": (512,),
    "num_epochs": 3,
    "num_minibatches": 4,
    "entropy_coefficient": 0.01,
    "learning_rate": 2.5e-4,
    "max_abs_reward": 1.0,
    "jit_compile": False,
}


@pytest.mark.parametrize(
    ("builder", "environment_id", "expected"),
    [
        (d4pg.D4PGBuilder, "control:cartpole:swingup", D4PG),
        (d4pg.D4PGBuilder, "gym:Pendulum-v1", D4PG),
        (dqn.DQNBuilder, "gym:CartPole-v1", DQN),
        (dqn.DQNBuilder, "atari:Pong", DQN_ATARI),
        (dqn.DQNBuilder, "bsuite:catch/0", DQN_BSUITE),
        (sac.SACBuilder, "gym:Pendulum-v1", SAC),
        (sac.SACBuilder, "control:cartpole:swingup", SAC),
        (ppo.PPOBuilder, "gym:CartPole-v1", PPO),
        (ppo.PPOBuilder, "control:cartpole:swingup", PPO_CONTROL),
        (ppo.PPOBuilder, "atari:Pong", PPO_ATARI),
    ],
)
def test_every_setting_is_the_published_one(
    builder: type[core.Builder[Any, Any]],
    environment_id: str,
    expected: dict[str, Any],
) -> None:
    assert dataclasses.asdict(builder.default_config(environment_id)) == expected


def test_ppo_steps_eight_environments_and_the_others_one() -> None:
    assert ppo.PPOBuilder.envs_per_actor == 8
    for builder in (d4pg.D4PGBuilder, dqn.DQNBuilder, sac.SACBuilder):
        assert builder.envs_per_actor == 1


DISCRETE = by_hand.make_spec(specs.DiscreteArray(4, dtype=np.int32))
CONTINUOUS = by_hand.make_spec(specs.BoundedArray((2,), np.float32, -1, 1))
FRAMES = dataclasses.replace(
    DISCRETE, observations=specs.StackedArray((4, 84, 84), np.uint8, 0, 255)
)

# Nowhere the default, and no two alike.
SIZES = {
    "batch_size": 7,
    "samples_per_insert": 3.0,
    "min_replay_size": 11,
    "max_replay_size": 23,
}


@pytest.mark.parametrize(
    ("builder", "spec", "sampler", "limit"),
    [
        (
            dqn.DQNBuilder(
                dqn.DQNConfig(
                    **SIZES, n_step=4, priority_exponent=0.3, max_abs_reward=2.5
                )
            ),
            DISCRETE,
            replay.Prioritized(0.3),
            2.5,
        ),
        (
            d4pg.D4PGBuilder(d4pg.D4PGConfig(**SIZES, n_step=4)),
            CONTINUOUS,
            replay.Uniform(),
            None,
        ),
        (
            sac.SACBuilder(sac.SACConfig(**SIZES, n_step=4)),
            CONTINUOUS,
            replay.Uniform(),
            None,
        ),
    ],
)
def test_what_the_replay_is_told_is_in_the_plan(
    builder: core.Builder[Any, Any],
    spec: specs.EnvironmentSpec,
    sampler: Any,
    limit: float | None,
) -> None:
    plan = builder.plan_replay(spec, ())
    (table,) = plan.tables
    assert table.name == "transitions"
    assert table.pattern == replay.NStep(4)
    assert table.sampler == sampler
    assert table.remover == replay.Fifo()
    assert table.max_size == 23
    assert not table.max_times_sampled
    assert table.rate_limiter == replay.SampleToInsertRatio(3.0, 11)
    assert plan.batch_sizes == {"transitions": 7}
    assert plan.max_abs_reward == limit


def test_what_the_queue_is_told_is_in_the_plan() -> None:
    config = ppo.PPOConfig(
        num_unrolls=5, unroll_length=6, num_minibatches=3, max_abs_reward=2.5
    )
    extras_spec = {"log_prob": specs.Array((), np.float32)}
    plan = ppo.PPOBuilder(config).plan_replay(DISCRETE, extras_spec)
    (table,) = plan.tables
    assert table.pattern == replay.Sequence(length=7, period=6, end="continue")
    assert table.sampler == replay.Fifo()
    assert table.max_times_sampled == 1
    assert table.max_size == 5
    assert table.rate_limiter == replay.Queue(5)
    assert plan.batch_sizes == {table.name: 5}
    assert plan.max_abs_reward == 2.5


def test_frames_are_compressed_where_the_configuration_says_so() -> None:
    for compress, expected in ((False, None), (True, "lz4")):
        config = dqn.DQNConfig(compress_frames=compress)
        rows = dqn.DQNBuilder(config).plan_replay(FRAMES, ()).rows
        assert getattr(rows.observation, "compression", None) == expected


def act(
    builder: core.Builder[Any, Any],
    spec: specs.EnvironmentSpec,
    *,
    evaluation: bool,
    num_steps: int = 0,
    size: int = 4_000,
) -> tuple[np.ndarray, Any]:
    """What `size` equal environments are told to do, and the networks."""
    networks = builder.make_networks(spec, seed=0)
    policy = builder.make_policy(networks, spec, evaluation=evaluation)
    context = core.PolicyContext(
        seed=tf.constant([3, 4]),
        num_steps=tf.constant(num_steps, tf.int64),
        stream=tf.range(size),
        num_streams=size,
    )
    return policy(tf.ones((size, 3)), (), context).action.numpy(), networks


@pytest.mark.parametrize(
    ("evaluation", "num_steps", "epsilon"),
    [
        (False, 0, 0.8),
        (False, 25, 0.8 - 0.25 * 0.6),
        (False, 50, 0.5),
        (False, 100, 0.2),
        (False, 10_000, 0.2),
        (True, 0, 0.4),
        (True, 10_000, 0.4),
    ],
)
def test_epsilon_falls_in_training_and_is_another_in_evaluation(
    evaluation: bool, num_steps: int, epsilon: float
) -> None:
    config = dqn.DQNConfig(
        layer_sizes=(3,),
        epsilon_initial=0.8,
        epsilon_final=0.2,
        epsilon_decay_steps=100,
        evaluation_epsilon=0.4,
    )
    action, networks = act(
        dqn.DQNBuilder(config), DISCRETE, evaluation=evaluation, num_steps=num_steps
    )
    best = int(np.argmax(networks.q(tf.ones((1, 3)))))
    # Of four actions any may be the random one, the best too. Five deviations.
    assert np.mean(action != best) == pytest.approx(0.75 * epsilon, abs=0.04)
    assert set(action.tolist()) == {0, 1, 2, 3}


@pytest.mark.parametrize(("evaluation", "sigma"), [(False, 0.3), (True, 0.0)])
def test_d4pg_adds_its_noise_in_training_only(evaluation: bool, sigma: float) -> None:
    config = d4pg.D4PGConfig(
        policy_layer_sizes=(3,), critic_layer_sizes=(3,), sigma=0.3
    )
    action, networks = act(d4pg.D4PGBuilder(config), CONTINUOUS, evaluation=evaluation)
    own = networks.policy(tf.ones((1, 3))).numpy()
    np.testing.assert_allclose(action.std(axis=0), [sigma] * 2, atol=0.02)
    np.testing.assert_allclose(action.mean(axis=0), own[0], atol=0.02)


def test_ppo_draws_in_training_and_takes_the_mean_in_evaluation() -> None:
    config = ppo.PPOConfig(layer_sizes=(3,), initial_std=0.3)
    builder = ppo.PPOBuilder(config)
    for evaluation, std in ((False, 0.3), (True, 0.0)):
        action, networks = act(builder, CONTINUOUS, evaluation=evaluation)
        np.testing.assert_allclose(action.std(axis=0), [std] * 2, atol=0.02)
        mean = networks.act(tf.ones((1, 3))).mean[0]
        np.testing.assert_allclose(action.mean(axis=0), mean, atol=0.02)


def shapes(variables: Any) -> set[tuple[int, ...]]:
    """Of the weights, without biases."""
    return {tuple(v.shape) for v in variables if v.shape.rank > 1}


def test_networks_have_the_layers_asked_for() -> None:
    sizes: dict[str, Any] = {"policy_layer_sizes": (5, 6), "critic_layer_sizes": (7, 8)}
    of_d4pg = d4pg.D4PGBuilder(
        d4pg.D4PGConfig(**sizes, num_atoms=9, vmin=-2.0, vmax=6.0)
    ).make_networks(CONTINUOUS, seed=0)
    assert shapes(of_d4pg.policy.trainable_variables) == {(3, 5), (5, 6), (6, 2)}
    assert shapes(of_d4pg.critic.trainable_variables) == {(5, 7), (7, 8), (8, 9)}
    np.testing.assert_allclose(of_d4pg.atoms, np.arange(-2, 7))

    of_sac = sac.SACBuilder(sac.SACConfig(**sizes)).make_networks(CONTINUOUS, seed=0)
    assert shapes(of_sac.policy.trainable_variables) == {(3, 5), (5, 6), (6, 4)}
    assert shapes(of_sac.critic.trainable_variables) == {(5, 7), (7, 8), (8, 1)}
    assert len(of_sac.critic.trainable_variables) == 2 * 6  # Two critics.

    for dueling, heads in ((True, {(6, 1), (6, 4)}), (False, {(6, 4)})):
        config = dqn.DQNConfig(layer_sizes=(5, 6), dueling=dueling)
        q = dqn.DQNBuilder(config).make_networks(DISCRETE, seed=0).q
        assert shapes(q.trainable_variables) == {(3, 5), (5, 6)} | heads

    of_ppo = ppo.PPOBuilder(ppo.PPOConfig(layer_sizes=(5, 6))).make_networks(
        DISCRETE, seed=0
    )
    assert shapes(of_ppo.policy.trainable_variables) == {(3, 5), (5, 6), (6, 4)}
    assert shapes(of_ppo.value.trainable_variables) == {(3, 5), (5, 6), (6, 1)}
