"""Steps of D4PG's learner against steps computed by hand, on an unkind batch.

Rewards are large and of both signs, and reach beyond the atoms; transitions are of
different numbers of steps, and some are terminal; every clip bites; the targets are
copied between two updates of one call.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tfagents_core import replay, specs
from tfagents_core.agents import d4pg

from . import by_hand

SPEC = by_hand.make_spec(specs.BoundedArray((2,), np.float32, -1, 1))
CONFIG = d4pg.D4PGConfig(
    policy_layer_sizes=(5, 4),
    critic_layer_sizes=(6, 4),
    num_atoms=7,
    vmin=-9.0,
    vmax=12.0,
    policy_learning_rate=0.01,
    critic_learning_rate=0.03,
    target_update_period=3,
    gradient_clip_norm=0.01,
    dqda_clip_norm=0.4,
    num_sgd_steps_per_step=2,
    jit_compile=False,
)
ATOMS = np.linspace(-9, 12, 7)


def make_batch(seed: int) -> replay.Sample:
    rng = np.random.default_rng(seed)
    data = by_hand.make_transition(
        rng,
        rng.uniform(-1, 1, (6, 2)).astype(np.float32),
        reward=rng.permutation([-30.0, -4.2, -0.3, 0.0, 5.7, 25.0]),
        discount=rng.permutation([0, 0, 0.9, 0.9**3, 0.9**5, 0.9**5]),
    )
    return replay.Sample(by_hand.make_info(6), data)


def torso(x: tf.Tensor, v: list[tf.Tensor]) -> tf.Tensor:
    b, w, offset, scale, *rest = v
    x = x @ w + b
    x = x - tf.reduce_mean(x, -1, keepdims=True)
    x = x / tf.sqrt(tf.reduce_mean(x * x, -1, keepdims=True) + 1e-5)
    x = tf.tanh(x * scale + offset)
    for b, w in zip(rest[::2], rest[1::2], strict=True):
        x = x @ w + b
        x = tf.where(x > 0, x, tf.exp(x) - 1)
    return x


def act(v: list[tf.Tensor], o: Any) -> tf.Tensor:
    return tf.tanh(torso(o, v[2:]) @ v[1] + v[0])


def log_probs(v: list[tf.Tensor], o: Any, a: Any) -> tf.Tensor:
    logits = torso(tf.concat([o, a], -1), v[2:]) @ v[1] + v[0]
    return logits - tf.reduce_logsumexp(logits, -1, keepdims=True)


def project(probs: np.ndarray, r: np.ndarray, discount: np.ndarray) -> np.ndarray:
    """Bellemare et al. 2017, Algorithm 1, loop by loop."""
    m = np.zeros_like(probs)
    for row in range(len(probs)):
        for j, z in enumerate(ATOMS):
            tz = np.clip(r[row] + discount[row] * z, ATOMS[0], ATOMS[-1])
            b = (tz - ATOMS[0]) / (ATOMS[1] - ATOMS[0])
            low, up = int(np.floor(b)), int(np.ceil(b))
            if low == up:
                m[row, low] += probs[row, j]
            else:
                m[row, low] += probs[row, j] * (up - b)
                m[row, up] += probs[row, j] * (b - low)
    return m


class ByHand:
    """D4PG in as few words as it takes.

    Attributes:
        lengths: of all dQ/da, before their clip.
    """

    def __init__(self, policy: by_hand.Weights, critic: by_hand.Weights) -> None:
        self.policy, self.critic = policy, critic
        self.target: tuple[by_hand.Weights, by_hand.Weights] = ([], [])
        self.lengths: list[float] = []
        self.policy_adam = by_hand.Adam(0.01, clip_norm=0.01)
        self.critic_adam = by_hand.Adam(0.03, clip_norm=0.01)

    def update(self, sample: replay.Sample, number: int) -> dict[str, float]:
        if number % 3 == 0:
            self.target = (list(self.policy), list(self.critic))
        o_tm1, a_tm1, r_t, discount_t, o_t, _ = by_hand.float64(sample.data)
        policy_t, critic_t = self.target
        probs_t = np.exp(log_probs(critic_t, o_t, act(policy_t, o_t)))
        target = project(probs_t, r_t, discount_t)

        def critic_loss(v: list[tf.Tensor]) -> Any:
            log_p = log_probs(v, o_tm1, a_tm1)
            return -tf.reduce_mean(tf.reduce_sum(target * log_p, -1)), tf.exp(log_p)

        (loss, probs), gradients = by_hand.values_and_gradients(
            critic_loss, self.critic
        )

        a = tf.constant(act(self.policy, o_tm1))
        with tf.GradientTape() as tape:
            tape.watch(a)
            value = tf.reduce_sum(tf.exp(log_probs(self.critic, o_tm1, a)) * ATOMS, -1)
        dqda = tape.gradient(value, a).numpy()
        lengths = np.linalg.norm(dqda, axis=1, keepdims=True)
        self.lengths.extend(lengths.ravel())
        dqda = dqda * np.minimum(1, 0.4 / lengths)
        _, policy_gradients = by_hand.values_and_gradients(
            lambda v: (-tf.reduce_mean(tf.reduce_sum(dqda * act(v, o_tm1), -1)),),
            self.policy,
        )
        self.critic = self.critic_adam.step(self.critic, gradients)
        self.policy = self.policy_adam.step(self.policy, policy_gradients)
        bellman = r_t + discount_t * (probs_t @ ATOMS)  # As if atoms had no ends.
        return {
            "critic_loss": float(loss),
            "policy_loss": 0.5 * np.mean(np.sum(dqda**2, -1)),
            "value": float(np.mean(value)),
            "td_error": np.mean(np.abs(bellman - probs.numpy() @ ATOMS)),
            "critic_gradient_norm": self.critic_adam.norm,
            "policy_gradient_norm": self.policy_adam.norm,
        }


def test_six_updates_are_those_computed_by_hand() -> None:
    builder = d4pg.D4PGBuilder(CONFIG)
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
            expected = hand.update(batches[number], number)
        assert expected["critic_gradient_norm"] > 0.01
        assert expected["policy_gradient_norm"] > 0.01
        for name, value in expected.items():
            np.testing.assert_allclose(metrics[name], value, rtol=1e-3, err_msg=name)
        by_hand.assert_all_close(
            learner,
            {
                "policy": hand.policy,
                "critic": hand.critic,
                "target": [*hand.target[0], *hand.target[1]],
                "policy_optimizer": hand.policy_adam.variables,
                "critic_optimizer": hand.critic_adam.variables,
            },
        )
    assert min(hand.lengths) < 0.4 < max(hand.lengths)  # The clip bites in some rows.
    assert source.updates == []  # It draws uniformly: there are no priorities.
