"""The contract of update rules."""

from __future__ import annotations

import abc
from typing import Any

import numpy as np
import tensorflow as tf
import tree

from tfagents_core import core


class UpdateRuleContract(abc.ABC):
    """Tests that a rule says what it changes and follows from its seed."""

    @abc.abstractmethod
    def make_rule(self, *, seed: int = 0) -> core.UpdateRule:
        """A new rule with networks of its own, initialised from `seed`."""

    @abc.abstractmethod
    def make_batch(self) -> Any:
        """A batch as the rule's learner would draw it, the same at every call."""

    def test_metrics_are_finite_scalars(self) -> None:
        """The learner stops a run where one is not."""
        update = _update(self.make_rule(), self.make_batch())
        assert update.metrics
        for name, value in update.metrics.items():
            assert value.shape == (), f"{name} has shape {value.shape}"
            assert np.isfinite(value.numpy()), f"{name} is {value.numpy()}"

    def test_priorities_fit_the_batch(self) -> None:
        """Finite, not negative, one for each item."""
        batch = self.make_batch()
        for table, priorities in _update(self.make_rule(), batch).priorities.items():
            sample = batch[table] if isinstance(batch, dict) else batch
            assert priorities.shape == sample.info.key.shape
            assert np.isfinite(priorities).all()
            assert (priorities.numpy() >= 0).all()

    def test_an_update_changes_the_policy(self) -> None:
        """Within a few updates: some rules delay the policy's."""
        rule, batch = self.make_rule(), self.make_batch()
        before = [variable.numpy() for variable in rule.variables["policy"]]
        for step in range(3):
            _update(rule, batch, num_steps=step)
        after = [variable.numpy() for variable in rule.variables["policy"]]
        changed = [(a != b).any() for a, b in zip(before, after, strict=True)]
        assert any(changed)

    def test_the_rule_lists_every_variable_that_it_reads_or_changes(self) -> None:
        """A checkpoint would otherwise not have them."""
        rule, batch = self.make_rule(), self.make_batch()
        function = tf.function(lambda: _update(rule, batch))
        listed = [v.ref() for group in rule.variables.values() for v in group]
        used = function.get_concrete_function().variables
        missing = [v.name for v in used if v.ref() not in set(listed)]
        assert not missing, f"not in UpdateRule.variables: {missing}"
        assert len(listed) == len(set(listed)), "a variable is in two groups"

    def test_the_same_seed_gives_the_same_update(self) -> None:
        """The update's seed is the only source of randomness."""
        one, other = self.make_rule(), self.make_rule()
        for rule in (one, other):
            _update(rule, self.make_batch(), seed=3)
        _check_equal(one, other)

    def test_a_restored_rule_takes_the_identical_next_update(self) -> None:
        """Whatever it was initialised from: its variables are all its state."""
        one, other = self.make_rule(seed=0), self.make_rule(seed=1)
        batch = self.make_batch()
        _update(one, batch)
        for name, group in one.variables.items():
            for mine, yours in zip(group, other.variables[name], strict=True):
                yours.assign(mine)
        for rule in (one, other):
            _update(rule, batch, num_steps=1)
        _check_equal(one, other)


def _update(
    rule: core.UpdateRule, batch: Any, *, seed: int = 0, num_steps: int = 0
) -> core.Update:
    return rule.update(
        tree.map_structure(tf.convert_to_tensor, batch),
        seed=tf.constant([seed, num_steps], tf.int32),
        num_steps=tf.constant(num_steps, tf.int64),
    )


def _check_equal(one: core.UpdateRule, other: core.UpdateRule) -> None:
    for name, group in one.variables.items():
        for mine, yours in zip(group, other.variables[name], strict=True):
            np.testing.assert_array_equal(mine.numpy(), yours.numpy(), name)
