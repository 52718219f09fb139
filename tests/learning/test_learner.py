"""What every learner does around its rule: seeds, counts, priorities, names, NaNs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tree

from tfagents_core import core, learning, replay

TABLE = "items"


def make_sample(number: int) -> replay.Sample:
    """Two items, keys 2n and 2n + 1, whose data are the number n."""
    columns = {
        name: np.zeros(2, column.dtype)
        for name, column in replay.SampleInfo.columns()._asdict().items()
    }
    columns["key"] = 2 * number + np.arange(2)
    columns["age"] = number * np.array([2, 5])
    return replay.Sample(replay.SampleInfo(**columns), np.full(2, number, np.float32))


class Source(core.BatchSource):
    """Gives batches of rising numbers, and keeps the priorities it is given.

    Args:
        start: the first number.
        num_batches: batches drawn at once; with more than 1 they have an axis for it.
        make: a number's batch.

    Attributes:
        ready: what it says of itself.
        updates: table, keys and priorities of each update.
    """

    def __init__(
        self,
        *,
        start: int = 1,
        num_batches: int = 1,
        make: Callable[[int], Any] = make_sample,
    ) -> None:
        self._number = start
        self._num_batches = num_batches
        self._make = make
        self.ready = True
        self.updates: list[tuple[str, list[int], list[float]]] = []

    def is_ready(self) -> bool:
        return self.ready

    def next(self) -> Any:
        numbers = range(self._number, self._number + self._num_batches)
        self._number = numbers.stop
        batches = [self._make(number) for number in numbers]
        if self._num_batches == 1:
            return batches[0]
        return tree.map_structure(lambda *leaves: np.stack(leaves), *batches)

    def update_priorities(
        self, table: str, keys: np.ndarray, priorities: np.ndarray
    ) -> None:
        assert priorities.dtype == np.float64
        self.updates.append((table, keys.tolist(), priorities.tolist()))


class Adding(core.UpdateRule):
    """Adds each batch's number to its variable; priorities are half the keys.

    Attributes:
        seeds: the first that it was given.
        steps: the number of updates that it was told of at each of the first.
        num_traces: how often Python ran, which is while TensorFlow traces.
    """

    def __init__(self, *, ranks: bool = True) -> None:
        self.total = tf.Variable(0.0, name="total")
        self.seeds = tf.Variable(tf.zeros((16, 2), tf.int32), name="seeds")
        self.steps = tf.Variable(tf.fill((16,), tf.constant(-1, tf.int64)))
        self._ranks = ranks
        self.num_traces = 0
        self.variables = {
            "policy": [self.total],
            "other": [tf.Variable([1.0, 2.0], name="w")],
        }

    def update(
        self, batch: replay.Sample, *, seed: tf.Tensor, num_steps: tf.Tensor
    ) -> core.Update:
        self.num_traces += 1
        number = batch.data[0]
        self.total.assign_add(number)
        is_now = tf.range(16, dtype=tf.int64) == num_steps
        self.seeds.assign(tf.where(is_now[:, None], seed, self.seeds))
        self.steps.assign(tf.where(is_now, num_steps, self.steps))
        inverse = 1 / (number - 5)  # Infinite at number 5.
        metrics = {"number": number, "inverse": inverse}
        if not self._ranks:
            return core.Update(metrics)
        return core.Update(metrics, {TABLE: tf.cast(batch.info.key, tf.float32) / 2})


def make_learner(
    source: Source | None = None, rule: core.UpdateRule | None = None, **options: Any
) -> learning.Learner:
    rule, source = rule or Adding(), source or Source()
    return learning.Learner(rule, source, **{"seed": 0, **options})


def make_seeds(*, seed: int, num_learner_steps: int, num_updates: int) -> list[Any]:
    """The seeds of each update."""
    rule, source = Adding(), Source(start=6, num_batches=num_updates)
    learner = make_learner(source, rule, seed=seed, num_updates_per_step=num_updates)
    for _ in range(num_learner_steps // num_updates):
        learner.step()
    assert rule.steps.numpy()[:num_learner_steps].tolist() == list(
        range(num_learner_steps)
    )
    return [tuple(s) for s in rule.seeds.numpy()[:num_learner_steps].tolist()]


def test_each_step_takes_the_sources_next_batch() -> None:
    rule = Adding()
    learner = make_learner(rule=rule)
    numbers = [float(learner.step()["number"]) for _ in range(3)]
    assert numbers == [1, 2, 3]
    assert float(rule.total) == 1 + 2 + 3


def test_a_step_says_how_old_its_items_were() -> None:
    learner = make_learner()
    ages = [float(learner.step()["sample_age_inserts"]) for _ in range(2)]
    assert ages == [3.5, 7.0]


@pytest.mark.parametrize("num_updates", [1, 2, 3])
def test_one_step_may_take_several_updates(num_updates: int) -> None:
    source = Source(start=6, num_batches=num_updates)
    learner = make_learner(source, num_updates_per_step=num_updates)
    numbers = [float(learner.step()["number"]) for _ in range(2)]
    assert numbers == [5 + num_updates, 5 + 2 * num_updates]  # Each step's last.
    assert learner.num_sgd_steps_per_step == num_updates
    assert learner.get_variables(["num_learner_steps"]) == [[2 * num_updates]]


def test_a_step_counts_the_sgd_steps_of_its_updates() -> None:
    rule = Adding()
    rule.num_sgd_steps = 5
    source = Source(start=6, num_batches=2)
    learner = make_learner(source, rule, num_updates_per_step=2)
    learner.step()
    assert learner.num_sgd_steps_per_step == 10
    assert rule.steps.numpy()[:3].tolist() == [0, 1, -1]  # Calls of `update`.


def test_more_batches_than_updates_are_refused() -> None:
    learner = make_learner(Source(num_batches=4), num_updates_per_step=3)
    with pytest.raises(ValueError, match="draws 4 batches at once"):
        learner.step()


def test_fewer_batches_than_updates_are_refused() -> None:
    learner = make_learner(Source(num_batches=2), num_updates_per_step=3)
    with pytest.raises(
        ValueError, match="draws 2 batches at once and the learner takes 3"
    ):
        learner.step()


@pytest.mark.parametrize("jit_compile", [False, True])
def test_the_update_is_traced_once(jit_compile: bool) -> None:
    rule = Adding()
    learner = make_learner(rule=rule, jit_compile=jit_compile)
    for _ in range(4):
        learner.step()
    assert rule.num_traces == 1


@pytest.mark.parametrize("ready", [False, True])
def test_a_step_is_possible_when_the_source_is_ready(ready: bool) -> None:
    source = Source()
    source.ready = ready
    assert make_learner(source).can_step() is ready


@pytest.mark.parametrize("num_updates", [1, 2])
def test_every_update_has_another_seed_and_knows_its_number(num_updates: int) -> None:
    seeds = make_seeds(seed=3, num_learner_steps=6, num_updates=num_updates)
    assert len(set(seeds)) == 6
    assert seeds == make_seeds(seed=3, num_learner_steps=6, num_updates=1)


@pytest.mark.parametrize("other", [4, 2**31 + 4, 2**63])
def test_updates_of_learners_of_other_seeds_have_other_seeds(other: int) -> None:
    seeds = [make_seeds(seed=s, num_learner_steps=3, num_updates=1) for s in (3, other)]
    assert not set(seeds[0]) & set(seeds[1])


def test_a_restored_learner_goes_on_with_the_seeds() -> None:
    rule = Adding()
    learner = make_learner(Source(start=6), rule, seed=3)
    learner.state["num_learner_steps/0/Variable"].assign(4)
    learner.step()
    (expected,) = make_seeds(seed=3, num_learner_steps=5, num_updates=1)[4:]
    assert tuple(rule.seeds.numpy()[4].tolist()) == expected
    assert rule.steps.numpy()[3:6].tolist() == [-1, 4, -1]


def test_new_priorities_go_to_their_table_with_their_keys() -> None:
    source = Source(num_batches=2)
    make_learner(source, num_updates_per_step=2).step()
    assert source.updates == [(TABLE, [2, 3], [1, 1.5]), (TABLE, [4, 5], [2, 2.5])]


def test_priorities_are_written_after_the_last_update_of_a_step() -> None:
    rule = Adding()
    totals = []

    class Watching(Source):
        def update_priorities(self, *arguments: Any) -> None:
            totals.append(float(rule.total))

    source = Watching(num_batches=3)
    make_learner(source, rule, num_updates_per_step=3).step()
    assert totals == [1 + 2 + 3] * 3


def test_without_priorities_the_table_is_left_as_it_is() -> None:
    source = Source()
    make_learner(source, Adding(ranks=False)).step()
    assert source.updates == []


class AddingBoth(Adding):
    """Adds the numbers of two tables; ranks the tables it is told to."""

    def __init__(self, *ranked: str) -> None:
        super().__init__()
        self._ranked = ranked

    def update(
        self, batch: dict[str, replay.Sample], *, seed: tf.Tensor, num_steps: tf.Tensor
    ) -> core.Update:
        number = batch["one"].data[0] * batch["two"].data[0]
        self.total.assign_add(number)
        return core.Update(
            {"number": number},
            {
                name: tf.cast(batch[name].info.key, tf.float64) * 2
                for name in self._ranked
            },
        )


def make_two(number: int) -> dict[str, replay.Sample]:
    return {"one": make_sample(number), "two": make_sample(10 * number)}


@pytest.mark.parametrize("num_updates", [1, 2])
def test_from_several_tables_a_rule_gets_a_batch_of_each_by_name(
    num_updates: int,
) -> None:
    rule = AddingBoth()
    source = Source(num_batches=num_updates, make=make_two)
    metrics = make_learner(source, rule, num_updates_per_step=num_updates).step()
    assert float(rule.total) == sum(10 * n**2 for n in range(1, num_updates + 1))
    assert set(metrics) == {
        "number",
        "sample_age_inserts/one",
        "sample_age_inserts/two",
    }
    assert float(metrics["sample_age_inserts/one"]) == 3.5 * num_updates
    assert float(metrics["sample_age_inserts/two"]) == 35 * num_updates


def test_priorities_go_to_the_tables_that_the_rule_names() -> None:
    for ranked in ([], ["two"], ["one", "two"]):
        source = Source(num_batches=2, make=make_two)
        make_learner(source, AddingBoth(*ranked), num_updates_per_step=2).step()
        keys = {"one": ([2, 3], [4, 5]), "two": ([20, 21], [40, 41])}
        assert source.updates == [
            (name, keys[name][update], [2.0 * key for key in keys[name][update]])
            for name in ranked
            for update in range(2)
        ]


def test_a_metric_that_is_not_finite_stops_learning_and_is_named() -> None:
    learner = make_learner()
    for _ in range(4):
        learner.step()
    with pytest.raises(learning.NotFiniteError, match="step 5 .*inverse inf"):
        learner.step()


@pytest.mark.parametrize("start", [3, 4, 5])
def test_a_metric_that_is_not_finite_in_any_update_leaves_all_priorities(
    start: int,
) -> None:
    source = Source(start=start, num_batches=3)
    with pytest.raises(learning.NotFiniteError):
        make_learner(source, num_updates_per_step=3).step()
    assert source.updates == []


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_priorities_that_are_not_finite_do_not_reach_the_table(value: float) -> None:
    class Broken(Adding):
        """Gives one priority that is no number, at number 2."""

        def update(self, batch: replay.Sample, **options: Any) -> core.Update:
            metrics, priorities = super().update(batch, **options)
            broken = tf.where(batch.info.key == 5, value, priorities[TABLE])
            return core.Update(metrics, {TABLE: broken})

    source = Source(num_batches=2)
    learner = make_learner(source, Broken(), num_updates_per_step=2)
    with pytest.raises(learning.NotFiniteError, match="learner step 2 "):
        learner.step()
    assert source.updates == []


@pytest.mark.parametrize("error", [TimeoutError("no items"), StopIteration()])
def test_what_the_source_raises_is_the_callers_and_nothing_has_changed(
    error: Exception,
) -> None:
    class Failing(Source):
        def next(self) -> Any:
            raise error

    learner = make_learner(Failing())
    with pytest.raises(type(error)) as caught:
        learner.step()
    assert caught.value is error
    assert learner.get_variables(["policy", "num_learner_steps"]) == [[0], [0]]


def test_variables_come_in_the_order_asked_for() -> None:
    other, policy = make_learner().get_variables(["other", "policy"])
    assert [array.tolist() for array in (*other, *policy)] == [[1, 2], 0]


def test_a_group_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(KeyError, match="'critic'; there are policy, other"):
        make_learner().get_variables(["policy", "critic"])


def test_the_state_names_every_variable_the_same_in_every_run() -> None:
    rule = Adding()
    first, second = make_learner(rule=rule), make_learner()
    for learner in (first, second):
        groups = [name.split("/")[:2] for name in learner.state]
        assert groups == [["policy", "0"], ["other", "0"], ["num_learner_steps", "0"]]
    assert list(first.state) == list(second.state)
    assert first.state["policy/0/total"] is rule.total


def test_setting_the_state_sets_the_learner_back() -> None:
    rule = Adding()
    learner = make_learner(Source(start=6), rule)
    learner.step()
    saved = {name: v.numpy() for name, v in learner.state.items()}
    learner.step()
    for name, variable in learner.state.items():
        variable.assign(saved[name])
    assert float(rule.total) == 6
    assert learner.get_variables(["num_learner_steps"]) == [[1]]
