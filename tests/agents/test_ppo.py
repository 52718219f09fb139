"""PPO's update, its place in a run, and that it learns."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import Any

import dm_env
import numpy as np
import pytest
import tensorflow as tf
from dm_env import specs as dm_specs

from tfagents_core import core, experiments, replay, specs, testing
from tfagents_core.agents import ppo
from tfagents_core.environments import python, wrappers
from tfagents_core.experiments import roles

SMALL = ppo.PPOConfig(
    layer_sizes=(32,),
    num_unrolls=4,
    unroll_length=16,
    num_epochs=4,
    num_minibatches=4,
    discount=0.5,
    learning_rate=3e-3,
    initial_std=0.5,
    jit_compile=False,
)
NORMALIZING = dataclasses.replace(SMALL, normalize_observations=True)


class Match(dm_env.Environment):
    """The best action is what is shown; episodes of various lengths.

    Those of even length are cut by time, the others end for good.
    """

    def __init__(self, *, seed: int, continuous: bool) -> None:
        self.seed(seed)
        self._continuous = continuous
        self._step = self._length = 0

    def seed(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)

    def reset(self) -> dm_env.TimeStep:
        self._length = int(self._random.integers(1, 12))
        self._step = 0
        return dm_env.restart(self._show())

    def step(self, action: np.ndarray) -> dm_env.TimeStep:
        if self._step == self._length:
            return self.reset()
        self._step += 1
        reward = self._reward(action)
        if self._step < self._length:
            return dm_env.transition(reward, self._show())
        end = dm_env.truncation if self._length % 2 == 0 else dm_env.termination
        return end(reward, self._show())

    def _reward(self, action: np.ndarray) -> float:
        if self._continuous:
            return 1.0 - abs(float(action[0]) - float(self._shown[0]))
        return float(self._shown[int(action)])

    def _show(self) -> np.ndarray:
        self._shown = (
            self._random.uniform(-0.9, 0.9, (1,)).astype(np.float32)
            if self._continuous
            else np.eye(3, dtype=np.float32)[self._random.integers(3)]
        )
        return self._shown

    def observation_spec(self) -> dm_specs.Array:
        return dm_specs.Array((1 if self._continuous else 3,), np.float32)

    def action_spec(self) -> dm_specs.BoundedArray:
        if self._continuous:
            return dm_specs.BoundedArray((1,), np.float32, -1, 1)
        return dm_specs.DiscreteArray(3, dtype=np.int32)


def make_factory(*, continuous: bool) -> core.EnvironmentFactory:
    def make(*, seed: int, evaluation: bool = False) -> dm_env.Environment:
        del evaluation
        return Match(seed=seed, continuous=continuous)

    return make


def make_spec(*, continuous: bool) -> specs.EnvironmentSpec:
    environment = Match(seed=0, continuous=continuous)
    canonical = wrappers.SinglePrecision(python.DmEnvAdapter(environment, seed=0))
    return specs.make_environment_spec(canonical)


def make_config(
    run_dir: pathlib.Path, *, continuous: bool = False, **changes: Any
) -> experiments.ExperimentConfig:
    settings = {
        name: changes.pop(name)
        for name in [field.name for field in dataclasses.fields(SMALL)]
        if name in changes
    }
    defaults: dict[str, Any] = {
        "agent": "ppo",
        "environment": "match",
        "builder": ppo.PPOBuilder(dataclasses.replace(SMALL, **settings)),
        "num_actor_steps": 4_000,
        "run_dir": run_dir,
        "envs_per_actor": 4,
        "eval_every": 0,
        "eval_episodes": 20,
        "environment_factory": make_factory(continuous=continuous),
    }
    return experiments.ExperimentConfig(**{**defaults, **changes})


def make_batch(
    spec: specs.EnvironmentSpec, seed: int = 0, size: int = 4, length: int = 16
) -> replay.Sample:
    """Unrolls of random numbers."""
    rng = np.random.default_rng(seed)

    def normal(*shape: int) -> tf.Tensor:
        return tf.constant(rng.normal(size=(size, length, *shape)), tf.float32)

    action = (
        tf.constant(rng.integers(0, 3, (size, length)), tf.int32)
        if spec.is_discrete
        else normal(*spec.actions.shape)
    )
    unroll = replay.Unroll(
        observation=3 + 2 * normal(*spec.observations.shape),
        action=action,
        reward=normal(),
        discount=tf.constant(rng.choice([0, 1], (size, length)), tf.float32),
        next_observation=3 + 2 * normal(*spec.observations.shape),
        is_first=tf.constant(rng.choice([False, True], (size, length))),
        extras={"log_prob": -1 + 0.1 * normal()},
    )
    info = {
        name: tf.zeros(size, column.dtype)
        for name, column in replay.SampleInfo.columns()._asdict().items()
    }
    return replay.Sample(replay.SampleInfo(**info), unroll)


def make_rule(
    *, continuous: bool = False, seed: int = 0, **changes: Any
) -> tuple[ppo.PPONetworks, core.UpdateRule, specs.EnvironmentSpec]:
    spec = make_spec(continuous=continuous)
    builder = ppo.PPOBuilder(dataclasses.replace(SMALL, **changes))
    networks = builder.make_networks(spec, seed=seed)
    return networks, builder.make_rule(networks, spec, seed=0), spec


def update(
    rule: core.UpdateRule, batch: replay.Sample, *, seed: int = 0, num_steps: int = 0
) -> core.Update:
    return tf.function(rule.update)(
        batch,
        seed=tf.constant([0, seed]),
        num_steps=tf.constant(num_steps, tf.int64),
    )


def values(rule: core.UpdateRule) -> list[np.ndarray]:
    return [v.numpy() for group in rule.variables.values() for v in group]


def are_equal(first: list[np.ndarray], second: list[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


class TestDiscrete(testing.BuilderContract):
    num_actor_steps = 160

    def make_builder(self) -> core.Builder[Any, Any]:
        return ppo.PPOBuilder(SMALL)

    def make_environment(
        self, *, seed: int, evaluation: bool = False
    ) -> dm_env.Environment:
        del evaluation
        return Match(seed=seed, continuous=False)


class TestContinuous(testing.BuilderContract):
    num_actor_steps = 160

    def make_builder(self) -> core.Builder[Any, Any]:
        return ppo.PPOBuilder(NORMALIZING)

    def make_environment(
        self, *, seed: int, evaluation: bool = False
    ) -> dm_env.Environment:
        del evaluation
        return Match(seed=seed, continuous=True)


# The update.


@pytest.mark.parametrize("continuous", [False, True])
def test_the_same_seed_gives_the_same_update_and_another_does_not(
    continuous: bool,
) -> None:
    results = []
    for seed in (0, 0, 1):
        _, rule, spec = make_rule(continuous=continuous)
        update(rule, make_batch(spec), seed=seed)
        results.append(values(rule))
    assert are_equal(results[0], results[1])
    assert not are_equal(results[0], results[2])


def test_an_update_is_as_many_sgd_steps_as_epochs_times_minibatches() -> None:
    _, rule, spec = make_rule(num_epochs=3, num_minibatches=8)
    update(rule, make_batch(spec))
    beta1_power = rule.variables["optimizer"][0].numpy()
    np.testing.assert_allclose(beta1_power, 0.9 ** (1 + 24), rtol=1e-5)


def test_metrics_are_means_over_the_sgd_steps() -> None:
    networks, rule, spec = make_rule(learning_rate=1e-12)  # As good as standing still.
    batch = make_batch(spec)
    samples = ppo.make_samples(
        networks, batch.data, discount=SMALL.discount, lambda_=SMALL.gae_lambda
    )
    whole = ppo.ppo_loss(networks, samples, SMALL)
    metrics = update(rule, batch).metrics
    for name in ("value_loss", "entropy", "kl", "clip_fraction"):
        np.testing.assert_allclose(metrics[name], getattr(whole, name), rtol=1e-4)
    assert metrics["gradient_norm"] > 0


def test_the_learning_rate_falls_to_0() -> None:
    networks, rule, spec = make_rule(learning_rate_decay_updates=10)
    before = [v.numpy() for v in networks.parameters]
    update(rule, make_batch(spec), num_steps=10)
    assert are_equal(before, [v.numpy() for v in networks.parameters])
    update(rule, make_batch(spec), num_steps=9)
    assert not are_equal(before, [v.numpy() for v in networks.parameters])


# Statistics of observations.


def test_statistics_are_those_of_all_observations_learned_from() -> None:
    networks, rule, spec = make_rule(normalize_observations=True)
    batches = [make_batch(spec, seed) for seed in range(3)]
    for batch in batches:
        update(rule, batch)
    seen = np.concatenate([batch.data.observation for batch in batches]).reshape(-1, 3)
    mean, variance = networks.normalizer.statistics
    np.testing.assert_allclose(mean, seen.mean(0), rtol=1e-4)
    np.testing.assert_allclose(variance, seen.var(0), rtol=1e-4)
    assert networks.normalizer.count.numpy() == len(seen)


def test_a_batch_is_learned_from_with_the_statistics_it_was_acted_with() -> None:
    """So that the first ratios are 1 whatever the batch does to the statistics."""
    networks, rule, spec = make_rule(
        normalize_observations=True, num_epochs=1, num_minibatches=1
    )
    batch = make_batch(spec)
    flat = tf.reshape(batch.data.observation, [-1, 3])
    log_prob = networks.act(flat).log_prob(tf.reshape(batch.data.action, [-1]))
    extras = {"log_prob": tf.reshape(log_prob, batch.data.reward.shape)}
    batch = batch._replace(data=batch.data._replace(extras=extras))
    assert float(update(rule, batch).metrics["kl"]) == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize("evaluation", [False, True])
def test_the_policy_reads_the_statistics(evaluation: bool) -> None:
    spec = make_spec(continuous=True)
    builder = ppo.PPOBuilder(NORMALIZING)
    networks = builder.make_networks(spec, seed=0)
    policy = builder.make_policy(networks, spec, evaluation=evaluation)
    rule = builder.make_rule(networks, spec, seed=0)
    roles.check_policy_variables(rule, policy)
    refs = [variable.ref() for variable in policy.variables]
    context = core.PolicyContext(
        tf.constant([0, 0]), tf.constant(0, tf.int64), tf.range(2), 2
    )

    def act() -> np.ndarray:
        return policy(tf.constant([[5.0], [6.0]]), (), context).action.numpy()

    before = act()
    for statistic in networks.normalizer.statistics:
        assert statistic.ref() in refs
        statistic.assign(statistic + 3)
        assert not np.array_equal(before, before := act())


def test_a_snapshot_has_the_statistics(tmp_path: pathlib.Path) -> None:
    config = make_config(
        tmp_path,
        continuous=True,
        num_actor_steps=200,
        normalize_observations=True,
        eval_episodes=1,
    )
    experiment = experiments.InlineExperiment(config)
    while experiment.counters.num_learner_steps < 2:
        experiment.step()
    experiment.snapshot(tmp_path / "snapshot")
    loaded = tf.saved_model.load(str(tmp_path / "snapshot"))
    networks = experiment._agent.networks
    assert networks.normalizer.count.numpy() > 0
    observation = tf.constant([[0.3], [-0.8]])
    expected = tf.clip_by_value(networks.act(observation).mode(), -1, 1)
    np.testing.assert_allclose(loaded.policy(observation), expected, atol=1e-6)


# In a run.


def num_updates(experiment: experiments.InlineExperiment) -> int:
    ((updates,),) = experiment.learner.get_variables(["num_learner_steps"])
    return int(updates)


def test_learner_steps_count_sgd_steps(tmp_path: pathlib.Path) -> None:
    config = make_config(tmp_path, num_epochs=3, num_minibatches=2)
    experiment = experiments.InlineExperiment(config)
    while num_updates(experiment) < 2:
        experiment.step()
    assert experiment.counters.num_learner_steps == 2 * 3 * 2


@pytest.mark.parametrize("envs_per_actor", [1, 4, 11])
def test_any_number_of_environments_keeps_acting_and_learning(
    tmp_path: pathlib.Path, envs_per_actor: int
) -> None:
    """Streams finish their unrolls at different ticks, since a reset is no step."""
    config = make_config(
        tmp_path, envs_per_actor=envs_per_actor, num_epochs=1, jit_compile=False
    )
    experiment = experiments.InlineExperiment(config)
    for _ in range(1_200 // envs_per_actor):
        experiment.step()
    # All steps are learned from, but for those of unfinished batches and unrolls.
    steps, batch = experiment.counters.num_actor_steps, 4 * 16
    learned = batch * num_updates(experiment)
    assert 0 <= steps - learned < batch + 16 * envs_per_actor


def test_each_step_is_learned_from_once(tmp_path: pathlib.Path) -> None:
    config = make_config(tmp_path, num_epochs=1)
    experiment = experiments.InlineExperiment(config)
    for _ in range(500):
        experiment.step()
    (table,) = experiment.buffer.tables.values()
    assert table.stats().num_sampled == 4 * num_updates(experiment)
    assert table.stats().samples_per_insert <= 1


def test_stored_log_probabilities_are_the_policys(tmp_path: pathlib.Path) -> None:
    """Before the first update, every ratio is 1, of clipped actions too."""
    config = make_config(tmp_path, continuous=True, initial_std=2.0)
    batch = roles.make_environments(config)
    agent = roles.make_agent(config, batch)
    buffer = roles.make_replay(agent, num_streams=4, rows_per_append=4)
    loop = roles.make_loop(agent, batch, roles.make_actor(agent, buffer))
    (table,) = buffer.tables.values()
    while not table.can_sample(4):
        loop.step()
    unroll = table.sample(4).data
    assert np.abs(unroll.action).max() > 1
    policy = agent.networks.act(tf.reshape(unroll.observation, [-1, 1]))
    log_prob = policy.log_prob(tf.reshape(unroll.action, [-1, 1]))
    np.testing.assert_allclose(log_prob, unroll.extras["log_prob"].ravel(), atol=1e-5)


@pytest.mark.parametrize(
    ("continuous", "least"),
    [(False, 0.95), (True, 0.85)],  # Random play: 0.33 and about 0.4.
)
def test_ppo_learns_to_match_what_it_is_shown(
    tmp_path: pathlib.Path, continuous: bool, least: float
) -> None:
    config = make_config(
        tmp_path,
        continuous=continuous,
        normalize_observations=continuous,
        jit_compile=True,
    )
    result = experiments.run_experiment(config)
    rewards = result.episode_return * config.eval_episodes
    assert rewards / _num_steps(tmp_path) >= least


def _num_steps(run_dir: pathlib.Path) -> int:
    """Environment steps of the run's only evaluation."""
    rows = [json.loads(line) for line in (run_dir / "metrics.jsonl").open()]
    (row,) = [row for row in rows if row["kind"] == "eval"]
    return round(row["episode_length"] * len(row["episode_returns"]))


# What it acts in.


def test_frames_go_through_convolutions_that_policy_and_value_share() -> None:
    spec = dataclasses.replace(
        make_spec(continuous=False),
        observations=specs.StackedArray((4, 84, 84), np.uint8, 0, 255),
    )
    builder = ppo.PPOBuilder(ppo.PPOConfig.for_atari())
    networks = builder.make_networks(spec, seed=0)
    distribution, value = networks(tf.zeros((2, 4, 84, 84), tf.uint8))
    assert distribution.logits.shape == (2, 3)
    assert value.shape == (2,)
    assert len(networks.torso.trainable_variables) == 8  # Three convolutions, a layer.
    assert len(networks.value.trainable_variables) == 2


def test_environments_it_cannot_act_in_are_refused() -> None:
    builder = ppo.PPOBuilder(SMALL)
    spec = make_spec(continuous=True)
    builder.check(spec)
    builder.check(make_spec(continuous=False))
    unbounded = dataclasses.replace(spec, actions=specs.Array((2,), np.float32))
    with pytest.raises(ValueError, match="ppo needs one vector of continuous actions"):
        builder.check(unbounded)
    nested = dataclasses.replace(spec, observations={"a": spec.observations})
    with pytest.raises(ValueError, match="ppo needs observations that are one array"):
        builder.check(nested)
    several = dataclasses.replace(spec, rewards=specs.Array((2,), np.float32))
    with pytest.raises(ValueError, match="ppo needs scalar rewards"):
        builder.check(several)
