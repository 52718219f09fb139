"""Agents learn what takes seconds, and go on where they were."""

import copy
import dataclasses
import pathlib
from typing import Any

import dm_env
import numpy as np
import pytest
import tensorflow as tf
import tree
from dm_env import specs as dm_specs

from tfagents_core import core, datasets, environments, experiments, replay, specs
from tfagents_core.agents import d4pg, dqn
from tfagents_core.experiments import roles

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
    return environments.make_canonical(environment(seed), seed=seed)


def make_config(agent: str, **changes: Any) -> experiments.ExperimentConfig:
    builder, environment = CASES[agent]
    defaults: dict[str, Any] = {
        "agent": agent,
        "environment": "test",
        "builder": builder,
        "num_actor_steps": 1,
        "run_dir": pathlib.Path("unused"),
        "eval_every": 0,
        "eval_episodes": 20,
        "environment_factory": lambda *, seed, evaluation: environment(seed),
    }
    return experiments.ExperimentConfig(**{**defaults, **changes})


def test_dqn_learns_to_catch(tmp_path: pathlib.Path) -> None:
    result = experiments.run_experiment(
        make_config("dqn", num_actor_steps=3_000, run_dir=tmp_path)
    )
    assert result.episode_return >= 0.9  # Random play: -0.6.


def test_d4pg_learns_to_mirror(tmp_path: pathlib.Path) -> None:
    result = experiments.run_experiment(
        make_config("d4pg", num_actor_steps=2_000, run_dir=tmp_path)
    )
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


def _make_learner(agent: str, *, seed: int, **changes: Any) -> core.Learner:
    """A learner of the agent's rule that gets one and the same batch for ever."""
    builder, environment = CASES[agent]
    builder = type(builder)(dataclasses.replace(builder.config, **changes))
    spec = specs.make_environment_spec(make(environment, 0))
    batch = _batch(spec, np.random.default_rng(0))
    info = replay.SampleInfo(*(tf.ones(len(batch.reward)) for _ in range(6)))
    dataset = tf.data.Dataset.from_tensors(replay.Sample(info, batch)).repeat()
    networks = builder.make_networks(spec, seed=seed)
    rule = builder.make_rule(networks, spec, seed=seed)
    return builder.make_learner(rule, datasets.PipelineSource(dataset), seed=seed)


@pytest.mark.parametrize("agent", CASES)
def test_a_restored_learner_takes_the_identical_next_step(agent: str) -> None:
    learner, other = _make_learner(agent, seed=0), _make_learner(agent, seed=1)
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
    learner = _make_learner(agent, seed=0, target_update_period=3)
    (targets,) = learner.get_variables(["target"])
    for step in range(1, 8):
        (policy,) = learner.get_variables(["policy"])
        learner.step()
        before, (targets,) = copy.copy(targets), learner.get_variables(["target"])
        copied = (step - 1) % 3 == 0
        compared = policy if copied else before
        for target, value in zip(targets, compared, strict=False):
            np.testing.assert_array_equal(target, value)


@pytest.mark.parametrize("num_sgd_steps", [1, 2])
@pytest.mark.parametrize("agent", CASES)
def test_what_the_replay_gives_fits_the_learner(agent: str, num_sgd_steps: int) -> None:
    builder, environment = CASES[agent]
    config = dataclasses.replace(builder.config, num_sgd_steps_per_step=num_sgd_steps)
    made = roles.make_agent(
        make_config(agent, builder=type(builder)(config)),
        environments.SerialEnvironments([make(environment, 0)]),
    )
    buffer = roles.make_replay(made, num_streams=1, rows_per_append=1)
    learner = roles.make_learner(made, roles.make_source(made, buffer, timeout_s=0))
    assert not learner.can_step()
    _fill(buffer, made)
    while learner.can_step():
        learner.step()
    (num_learner_steps,) = learner.get_variables(["num_learner_steps"])[0]
    assert num_learner_steps > 0
    assert num_learner_steps % num_sgd_steps == 0


def _fill(buffer: replay.Replay, agent: roles.Agent) -> None:
    """One long episode of the least items that learning begins with."""
    rows = tree.map_structure(
        lambda spec: np.zeros((1, *spec.shape), spec.dtype), agent.plan.rows
    )
    for step in range(agent.config.builder.config.min_replay_size + 1):
        buffer.append(rows, first=np.array([step == 0]), last=np.array([False]))
