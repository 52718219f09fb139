"""Agents learn what takes seconds, and go on where they were."""

import copy
import dataclasses
import pathlib

import dm_env
import numpy as np
import pytest
import tensorflow as tf
from dm_env import specs as dm_specs

from tfagents_core import core, experiments, replay, specs
from tfagents_core.agents import d4pg, dqn
from tfagents_core.environments import python, wrappers

SMALL_DQN = dqn.DQNConfig(
    layer_sizes=(32,),
    n_step=1,
    epsilon_decay_steps=500,
    batch_size=32,
    samples_per_insert=32,
    min_replay_size=100,
    max_replay_size=10_000,
    learning_rate=2e-3,
    target_update_period=20,
)
SMALL_D4PG = d4pg.D4PGConfig(
    policy_layer_sizes=(32, 32),
    critic_layer_sizes=(64, 64),
    num_atoms=21,
    vmin=0,
    vmax=2,
    discount=0.5,
    n_step=1,
    batch_size=64,
    samples_per_insert=64,
    min_replay_size=100,
    max_replay_size=10_000,
    policy_learning_rate=1e-3,
    critic_learning_rate=1e-3,
    target_update_period=20,
)


class Catch(dm_env.Environment):
    """A ball falls down a 6 x 5 board; a paddle on the last row is to catch it."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)

    def reset(self) -> dm_env.TimeStep:
        self._ball, self._row, self._paddle = int(self._random.integers(5)), 0, 2
        return dm_env.restart(self._board())

    def step(self, action: int) -> dm_env.TimeStep:
        if self._row == 5:
            return self.reset()
        self._paddle = int(np.clip(self._paddle + action - 1, 0, 4))
        self._row += 1
        if self._row < 5:
            return dm_env.transition(0.0, self._board())
        return dm_env.termination(2.0 * (self._paddle == self._ball) - 1, self._board())

    def _board(self) -> np.ndarray:
        board = np.zeros((6, 5), np.float32)
        board[self._row, self._ball] = board[5, self._paddle] = 1
        return board

    def observation_spec(self) -> dm_specs.Array:
        return dm_specs.BoundedArray((6, 5), np.float32, 0, 1)

    def action_spec(self) -> dm_specs.DiscreteArray:
        return dm_specs.DiscreteArray(3, dtype=np.int32)


class Mirror(dm_env.Environment):
    """The best action is the number shown; ten numbers an episode, cut by time."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)

    def reset(self) -> dm_env.TimeStep:
        self._step = 0
        return dm_env.restart(self._show())

    def step(self, action: np.ndarray) -> dm_env.TimeStep:
        if self._step == 10:
            return self.reset()
        self._step += 1
        reward = 1.0 - abs(float(action[0]) - float(self._shown[0]))
        end = dm_env.truncation if self._step == 10 else dm_env.transition
        return end(reward, self._show())

    def _show(self) -> np.ndarray:
        self._shown = self._random.uniform(-0.9, 0.9, (1,)).astype(np.float32)
        return self._shown

    def observation_spec(self) -> dm_specs.Array:
        return dm_specs.BoundedArray((1,), np.float32, -1, 1)

    def action_spec(self) -> dm_specs.BoundedArray:
        return dm_specs.BoundedArray((1,), np.float32, -1, 1)


CASES = {
    "dqn": (dqn.DQNBuilder(SMALL_DQN), Catch),
    "d4pg": (d4pg.D4PGBuilder(SMALL_D4PG), Mirror),
}


def make(environment: type[dm_env.Environment], seed: int) -> dm_env.Environment:
    return wrappers.SinglePrecision(python.DmEnvAdapter(environment(seed), seed=seed))


def _run(
    monkeypatch: pytest.MonkeyPatch, directory: pathlib.Path, agent: str, steps: int
) -> experiments.Result:
    builder, environment = CASES[agent]
    monkeypatch.setattr(
        "tfagents_core.environments.make",
        lambda name, *, seed, evaluation=False: make(environment, seed),
    )
    return experiments.run_experiment(
        experiments.ExperimentConfig(
            agent=agent,
            environment="test",
            builder=builder,
            num_actor_steps=steps,
            run_dir=directory,
            eval_every=0,
            eval_episodes=20,
        )
    )


def test_dqn_learns_to_catch(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    result = _run(monkeypatch, tmp_path, "dqn", 3_000)
    assert result.episode_return >= 0.9  # Random play: -0.6.


def test_d4pg_learns_to_mirror(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    result = _run(monkeypatch, tmp_path, "d4pg", 2_000)
    assert result.episode_return >= 9  # Random play: about 3.7.


def _batch(
    spec: specs.EnvironmentSpec, random: np.random.Generator
) -> replay.Transition:
    size = 32 if spec.is_discrete else 64

    def observations() -> tf.Tensor:
        shape = (size, *spec.observations.shape)
        return tf.constant(random.normal(size=shape), tf.float32)

    action = (
        random.integers(0, 3, size)
        if spec.is_discrete
        else random.uniform(-1, 1, (size, *spec.actions.shape))
    )
    return replay.Transition(
        observation=observations(),
        action=tf.constant(action, spec.actions.dtype),
        reward=tf.constant(random.normal(size=size), tf.float32),
        discount=tf.constant(random.uniform(size=size), tf.float32),
        next_observation=observations(),
    )


@pytest.mark.parametrize("agent", CASES)
def test_a_restored_learner_takes_the_identical_next_step(agent: str) -> None:
    builder, environment = CASES[agent]
    spec = specs.make_environment_spec(make(environment, 0))
    random = np.random.default_rng(0)
    batch = _batch(spec, random)
    info = replay.SampleInfo(*(tf.ones(len(batch.reward)) for _ in range(6)))
    dataset = tf.data.Dataset.from_tensors(replay.Sample(info, batch)).repeat()

    def make_learner(seed: int) -> core.Learner:
        networks = builder.make_networks(spec, seed)
        return builder.make_learner(networks, spec, dataset=dataset)

    learner, other = make_learner(0), make_learner(1)
    for _ in range(3):
        learner.step()
    assert list(learner.state) == list(other.state)
    for name, variable in learner.state.items():
        other.state[name].assign(variable)
    learner.step()
    other.step()
    for name, variable in learner.state.items():
        np.testing.assert_array_equal(variable, other.state[name], err_msg=name)


@pytest.mark.parametrize("agent", CASES)
def test_the_target_is_copied_at_its_period_and_not_between(agent: str) -> None:
    builder, environment = CASES[agent]
    builder = type(builder)(dataclasses.replace(builder.config, target_update_period=3))
    spec = specs.make_environment_spec(make(environment, 0))
    batch = _batch(spec, np.random.default_rng(0))
    info = replay.SampleInfo(*(tf.ones(len(batch.reward)) for _ in range(6)))
    dataset = tf.data.Dataset.from_tensors(replay.Sample(info, batch)).repeat()
    learner = builder.make_learner(
        builder.make_networks(spec, 0), spec, dataset=dataset
    )

    (targets,) = learner.get_variables(["target"])
    for step in range(1, 8):
        (policy,) = learner.get_variables(["policy"])
        learner.step()
        before, (targets,) = copy.copy(targets), learner.get_variables(["target"])
        copied = (step - 1) % 3 == 0
        compared = policy if copied else before
        for target, value in zip(targets, compared, strict=False):
            np.testing.assert_array_equal(target, value)


@pytest.mark.parametrize("agent", CASES)
def test_what_the_replay_gives_fits_the_learner(agent: str) -> None:
    builder, environment = CASES[agent]
    spec = specs.make_environment_spec(make(environment, 0))
    buffer = builder.make_replay(spec, num_streams=1, seed=0)
    dataset = builder.make_dataset(buffer, prefetch=0)
    assert dataset.element_spec.data.observation.shape[1:] == spec.observations.shape
    learner = builder.make_learner(
        builder.make_networks(spec, 0), spec, dataset=dataset, buffer=buffer
    )
    assert not learner.can_step()
