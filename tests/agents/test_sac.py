"""SAC as a whole: what an update changes, how the policy acts, and that it learns."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import Any

import dm_env
import numpy as np
import pytest
import tensorflow as tf
from dm_env import specs as dm_specs

from tfagents_core import core, experiments, losses, replay, specs, testing
from tfagents_core.agents import sac
from tfagents_core.agents.sac import learning as sac_learning

SPEC = specs.EnvironmentSpec(
    observations=specs.Array((3,), np.float32),
    actions=specs.BoundedArray((2,), np.float32, -1, 1),
    rewards=specs.Array((), np.float32),
    discounts=specs.BoundedArray((), np.float32, 0, 1),
)


class Mirror(dm_env.Environment):
    """The best action is the number shown; every episode is one step."""

    def __init__(self, seed: int) -> None:
        self.seed(seed)
        self._is_over = True

    def seed(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)

    def reset(self) -> dm_env.TimeStep:
        self._is_over = False
        self._shown = self._random.uniform(-0.9, 0.9, (1,)).astype(np.float32)
        return dm_env.restart(self._shown)

    def step(self, action: np.ndarray) -> dm_env.TimeStep:
        if self._is_over:
            return self.reset()
        self._is_over = True
        error = abs(float(action[0]) - float(self._shown[0]))
        return dm_env.termination(1.0 - error, self._shown)

    def observation_spec(self) -> dm_specs.Array:
        return dm_specs.BoundedArray((1,), np.float32, -1, 1)

    def action_spec(self) -> dm_specs.BoundedArray:
        return dm_specs.BoundedArray((1,), np.float32, -1, 1)


def make_mirror(*, seed: int, evaluation: bool = False) -> dm_env.Environment:
    del evaluation
    return Mirror(seed)


def make_config(**options: Any) -> sac.SACConfig:
    small = {"policy_layer_sizes": (16,), "critic_layer_sizes": (16,)}
    return sac.SACConfig(**{**small, "jit_compile": False, **options})


def make_rule(**options: Any) -> tuple[sac.SACNetworks, core.UpdateRule]:
    builder = sac.SACBuilder(make_config(**options))
    networks = builder.make_networks(SPEC, seed=0)
    return networks, builder.make_rule(networks, SPEC, seed=0)


def make_batch(size: int = 32) -> replay.Sample:
    random = np.random.default_rng(0)

    def normal(*shape: int) -> tf.Tensor:
        return tf.constant(random.normal(size=(size, *shape)), tf.float32)

    return replay.Sample(
        replay.SampleInfo(*(tf.ones(size) for _ in range(6))),
        replay.Transition(
            observation=normal(3),
            action=tf.tanh(normal(2)),
            reward=normal(),
            discount=tf.constant(random.uniform(size=size), tf.float32),
            next_observation=normal(3),
        ),
    )


def update(
    rule: core.UpdateRule, seed: tuple[int, int] = (0, 0), num_updates: int = 1
) -> core.Update:
    """Several updates on one batch; returns the last."""
    # Compilation takes longer than a few updates.
    function = rule.update if num_updates < 10 else tf.function(rule.update)
    for step in range(num_updates):
        latest = function(
            make_batch(),
            seed=tf.constant([seed[0], seed[1] + step]),
            num_steps=tf.constant(step, tf.int64),
        )
    return latest


def values(rule: core.UpdateRule, group: str) -> list[np.ndarray]:
    return [variable.numpy() for variable in rule.variables[group]]


def differ(before: list[np.ndarray], after: list[np.ndarray]) -> bool:
    return any(np.any(a != b) for a, b in zip(before, after, strict=True))


class TestContract(testing.BuilderContract):
    def make_builder(self) -> core.Builder[Any, Any]:
        return sac.SACBuilder(
            make_config(
                batch_size=8,
                samples_per_insert=8,
                min_replay_size=16,
                max_replay_size=500,
                num_random_steps=20,
            )
        )

    def make_environment(
        self, *, seed: int, evaluation: bool = False
    ) -> dm_env.Environment:
        return Mirror(seed)


def test_sac_learns_to_mirror(tmp_path: pathlib.Path) -> None:
    result = experiments.run_experiment(
        experiments.ExperimentConfig(
            agent="sac",
            environment="mirror",
            builder=sac.SACBuilder(
                make_config(
                    policy_layer_sizes=(32, 32),
                    critic_layer_sizes=(32, 32),
                    batch_size=64,
                    samples_per_insert=64,
                    min_replay_size=100,
                    num_random_steps=100,
                    learning_rate=3e-3,
                    temperature_learning_rate=3e-3,
                    target_entropy=-2.0,
                )
            ),
            num_actor_steps=1_000,
            run_dir=tmp_path,
            eval_every=0,
            eval_episodes=50,
            environment_factory=make_mirror,
        )
    )
    assert result.episode_return >= 0.9  # Random play: about 0.37.


@pytest.mark.parametrize(
    ("name", "moved", "unmoved"),
    [
        ("policy_loss", "critic", "policy"),
        ("critic_loss", "policy", "critic"),
    ],
)
def test_each_loss_moves_its_own_networks_and_no_others(
    monkeypatch: pytest.MonkeyPatch, name: str, moved: str, unmoved: str
) -> None:
    original: Callable[..., Any] = getattr(sac_learning, name)

    def without_gradient(*args: Any, **kwargs: Any) -> Any:
        loss, *others = original(*args, **kwargs)
        if name == "critic_loss":
            return losses.LossOutput(0 * loss, *others)
        return (0 * loss, *others)

    monkeypatch.setattr(sac_learning, name, without_gradient)
    _, rule = make_rule()
    before = {group: values(rule, group) for group in (moved, unmoved)}
    update(rule)
    assert differ(before[moved], values(rule, moved))
    assert not differ(before[unmoved], values(rule, unmoved))


def test_targets_move_towards_the_new_critics_by_tau() -> None:
    _, rule = make_rule(tau=0.25)
    update(rule)  # Until now, targets and critics were the same.
    before = values(rule, "target")
    assert differ(before, values(rule, "critic"))
    update(rule)
    for old, new, critic in zip(
        before, values(rule, "target"), values(rule, "critic"), strict=True
    ):
        np.testing.assert_allclose(new, 0.75 * old + 0.25 * critic, atol=1e-6)


@pytest.mark.parametrize(("target_entropy", "sign"), [(-20.0, -1), (5.0, 1)])
def test_the_temperature_falls_while_the_entropy_is_above_its_target_and_rises_below(
    target_entropy: float, sign: int
) -> None:
    _, rule = make_rule(target_entropy=target_entropy, initial_temperature=0.5)
    metrics = update(rule, num_updates=5).metrics
    assert np.sign(metrics["temperature"] - 0.5) == sign
    assert np.sign(target_entropy - metrics["entropy"]) == sign


def test_the_temperature_brings_the_entropy_to_its_target() -> None:
    _, rule = make_rule(
        target_entropy=0.5, learning_rate=3e-3, temperature_learning_rate=1e-2
    )
    metrics = update(rule, num_updates=1_000).metrics
    assert float(metrics["entropy"]) == pytest.approx(0.5, abs=0.3)


def test_a_temperature_learning_rate_of_0_keeps_the_temperature() -> None:
    _, rule = make_rule(temperature_learning_rate=0.0, initial_temperature=0.2)
    metrics = update(rule, num_updates=5).metrics
    assert float(metrics["temperature"]) == pytest.approx(0.2)


def test_unless_said_otherwise_the_target_entropy_is_minus_the_actions_size() -> None:
    for options, expected in (({}, -2.0), ({"target_entropy": 0.7}, 0.7)):
        _, rule = make_rule(**options)
        metrics = update(rule).metrics
        # -alpha (log pi + H), with alpha = 1.
        loss = float(metrics["entropy"]) - expected
        assert float(metrics["temperature_loss"]) == pytest.approx(loss, rel=1e-5)


def test_an_update_follows_from_its_seed() -> None:
    rules = [make_rule()[1] for _ in range(3)]
    for rule, seed in zip(rules, ((1, 2), (1, 2), (1, 3)), strict=True):
        update(rule, seed)
    for group in ("policy", "critic"):
        first, same, other = (values(rule, group) for rule in rules)
        assert not differ(first, same)
        assert differ(first, other)


def test_the_critics_and_the_policy_draw_with_different_seeds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seeds: list[tuple[int, ...]] = []

    def noting(original: Callable[..., Any]) -> Callable[..., Any]:
        def loss(*args: Any, seed: tf.Tensor, **kwargs: Any) -> Any:
            seeds.append(tuple(seed.numpy()))
            return original(*args, seed=seed, **kwargs)

        return loss

    for name in ("critic_loss", "policy_loss"):
        monkeypatch.setattr(sac_learning, name, noting(getattr(sac_learning, name)))
    make_rule()[1].update(
        make_batch(), seed=tf.constant([5, 6]), num_steps=tf.constant(0, tf.int64)
    )
    assert len(set(seeds) | {(5, 6)}) == 3


def test_xla_takes_the_same_update_from_the_same_noise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # XLA has a generator of its own: of one seed it makes other samples.
    monkeypatch.setattr(tf.random, "stateless_normal", lambda shape, _: tf.ones(shape))
    (_, rule), (_, other) = make_rule(), make_rule()
    plain, compiled = (
        function(
            make_batch(),
            seed=tf.constant([1, 2]),
            num_steps=tf.constant(0, tf.int64),
        ).metrics
        for function in (rule.update, tf.function(other.update, jit_compile=True))
    )
    for name, value in plain.items():
        np.testing.assert_allclose(value, compiled[name], rtol=1e-4, err_msg=name)


def act(
    *, evaluation: bool, num_steps: int, seed: tuple[int, int] = (0, 0)
) -> tuple[np.ndarray, np.ndarray]:
    """The actions in 100 equal environments, and the tanh of the policy's mean."""
    builder = sac.SACBuilder(make_config(num_random_steps=10))
    networks = builder.make_networks(SPEC, seed=0)
    policy = builder.make_policy(networks, SPEC, evaluation=evaluation)
    observation = tf.ones((100, 3))
    context = core.PolicyContext(
        seed=tf.constant(seed),
        num_steps=tf.constant(num_steps, tf.int64),
        stream=tf.range(100),
        num_streams=100,
    )
    action = policy(observation, (), context).action.numpy()
    return action, np.tanh(networks.policy(observation).mean)


@pytest.mark.parametrize("num_steps", [0, 10])
def test_an_evaluation_acts_with_the_tanh_of_the_mean(num_steps: int) -> None:
    action, mean = act(evaluation=True, num_steps=num_steps)
    np.testing.assert_allclose(action, mean, rtol=1e-6)


def test_a_training_actor_draws_uniformly_first_and_from_the_policy_later() -> None:
    early, mean = act(evaluation=False, num_steps=9)
    late, _ = act(evaluation=False, num_steps=10)
    other, _ = act(evaluation=False, num_steps=10, seed=(0, 1))
    assert np.abs(np.median(early, axis=0)).max() < 0.3
    assert not np.array_equal(early, late)
    assert not np.array_equal(late, other)
    # Half of the policy's samples are on either side of its median.
    np.testing.assert_allclose(np.mean(late < mean, axis=0), 0.5, atol=0.15)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"actions": specs.DiscreteArray(3)}, "there is dqn"),
        ({"observations": specs.Array((8, 8), np.float32)}, "one vector"),
        ({"rewards": specs.Array((2,), np.float32)}, "scalar"),
    ],
)
def test_what_sac_cannot_act_in_is_refused(
    changed: dict[str, Any], message: str
) -> None:
    spec = specs.EnvironmentSpec(**{**vars(SPEC), **changed})
    with pytest.raises(ValueError, match=f"sac needs .*{message}"):
        sac.SACBuilder(make_config()).check(spec)
