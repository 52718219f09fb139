"""Steps of DQN's learner against steps computed by hand, on an unkind batch.

Items were drawn with unequal probabilities; rewards are large and of both signs;
transitions are of different numbers of steps, and some are terminal; the clip bites;
the target is copied between two updates of one call, and beta rises from one update to
the next.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tfagents_core import replay, specs
from tfagents_core.agents import dqn

from . import by_hand

SPEC = by_hand.make_spec(specs.DiscreteArray(3, dtype=np.int32))
CONFIG = dqn.DQNConfig(
    layer_sizes=(5, 4),
    priority_epsilon=0.05,
    importance_exponent_initial=0.3,
    importance_exponent_final=0.9,
    importance_annealing_steps=4,
    learning_rate=0.05,
    adam_epsilon=0.01,
    huber_delta=0.7,
    target_update_period=3,
    gradient_clip_norm=0.15,
    num_sgd_steps_per_step=2,
    jit_compile=False,
)
BETAS = [0.3, 0.45, 0.6, 0.75, 0.9, 0.9]


def make_batch(number: int) -> replay.Sample:
    rng = np.random.default_rng(number)
    data = by_hand.make_transition(
        rng,
        rng.integers(0, 3, 8).astype(np.int32),
        reward=rng.permutation([-20, -1.5, -0.2, 0, 0.1, 0.8, 3, 17]),
        discount=rng.permutation([0, 0, 0.9, 0.9**2, *[0.9**3] * 4]),
    )
    probability = rng.permutation([1e-4, 3e-4, 0.002, 0.01, 0.01, 0.03, 0.1, 0.4])
    info = by_hand.make_info(8, first_key=100 * number, probability=probability)
    return replay.Sample(info, data)


def dueling(v: Any, o: Any) -> tf.Tensor:
    features = by_hand.rectified(o, v[:2])
    advantage = by_hand.rectified(features, v[2:4]) @ v[5] + v[4]
    value = by_hand.rectified(features, v[6:8]) @ v[9] + v[8]
    return value + advantage - tf.reduce_mean(advantage, -1, keepdims=True)


def plain(v: Any, o: Any) -> tf.Tensor:
    b, w = v[-2:]
    return by_hand.rectified(o, v[:-2]) @ w + b


class ByHand:
    """DQN in as few words as it takes.

    Attributes:
        errors: absolute TD errors of all updates.
        is_double: whether the networks ever preferred different actions.
    """

    def __init__(self, weights: by_hand.Weights, q: Any) -> None:
        self.online, self.target, self.q = weights, weights, q
        self.errors: list[float] = []
        self.is_double = False
        self.adam = by_hand.Adam(0.05, clip_norm=0.15, epsilon=0.01)

    def update(self, sample: replay.Sample, number: int) -> dict[str, Any]:
        if number % 3 == 0:
            self.target = self.online
        o_tm1, a_tm1, r_t, discount_t, o_t, _ = by_hand.float64(sample.data)
        rows = np.arange(len(r_t))
        choice = np.argmax(self.q(self.online, o_t), -1)
        q_t = self.q(self.target, o_t).numpy()
        self.is_double |= bool((choice != q_t.argmax(-1)).any())
        target = r_t + discount_t * q_t[rows, choice]
        weight = sample.info.probability ** -BETAS[number]
        weight = weight / weight.max()

        def loss_of(v: list[tf.Tensor]) -> Any:
            error = target - tf.gather_nd(self.q(v, o_tm1), np.stack([rows, a_tm1], -1))
            size = tf.abs(error)
            huber = tf.where(size < 0.7, 0.5 * error**2, 0.7 * (size - 0.35))
            return tf.reduce_mean(weight * huber), error

        (loss, error), gradients = by_hand.values_and_gradients(loss_of, self.online)
        error = np.abs(error)
        self.errors.extend(error)
        self.online = self.adam.step(self.online, gradients)
        assert self.adam.norm > 0.15
        return {
            "loss": float(loss),
            "td_error": error.mean(),
            "gradient_norm": self.adam.norm,
            "importance_exponent": BETAS[number],
            "priorities": error + 0.05,
        }


# The seeds are of weights with which the networks come to prefer different actions.
@pytest.mark.parametrize(("is_dueling", "seed"), [(True, 3), (False, 28)])
def test_six_updates_are_those_computed_by_hand(is_dueling: bool, seed: int) -> None:
    config = dqn.DQNConfig(**{**vars(CONFIG), "dueling": is_dueling})
    builder = dqn.DQNBuilder(config)
    networks = builder.make_networks(SPEC, seed=0)
    variables = networks.q.trainable_variables

    by_hand.scatter(variables, np.random.default_rng(seed))
    q = dueling if is_dueling else plain
    hand = ByHand(by_hand.copied(networks.q.trainable_variables), q)
    rule = builder.make_rule(networks, SPEC, seed=0)
    batches = [make_batch(number) for number in range(6)]
    source = by_hand.Given(batches, num_batches=2)
    learner = builder.make_learner(rule, source, seed=0)
    for call in range(3):
        metrics = learner.step()
        for number in (2 * call, 2 * call + 1):
            expected = hand.update(batches[number], number)
            table, keys, priorities = source.updates[number]
            assert table == "transitions"
            np.testing.assert_array_equal(keys, 100 * number + np.arange(8))
            np.testing.assert_allclose(
                priorities, expected.pop("priorities"), rtol=1e-3
            )
        for name, value in expected.items():
            np.testing.assert_allclose(metrics[name], value, rtol=1e-3, err_msg=name)
        by_hand.assert_all_close(
            learner,
            {
                "policy": hand.online,
                "target": hand.target,
                "optimizer": hand.adam.variables,
            },
        )
    assert min(hand.errors) < 0.7 < max(hand.errors)
    assert hand.is_double
