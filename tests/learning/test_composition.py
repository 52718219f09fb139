"""Rules compose: what stands between a batch and an update is a rule around a rule."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfagents_core import core, learning, replay, specs
from tfagents_core.agents import dqn

SPEC = specs.EnvironmentSpec(
    observations=specs.Array((3,), np.float32),
    actions=specs.DiscreteArray(2),
    rewards=specs.Array((), np.float32),
    discounts=specs.Array((), np.float32),
)


class CountBonus(core.UpdateRule):
    """Adds a constant times the number of updates so far to every reward."""

    def __init__(self, inner: core.UpdateRule) -> None:
        self._inner = inner
        self._count = tf.Variable(0.0, trainable=False, name="count")
        self.variables = {**inner.variables, "bonus": [self._count]}

    def update(
        self, batch: replay.Sample, *, seed: tf.Tensor, num_steps: tf.Tensor
    ) -> core.Update:
        self._count.assign_add(1.0)
        reward = batch.data.reward + self._count
        data = batch.data._replace(reward=reward)
        inner = self._inner.update(
            batch._replace(data=data), seed=seed, num_steps=num_steps
        )
        return inner._replace(metrics={**inner.metrics, "bonus": self._count})


class Batches(core.BatchSource):
    """The same batch again and again."""

    def __init__(self) -> None:
        self.updates: list[str] = []

    def is_ready(self) -> bool:
        return True

    def next(self) -> replay.Sample:
        generator = np.random.default_rng(0)
        info = replay.SampleInfo(
            *(np.ones(4, column.dtype) for column in replay.SampleInfo.columns())
        )
        return replay.Sample(
            info,
            replay.Transition(
                observation=generator.normal(size=(4, 3)).astype(np.float32),
                action=np.zeros(4, np.int32),
                reward=np.zeros(4, np.float32),
                discount=np.zeros(4, np.float32),
                next_observation=np.zeros((4, 3), np.float32),
            ),
        )

    def update_priorities(
        self, table: str, keys: np.ndarray, priorities: np.ndarray
    ) -> None:
        self.updates.append(table)


def make_rule() -> core.UpdateRule:
    builder = dqn.DQNBuilder(dqn.DQNConfig(layer_sizes=(4,)))
    return builder.make_rule(builder.make_networks(SPEC, seed=0), SPEC, seed=0)


def test_a_rule_around_any_rule_changes_what_it_learns_from() -> None:
    source = Batches()
    plain = learning.Learner(make_rule(), source, seed=0)
    around = learning.Learner(CountBonus(make_rule()), source, seed=0)
    losses = [float(learner.step()["loss"]) for learner in (plain, around)]
    assert losses[1] > losses[0]
    assert float(around.step()["bonus"]) == 2
    assert source.updates == ["transitions"] * 3  # The inner rule's priorities.
    assert set(around.state) - set(plain.state) == {"bonus/0/count"}
