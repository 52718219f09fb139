"""What every learner does around its update: counts, priorities, names, NaNs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tfagents_core import learning, replay


class Table:
    """Says what it is told to, and keeps the priorities it is given."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.updates: list[tuple[list[int], list[float]]] = []

    def can_sample(self, num_items: int) -> bool:
        return num_items <= self.size

    def update_priorities(self, keys: np.ndarray, priorities: np.ndarray) -> int:
        assert priorities.dtype == np.float64
        self.updates.append((keys.tolist(), priorities.tolist()))
        return len(keys)


def make_sample(number: tf.Tensor) -> replay.Sample:
    """Two items, keys 2n and 2n + 1, whose data are the number n."""
    columns = {
        name: tf.zeros(2, column.dtype)
        for name, column in replay.SampleInfo.columns()._asdict().items()
    }
    columns["key"] = 2 * number + tf.range(2, dtype=tf.int64)
    columns["age"] = number * tf.constant([2, 5], tf.int64)
    data = tf.repeat(tf.cast(number, tf.float32), 2)
    return replay.Sample(replay.SampleInfo(**columns), data)


def make_dataset(start: int, num_sgd_steps: int) -> tf.data.Dataset:
    """Batches of two items, as many to an element as a step takes."""
    dataset = tf.data.Dataset.range(start, 10**9).map(make_sample).unbatch()
    return dataset.batch(2 * num_sgd_steps, drop_remainder=True)


class Adding(learning.SGDLearner):
    """Adds each batch's number to its variable; priorities are the key's half."""

    def __init__(
        self,
        *,
        start: int = 1,
        ranks: bool = True,
        num_sgd_steps_per_step: int = 1,
        **options: Any,
    ) -> None:
        self.total = tf.Variable(0.0, name="total")
        self._ranks = ranks
        self.num_traces = 0
        groups = {"policy": [self.total], "other": [tf.Variable([1.0, 2.0], name="w")]}
        super().__init__(
            make_dataset(start, num_sgd_steps_per_step),
            groups,
            batch_size=2,
            num_sgd_steps_per_step=num_sgd_steps_per_step,
            **options,
        )

    def _update(self, sample: replay.Sample) -> learning.Update:
        self.num_traces += 1  # Python runs only while TensorFlow traces.
        number = sample.data[0]
        self.total.assign_add(number)
        keys = tf.cast(sample.info.key, tf.float32)
        inverse = 1 / (number - 5)  # Infinite at number 5.
        metrics = {"number": number, "inverse": inverse}
        return learning.Update(metrics, keys / 2 if self._ranks else None)


def test_each_step_takes_the_datasets_next_batch() -> None:
    learner = Adding()
    numbers = [float(learner.step()["number"]) for _ in range(3)]
    assert numbers == [1, 2, 3]
    assert float(learner.total) == 1 + 2 + 3


def test_a_step_says_how_old_its_items_were() -> None:
    learner = Adding()
    ages = [float(learner.step()["sample_age_inserts"]) for _ in range(2)]
    assert ages == [3.5, 7.0]


@pytest.mark.parametrize("num_sgd_steps", [1, 2, 3])
def test_one_step_may_take_several_sgd_steps(num_sgd_steps: int) -> None:
    learner = Adding(num_sgd_steps_per_step=num_sgd_steps, start=6)
    numbers = [float(learner.step()["number"]) for _ in range(2)]
    assert numbers == [5 + num_sgd_steps, 5 + 2 * num_sgd_steps]  # Each step's last.
    assert learner.num_sgd_steps_per_step == num_sgd_steps
    assert learner.get_variables(["num_learner_steps"]) == [[2 * num_sgd_steps]]


def test_batches_of_unequal_sizes_are_refused() -> None:
    learner = Adding(num_sgd_steps_per_step=2)
    learner.num_sgd_steps_per_step = 3
    with pytest.raises(ValueError, match="4 items do not make 3 equal batches"):
        learner.step()


@pytest.mark.parametrize("jit_compile", [False, True])
def test_the_update_is_traced_once(jit_compile: bool) -> None:
    learner = Adding(jit_compile=jit_compile)
    for _ in range(4):
        learner.step()
    assert learner.num_traces == 1


@pytest.mark.parametrize(
    ("size", "num_sgd_steps", "expected"),
    [(1, 1, False), (2, 1, True), (5, 3, False), (6, 3, True)],
)
def test_a_step_is_possible_when_the_table_has_all_its_batches(
    size: int, num_sgd_steps: int, expected: bool
) -> None:
    learner = Adding(table=Table(size), num_sgd_steps_per_step=num_sgd_steps)
    assert learner.can_step() is expected


def test_without_a_table_a_step_is_always_possible() -> None:
    assert Adding().can_step()


def test_new_priorities_go_to_the_table_with_their_keys() -> None:
    table = Table(100)
    learner = Adding(table=table, num_sgd_steps_per_step=2)
    learner.step()
    assert table.updates == [([2, 3], [1, 1.5]), ([4, 5], [2, 2.5])]


def test_without_priorities_the_table_is_left_as_it_is() -> None:
    table = Table(100)
    Adding(table=table, ranks=False).step()
    assert table.updates == []


def test_a_scalar_that_is_not_finite_stops_learning_and_is_named() -> None:
    learner = Adding()
    for _ in range(4):
        learner.step()
    with pytest.raises(learning.NotFiniteError, match="step 5 .*inverse inf"):
        learner.step()


def test_a_scalar_that_is_not_finite_is_found_in_the_middle_of_a_step() -> None:
    learner = Adding(start=4, num_sgd_steps_per_step=3)
    with pytest.raises(learning.NotFiniteError):
        learner.step()


def test_priorities_that_are_not_finite_do_not_reach_the_table() -> None:
    class Broken(Adding):
        def _update(self, sample: replay.Sample) -> learning.Update:
            metrics, priorities = super()._update(sample)
            return learning.Update(metrics, priorities * np.nan)

    table = Table(100)
    Broken(table=table).step()
    assert table.updates == []


def test_variables_come_in_the_order_asked_for() -> None:
    other, policy = Adding().get_variables(["other", "policy"])
    assert [array.tolist() for array in (*other, *policy)] == [[1, 2], 0]


def test_a_group_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(KeyError, match="'critic'; there are policy, other"):
        Adding().get_variables(["policy", "critic"])


def test_the_state_names_every_variable_the_same_in_every_run() -> None:
    first, second = Adding(), Adding()
    for learner in (first, second):
        groups = [name.split("/")[:2] for name in learner.state]
        assert groups == [["policy", "0"], ["other", "0"], ["num_learner_steps", "0"]]
    assert list(first.state) == list(second.state)
    assert first.state["policy/0/total"] is first.total


def test_setting_the_state_sets_the_learner_back() -> None:
    learner = Adding(start=6)
    learner.step()
    saved = {name: v.numpy() for name, v in learner.state.items()}
    learner.step()
    for name, variable in learner.state.items():
        variable.assign(saved[name])
    assert float(learner.total) == 6
    assert learner.get_variables(["num_learner_steps"]) == [[1]]
