"""Steps of SAC's learner against steps computed by hand, on an unkind batch.

Rewards are of both signs and transitions of different numbers of steps, some terminal;
the temperature starts away from 1 and moves fast; the targets lag far behind.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tfagents_core import replay, specs
from tfagents_core.agents import sac

from . import by_hand

SPEC = by_hand.make_spec(specs.BoundedArray((2,), np.float32, -1, 1))
CONFIG = sac.SACConfig(
    policy_layer_sizes=(5, 4),
    critic_layer_sizes=(6, 4),
    learning_rate=0.01,
    temperature_learning_rate=0.1,
    initial_temperature=0.3,
    target_entropy=-0.7,
    tau=0.2,
    num_sgd_steps_per_step=2,
    jit_compile=False,
)
NOISE = np.random.default_rng(9).normal(size=(6, 2))


def make_batch(seed: int) -> replay.Sample:
    rng = np.random.default_rng(seed)
    data = by_hand.make_transition(
        rng,
        rng.uniform(-1, 1, (6, 2)).astype(np.float32),
        reward=rng.permutation([-8.0, -1.2, -0.3, 0.0, 1.7, 5.0]),
        discount=rng.permutation([0, 0, 0.9, 0.9, 0.9**2, 0.9**2]),
    )
    return replay.Sample(by_hand.make_info(6), data)


def sample(v: Any, o: Any) -> tuple[tf.Tensor, tf.Tensor]:
    """Actions of the noise, and their log-densities; Haarnoja et al. 2018, App. C."""
    b, w, *hidden = v
    mean, log_std = tf.split(by_hand.rectified(o, hidden) @ w + b, 2, axis=-1)
    u = mean + tf.exp(log_std) * NOISE
    log_normal = -0.5 * NOISE**2 - log_std - 0.5 * math.log(2 * math.pi)
    log_pi = tf.reduce_sum(log_normal - tf.math.log(1 - tf.tanh(u) ** 2), -1)
    return tf.tanh(u), log_pi


def critics(v: Any, o: Any, a: Any) -> list[tf.Tensor]:
    """The values of both, `[B]` each."""
    x = tf.concat([o, a], -1)
    return [
        (by_hand.rectified(x, own[:4]) @ own[5] + own[4])[:, 0]
        for own in (v[:6], v[6:])
    ]


class ByHand:
    """SAC in as few words as it takes.

    Attributes:
        lesser: which critic was the lesser, each time.
    """

    def __init__(self, policy: by_hand.Weights, critic: by_hand.Weights) -> None:
        self.policy, self.critic, self.target = policy, critic, critic
        self.log_alpha = np.array(math.log(0.3))
        self.policy_adam, self.critic_adam = by_hand.Adam(0.01), by_hand.Adam(0.01)
        self.alpha_adam = by_hand.Adam(0.1)
        self.lesser: set[int] = set()

    def least(self, values: list[tf.Tensor]) -> tf.Tensor:
        self.lesser |= set(np.argmin(values, axis=0).tolist())
        return tf.minimum(*values)

    def update(self, batch: replay.Sample) -> dict[str, float]:
        o_tm1, a_tm1, r_t, discount_t, o_t, _ = by_hand.float64(batch.data)
        alpha = math.exp(self.log_alpha)
        a_t, log_pi_t = sample(self.policy, o_t)
        v_t = self.least(critics(self.target, o_t, a_t)) - alpha * log_pi_t
        target = (r_t + discount_t * v_t).numpy()

        def critic_loss(v: Any) -> Any:
            errors = [target - q for q in critics(v, o_tm1, a_tm1)]
            loss = tf.add_n([0.5 * tf.reduce_mean(e**2) for e in errors])
            return loss, (errors[0] + errors[1]) / 2

        (loss, errors), gradients = by_hand.values_and_gradients(
            critic_loss, self.critic
        )
        self.critic = self.critic_adam.step(self.critic, gradients)

        def policy_loss(v: Any) -> Any:  # By the critics as they are now.
            a, log_pi = sample(v, o_tm1)
            q = self.least(critics(self.critic, o_tm1, a))
            return tf.reduce_mean(alpha * log_pi - q), log_pi

        (loss_of_policy, log_pi), gradients = by_hand.values_and_gradients(
            policy_loss, self.policy
        )
        self.policy = self.policy_adam.step(self.policy, gradients)
        # d/d(log alpha) of -alpha mean(log pi + H).
        slope = -alpha * np.mean(log_pi - 0.7)
        (self.log_alpha,) = self.alpha_adam.step([self.log_alpha], [np.array(slope)])
        self.target = [
            0.8 * old + 0.2 * new
            for old, new in zip(self.target, self.critic, strict=True)
        ]
        return {
            "critic_loss": float(loss),
            "policy_loss": float(loss_of_policy),
            "temperature_loss": slope,
            "temperature": alpha,
            "entropy": -np.mean(log_pi),
            "value": target.mean(),
            "td_error": np.mean(np.abs(errors)),
            "critic_gradient_norm": self.critic_adam.norm,
            "policy_gradient_norm": self.policy_adam.norm,
        }


def test_six_updates_are_those_computed_by_hand(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The noise is given: which seeds draw it is another test's.
    monkeypatch.setattr(
        tf.random,
        "stateless_normal",
        lambda shape, seed: tf.constant(NOISE, tf.float32),
    )
    builder = sac.SACBuilder(CONFIG)
    networks = builder.make_networks(SPEC, seed=0)
    rng = np.random.default_rng(3)
    by_hand.scatter(networks.policy.trainable_variables, rng)
    by_hand.scatter(networks.critic.trainable_variables, rng)
    hand = ByHand(
        by_hand.copied(networks.policy.trainable_variables),
        by_hand.copied(networks.critic.trainable_variables),
    )
    rule = builder.make_rule(networks, SPEC, seed=0)
    batches = [make_batch(seed) for seed in range(6)]
    source = by_hand.Given(batches, num_batches=2)
    learner = builder.make_learner(rule, source, seed=0)
    for call in range(3):
        metrics = learner.step()
        for number in (2 * call, 2 * call + 1):
            expected = hand.update(batches[number])
        for name, value in expected.items():
            np.testing.assert_allclose(
                metrics[name], value, rtol=1e-3, atol=1e-5, err_msg=name
            )
        by_hand.assert_all_close(
            learner,
            {
                "policy": hand.policy,
                "critic": hand.critic,
                "target": hand.target,
                "temperature": [hand.log_alpha],
                "policy_optimizer": hand.policy_adam.variables,
                "critic_optimizer": hand.critic_adam.variables,
                "temperature_optimizer": hand.alpha_adam.variables,
            },
        )
    assert hand.lesser == {0, 1}
    assert source.updates == []  # It draws uniformly: there are no priorities.
