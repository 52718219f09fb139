"""Updates of PPO's learner against updates computed by hand, on unkind unrolls.

Unrolls run over true ends and time limits; rewards are large and of both signs; the
actions were taken by another policy, so that ratios leave the clip on both sides; the
gradient's clip bites, values leave their own clip, and the learning rate falls between
two updates, each of several epochs and minibatches.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tfagents_core import learning, replay, specs
from tfagents_core.agents import ppo

from . import by_hand

CONFIG = ppo.PPOConfig(
    layer_sizes=(5, 4),
    initial_std=0.6,
    num_unrolls=2,
    unroll_length=4,
    num_epochs=2,
    num_minibatches=2,
    discount=0.9,
    gae_lambda=0.7,
    clip_epsilon=0.15,
    value_clip_epsilon=0.03,
    value_coefficient=0.4,
    entropy_coefficient=0.03,
    normalize_observations=True,
    max_abs_observation=1.5,
    learning_rate=0.02,
    learning_rate_decay_updates=4,
    adam_epsilon=0.003,
    gradient_clip_norm=0.3,
    num_sgd_steps_per_step=1,
    jit_compile=False,
)
# Two epochs of two minibatches, each epoch in an order of its own.
ORDER = [[7, 0, 2, 5], [1, 3, 6, 4], [4, 2, 1, 0], [6, 7, 3, 5]]
# In the first unroll an episode ends for good, in the second by a time limit.
DISCOUNT = np.array([[1, 0, 1, 1], [1, 1, 1, 1]], np.float32)
IS_FIRST = np.array([[0, 0, 1, 0], [1, 0, 0, 1]], bool)


def make_spec(is_discrete: bool) -> specs.EnvironmentSpec:
    if is_discrete:
        return by_hand.make_spec(specs.DiscreteArray(3, dtype=np.int32))
    return by_hand.make_spec(specs.BoundedArray((2,), np.float32, -1, 1))


def make_batch(is_discrete: bool, seed: int) -> replay.Sample:
    rng = np.random.default_rng(seed)
    action = (
        rng.integers(0, 3, (2, 4)).astype(np.int32)
        if is_discrete
        else rng.normal(size=(2, 4, 2)).astype(np.float32)
    )
    unroll = replay.Unroll(
        observation=rng.normal(1, 2, (2, 4, 3)).astype(np.float32),
        action=action,
        reward=rng.permutation([-9, -1, -0.5, 0, 0.2, 1, 4, 11]).reshape(2, 4),
        discount=DISCOUNT,
        next_observation=rng.normal(1, 2, (2, 4, 3)).astype(np.float32),
        is_first=IS_FIRST,
        extras={
            "log_prob": rng.normal(-1.5 if is_discrete else -3, 1, (2, 4)).astype(
                np.float32
            )
        },
    )
    unroll = unroll._replace(reward=unroll.reward.astype(np.float32))
    return replay.Sample(by_hand.make_info(2), unroll)


def tanh_layers(x: Any, v: Any) -> tf.Tensor:
    for b, w in zip(v[::2], v[1::2], strict=True):
        x = tf.tanh(x @ w + b)
    return x


class ByHand:
    """PPO in as few words as it takes.

    Attributes:
        parameters: of policy and value, in the order of the networks' variables.
        rho: all ratios.
        moved: how far all values have moved from the old ones.
    """

    def __init__(self, parameters: by_hand.Weights, is_discrete: bool) -> None:
        self.parameters, self.is_discrete = parameters, is_discrete
        self.num_policy = len(parameters) - 6
        self.mean, self.variance, self.count = np.zeros(3), np.ones(3), 0
        self.seen: list[np.ndarray] = []
        self.adam = by_hand.Adam(0.02, clip_norm=0.3, epsilon=0.003)
        self.rho: list[float] = []
        self.moved: list[float] = []

    def normalized(self, o: np.ndarray) -> np.ndarray:
        return np.clip((o - self.mean) / np.sqrt(self.variance + 1e-8), -1.5, 1.5)

    def value(self, v: Any, x: Any) -> tf.Tensor:
        own = v[self.num_policy :]
        return (tanh_layers(x, own[:4]) @ own[5] + own[4])[:, 0]

    def log_prob_and_entropy(self, v: Any, x: Any, a: Any) -> tuple[Any, Any]:
        hidden = tanh_layers(x, v[:4])
        if self.is_discrete:
            logits = hidden @ v[5] + v[4]
            log_p = logits - tf.reduce_logsumexp(logits, -1, keepdims=True)
            entropy = -tf.reduce_sum(tf.exp(log_p) * log_p, -1)
            return tf.reduce_sum(log_p * np.eye(3)[a], -1), entropy
        log_std, mean = v[4], hidden @ v[6] + v[5]
        density = -0.5 * ((a - mean) / tf.exp(log_std)) ** 2 - log_std
        log_pi = tf.reduce_sum(density - 0.5 * math.log(2 * math.pi), -1)
        entropy = tf.reduce_sum(log_std + 0.5 * math.log(2 * math.pi * math.e))
        return log_pi, entropy * np.ones(len(x))

    def advantages(self, v: np.ndarray, v_t: np.ndarray, r: Any) -> np.ndarray:
        """Schulman et al. 2016, Eq. 16, backwards, one step after another."""
        out = np.zeros((2, 4))
        for row in range(2):
            later = 0.0
            for t in reversed(range(4)):
                if t < 3 and IS_FIRST[row, t + 1]:
                    later = 0.0
                gamma = 0.9 * DISCOUNT[row, t]
                delta = r[row, t] + gamma * v_t[row, t] - v[row, t]
                out[row, t] = later = delta + gamma * 0.7 * later
        return out

    def update(self, sample: replay.Sample, rate: float) -> dict[str, float]:
        data = by_hand.float64(sample.data)
        x = self.normalized(data.observation).reshape(8, 3)
        x_t = self.normalized(data.next_observation).reshape(8, 3)
        v_old = self.value(self.parameters, x).numpy()
        v_t = self.value(self.parameters, x_t).numpy()
        advantage = self.advantages(
            v_old.reshape(2, 4), v_t.reshape(2, 4), data.reward
        ).ravel()
        target = advantage + v_old
        a = data.action.reshape(8, *data.action.shape[2:])
        log_mu = data.extras["log_prob"].ravel()
        sums: dict[str, float] = {}
        for chosen in ORDER:
            own = advantage[chosen]
            own = (own - own.mean()) / (own.std() + 1e-8)

            def loss_of(v: Any, chosen: Any = chosen, own: Any = own) -> Any:
                log_pi, entropy = self.log_prob_and_entropy(v, x[chosen], a[chosen])
                rho = tf.exp(log_pi - log_mu[chosen])
                inside = tf.minimum(tf.maximum(rho, 0.85), 1.15)
                policy = -tf.reduce_mean(tf.minimum(rho * own, inside * own))
                value = self.value(v, x[chosen])
                moved = value - v_old[chosen]
                near = v_old[chosen] + tf.minimum(tf.maximum(moved, -0.03), 0.03)
                squares = [(target[chosen] - u) ** 2 for u in (value, near)]
                of_value = 0.5 * tf.reduce_mean(tf.maximum(*squares))
                bonus = tf.reduce_mean(entropy)
                loss = policy + 0.4 * of_value - 0.03 * bonus
                return loss, policy, of_value, bonus, rho, moved

            (loss, policy, of_value, bonus, rho, moved), gradients = (
                by_hand.values_and_gradients(loss_of, self.parameters)
            )
            self.parameters = self.adam.step(self.parameters, gradients, rate)
            assert self.adam.norm > 0.3
            self.rho.extend(rho.numpy())
            self.moved.extend(moved.numpy())
            for name, value in {
                "loss": loss,
                "policy_loss": policy,
                "value_loss": of_value,
                "entropy": bonus,
                "kl": np.mean(rho - 1 - np.log(rho)),
                "clip_fraction": np.mean(np.abs(rho - 1) > 0.15),
                "gradient_norm": self.adam.norm,
            }.items():
                sums[name] = sums.get(name, 0.0) + float(value) / len(ORDER)
        self.seen.append(data.observation.reshape(8, 3))
        seen = np.concatenate(self.seen)
        self.mean, self.variance, self.count = seen.mean(0), seen.var(0), len(seen)
        return sums


@pytest.mark.parametrize("is_discrete", [True, False])
def test_two_updates_are_those_computed_by_hand(
    is_discrete: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def order(num_samples: int, **options: Any) -> tf.Tensor:
        # What is shuffled is given: how it is shuffled is another test's.
        sizes = {name: options[name] for name in ("num_epochs", "num_minibatches")}
        assert (num_samples, *sizes.values()) == (8, 2, 2)
        return tf.constant(ORDER)

    monkeypatch.setattr(learning, "shuffle_minibatches", order)
    builder, spec = ppo.PPOBuilder(CONFIG), make_spec(is_discrete)
    networks = builder.make_networks(spec, seed=0)
    if not is_discrete:
        np.testing.assert_allclose(networks.policy_variables[6], np.log([0.6, 0.6]))
    by_hand.scatter(networks.parameters, np.random.default_rng(3))
    hand = ByHand(by_hand.copied(networks.parameters), is_discrete)
    rule = builder.make_rule(networks, spec, seed=0)
    batches = [make_batch(is_discrete, seed) for seed in range(2)]
    learner = builder.make_learner(rule, by_hand.Given(batches, num_batches=1), seed=0)
    assert learner.num_sgd_steps_per_step == 4
    for number, batch in enumerate(batches):
        metrics = learner.step()
        expected = hand.update(batch, 0.02 * (1 - number / 4))
        for name, value in expected.items():
            np.testing.assert_allclose(
                metrics[name], value, rtol=2e-3, atol=1e-5, err_msg=name
            )
        by_hand.assert_all_close(
            learner,
            {
                "policy": [
                    hand.mean,
                    hand.variance,
                    *hand.parameters[: hand.num_policy],
                ],
                "value": hand.parameters[hand.num_policy :],
                "normalizer": [np.array(hand.count)],
                "optimizer": hand.adam.variables,
            },
        )
    assert min(hand.rho) < 0.85
    assert max(hand.rho) > 1.15
    assert max(np.abs(hand.moved)) > 0.03


def test_without_options_values_are_not_clipped_nor_advantages_normalised() -> None:
    """The loss of one whole batch, with what is optional left out."""
    config = dataclasses.replace(
        CONFIG,
        value_clip_epsilon=None,
        normalize_advantages=False,
        normalize_observations=False,
        learning_rate_decay_updates=None,
        gradient_clip_norm=None,
        num_epochs=1,
        num_minibatches=1,
    )
    builder, spec = ppo.PPOBuilder(config), make_spec(is_discrete=True)
    networks = builder.make_networks(spec, seed=0)
    by_hand.scatter(networks.parameters, np.random.default_rng(3))
    hand = ByHand(by_hand.copied(networks.parameters), is_discrete=True)
    batch = make_batch(True, 0)
    data = by_hand.float64(batch.data)
    x, x_t = data.observation.reshape(8, 3), data.next_observation.reshape(8, 3)
    v_old = hand.value(hand.parameters, x).numpy()
    v_t = hand.value(hand.parameters, x_t).numpy()
    advantage = hand.advantages(
        v_old.reshape(2, 4), v_t.reshape(2, 4), data.reward
    ).ravel()

    def loss_of(v: Any) -> Any:
        log_pi, entropy = hand.log_prob_and_entropy(v, x, data.action.ravel())
        rho = tf.exp(log_pi - data.extras["log_prob"].ravel())
        inside = tf.minimum(tf.maximum(rho, 0.85), 1.15)
        policy = -tf.reduce_mean(tf.minimum(rho * advantage, inside * advantage))
        error = advantage + v_old - hand.value(v, x)
        return (
            policy
            + 0.4 * 0.5 * tf.reduce_mean(error**2)
            - 0.03 * tf.reduce_mean(entropy),
        )

    (loss,), gradients = by_hand.values_and_gradients(loss_of, hand.parameters)
    adam = by_hand.Adam(0.02, epsilon=0.003)
    parameters = adam.step(hand.parameters, gradients)
    rule = builder.make_rule(networks, spec, seed=0)
    learner = builder.make_learner(rule, by_hand.Given([batch], num_batches=1), seed=0)
    metrics = learner.step()
    np.testing.assert_allclose(metrics["loss"], loss, rtol=1e-3)
    np.testing.assert_allclose(metrics["gradient_norm"], adam.norm, rtol=1e-3)
    by_hand.assert_all_close(
        learner, {"policy": parameters[:-6], "value": parameters[-6:]}
    )
