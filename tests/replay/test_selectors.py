"""Every selector as sampler and as remover, against the model of a table."""

from __future__ import annotations

from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from tfagents_core import replay

from . import helpers, oracle

DETERMINISTIC = [replay.Fifo(), replay.Lifo(), replay.MinHeap(), replay.MaxHeap()]
RANDOM = [
    replay.Uniform(),
    replay.WithoutReplacement(),
    replay.Prioritized(0.0),
    replay.Prioritized(0.6),
    replay.Prioritized(1.0, stratified=True),
    replay.Prioritized(0.6, uniform_mix=0.1),
    replay.Prioritized(1.0, stratified=True, uniform_mix=0.5),
]
PRIORITIES = st.sampled_from([0.0, 1e-9, 0.5, 1.0, 1.0, 3.0, 1e9])


def make_filled(
    priorities: list[float], **overrides: Any
) -> tuple[replay.Replay, replay.TableHandle, list[int]]:
    """A table with one item for each priority, and their keys."""
    rb, handle = helpers.make_replay(pattern=None, **overrides)
    rb.append_one(helpers.make_row(np.random.default_rng(0)), first=True)
    return rb, handle, [rb.create_item("table", 1, priority=p) for p in priorities]


def chi_square(keys: np.ndarray, chances: dict[int, float]) -> float:
    """The p-value of draws; what has probability 0 must not occur at all."""
    counts = {key: int((keys == key).sum()) for key in chances}
    assert sum(counts.values()) == len(keys)
    assert not any(counts[key] for key in chances if chances[key] == 0)
    live = [key for key in chances if chances[key] > 0]
    expected = [chances[key] * len(keys) for key in live]
    return float(scipy_stats.chisquare([counts[key] for key in live], expected).pvalue)


@hypothesis.given(
    st.sampled_from(DETERMINISTIC + RANDOM),
    st.sampled_from(DETERMINISTIC),
    st.integers(1, 12),
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 1000), st.none() | PRIORITIES),
        min_size=20,
        max_size=80,
    ),
    st.sampled_from(["batch", "table"]),
)
@hypothesis.settings(max_examples=150, deadline=None)
def test_random_operations_agree_with_the_model(
    sampler: Any,
    remover: Any,
    max_size: int,
    operations: list[tuple[int, int, float | None]],
    normalize: str,
) -> None:
    rb, handle, _ = make_filled([], sampler=sampler, remover=remover, max_size=max_size)
    model = oracle.TableModel(sampler, remover, max_size)
    keys: list[int] = []
    for kind, which, priority in operations:
        if kind <= 1 or not keys:
            keys.append(rb.create_item("table", 1, priority=priority))
            model.insert(keys[-1], priority)
        elif kind == 2:
            key, value = keys[which % len(keys)], 0.25 if priority is None else priority
            assert handle.update_priorities([key], [value]) == model.update(key, value)
        elif kind == 3:
            key = keys[which % len(keys)]
            assert handle.delete([key]) == (model.items.pop(key, None) is not None)
        elif model.items:
            beta = which / 1000
            info = handle.sample(1 + which % 4, beta=beta, normalize=normalize).info
            drawn = info.key.tolist()
            chances = model.probabilities(sampler)
            expected = [chances[key] for key in drawn]
            assert all(expected)
            np.testing.assert_allclose(info.probability, expected, rtol=1e-9)
            np.testing.assert_allclose(
                info.weight, model.weights(drawn, beta, normalize), rtol=1e-6
            )
        rb.check_valid()
        assert handle.size == len(model.items)
    for key in keys:
        assert handle.update_priorities([key], [1.0]) == (key in model.items)


@pytest.mark.parametrize("sampler", RANDOM, ids=str)
def test_draws_follow_the_probabilities_of_the_model(sampler: Any) -> None:
    priorities = [0.0, 0.1, 0.5, 1.0, 2.0, 7.0, 0.0, 3.0]
    _, handle, keys = make_filled(priorities, sampler=sampler)
    model = oracle.TableModel(sampler, None, 100)
    for key, priority in zip(keys, priorities, strict=True):
        model.insert(key, priority)
    sample = handle.sample(20_000)
    assert chi_square(sample.info.key, model.probabilities(sampler)) > 1e-4


@pytest.mark.parametrize("remover", RANDOM, ids=str)
def test_a_random_remover_removes_with_the_probabilities_of_the_model(
    remover: Any,
) -> None:
    priorities = [0.0, 0.5, 2.0, 1.0]
    rb, handle = helpers.make_replay(pattern=None, remover=remover, max_size=3)
    removed = []
    for _ in range(3000):
        rb.reset()
        rb.append_one(helpers.make_row(np.random.default_rng(0)), first=True)
        keys = [rb.create_item("table", 1, priority=p) for p in priorities]
        gone = [not handle.update_priorities([key], [1.0]) for key in keys]
        removed.append(gone.index(True))
    model = oracle.TableModel(None, remover, 100)
    for i, priority in enumerate(priorities):
        model.insert(i, priority)
    chances = model.probabilities(remover)
    assert chi_square(np.array(removed), chances) > 1e-4


def test_without_replacement_gives_every_item_once_an_epoch() -> None:
    rb, handle = helpers.make_replay(sampler=replay.WithoutReplacement())
    helpers.append_items(rb, 10)
    actions = handle.sample(25).data["action"]
    for epoch in (actions[:10], actions[10:20]):
        assert sorted(epoch) == list(range(10))
    assert actions[:10].tolist() != actions[10:20].tolist()
    rest = handle.sample(5).data["action"]
    assert sorted([*actions[20:], *rest]) == list(range(10))


def test_an_item_inserted_during_an_epoch_joins_it() -> None:
    rb, handle, keys = make_filled([1.0] * 5, sampler=replay.WithoutReplacement())
    had = set(handle.sample(3).info.key.tolist())
    handle.delete([next(iter(set(keys) - had))])
    new = rb.create_item("table", 1)
    rest = set(handle.sample(2).info.key.tolist())
    assert new in rest
    assert not rest & had


def test_a_stratified_batch_takes_one_item_of_each_slice_of_the_mass() -> None:
    priorities = [0.0, 1.0, 2.0, 3.0, 4.0]
    _, handle, keys = make_filled(
        priorities, sampler=replay.Prioritized(1.0, stratified=True)
    )
    for _ in range(20):
        drawn = handle.sample(10).info.key.tolist()
        assert [drawn.count(key) for key in keys] == [0, 1, 2, 3, 4]


def test_a_mixture_also_draws_items_of_priority_zero() -> None:
    sampler = replay.Prioritized(1.0, uniform_mix=0.1)
    _, handle, keys = make_filled([0.0, 4.0], sampler=sampler)
    info = handle.sample(2000, beta=1.0).info
    forgotten = info.key == keys[0]
    assert forgotten.any()
    np.testing.assert_allclose(info.probability, np.where(forgotten, 0.05, 0.95))
    np.testing.assert_allclose(info.weight, np.where(forgotten, 1, 0.05 / 0.95))


@pytest.mark.parametrize("mix", [-0.1, 1.1, float("nan")])
def test_an_impossible_mixture_is_refused(mix: float) -> None:
    with pytest.raises(ValueError, match="uniform_mix"):
        helpers.make_replay(sampler=replay.Prioritized(1.0, uniform_mix=mix))


@pytest.mark.parametrize("sampler", RANDOM, ids=str)
def test_weights_over_the_table_never_exceed_one_where_items_leave_with_a_draw(
    sampler: Any,
) -> None:
    rb, handle, _ = make_filled(
        [0.0, 0.0, 2.0, 1.0, 0.5], sampler=sampler, max_times_sampled=1
    )
    weight = handle.sample(5, beta=1.0, normalize="table").info.weight
    assert (weight <= 1).all()
    assert (weight > 0).all()
    rb.check_valid()


def test_an_unknown_normalizer_is_refused() -> None:
    _, handle, _ = make_filled([1.0])
    with pytest.raises(ValueError, match="normalize"):
        handle.sample(1, normalize="nothing")  # type: ignore[arg-type]
