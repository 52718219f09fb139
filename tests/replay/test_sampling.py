"""What is drawn and how often, keys, priorities, and the arrays of a batch."""

from __future__ import annotations

import gc
import math

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from tfagents_core import replay

from . import helpers


def prioritized(
    priorities: list[float], *, alpha: float = 1.0, seed: int = 0
) -> tuple[replay.Replay, replay.TableHandle, np.ndarray]:
    """A table whose item i has action i and priority i; and its keys by action."""
    rb, handle = helpers.make_replay(sampler=replay.Prioritized(alpha=alpha), seed=seed)
    helpers.append_items(rb, len(priorities))
    keys = keys_by_action(handle)
    assert handle.update_priorities(keys, np.asarray(priorities, float)) == len(keys)
    rb.check_valid()
    return rb, handle, keys


def keys_by_action(handle: replay.TableHandle) -> np.ndarray:
    """Keys of all items, whose actions are 0, 1, ...; all must be drawable."""
    keys: dict[int, int] = {}
    while len(keys) < handle.size:
        sample = handle.sample(64, timeout=0)
        keys.update(zip(sample.data["action"].tolist(), sample.info.key.tolist()))
    return np.array([keys[i] for i in range(len(keys))])


def assert_drawn_like(actions: np.ndarray, probabilities: np.ndarray) -> None:
    """Chi-square at 1e-4; what has probability 0 must not occur at all."""
    counts = np.bincount(actions, minlength=len(probabilities))
    assert not counts[probabilities == 0].any()
    live = probabilities > 0
    expected = probabilities[live] * counts.sum()
    assert scipy_stats.chisquare(counts[live], expected).pvalue > 1e-4


@pytest.mark.parametrize("alpha", [0.0, 0.6, 1.0])
def test_draws_follow_the_power_of_the_priority(alpha: float) -> None:
    priorities = [0.0, 1e-3, 0.5, 1.0, 2.0, 7.0, 0.0, 3.0, 1.5, 4.0]
    _, handle, keys = prioritized(priorities, alpha=alpha)
    weights = np.array([p**alpha if p else 0.0 for p in priorities])
    sample = handle.sample(30_000)
    actions = sample.data["action"]
    assert_drawn_like(actions, weights / weights.sum())
    np.testing.assert_allclose(
        sample.info.probability, weights[actions] / weights.sum(), rtol=1e-12
    )
    np.testing.assert_array_equal(sample.info.priority, np.asarray(priorities)[actions])
    np.testing.assert_array_equal(sample.info.key, keys[actions])


def test_uniform_draws_ignore_priorities() -> None:
    rb, handle = helpers.make_replay()
    helpers.append_items(rb, 20)
    handle.update_priorities(keys_by_action(handle), np.arange(20.0))
    sample = handle.sample(20_000)
    assert_drawn_like(sample.data["action"], np.full(20, 1 / 20))
    np.testing.assert_array_equal(sample.info.probability, 1 / 20)


def test_all_zero_priorities_draw_uniformly_among_live_items() -> None:
    _, handle, keys = prioritized([0.0] * 9)
    assert handle.delete(keys[[3, 5]]) == 2
    sample = handle.sample(20_000, beta=1.0)
    expected = np.full(9, 1 / 7)
    expected[[3, 5]] = 0
    assert_drawn_like(sample.data["action"], expected)
    np.testing.assert_array_equal(sample.info.probability, 1 / 7)
    np.testing.assert_array_equal(sample.info.weight, 1)


@hypothesis.given(
    st.lists(st.floats(0, 1e12), min_size=1, max_size=40),
    st.sampled_from([0.0, 0.6, 1.0]),
)
@hypothesis.settings(max_examples=50, deadline=None)
def test_an_item_without_weight_is_never_drawn(
    priorities: list[float], alpha: float
) -> None:
    _, handle, _ = prioritized(priorities, alpha=alpha)
    drawn = np.asarray(priorities)[handle.sample(200).data["action"]]
    assert drawn.all() or not any(priorities)


@pytest.mark.parametrize("beta", [0.0, 0.4, 1.0])
def test_importance_weights_are_normalised_by_the_maximum_of_the_batch(
    beta: float,
) -> None:
    _, handle, _ = prioritized([1.0, 2.0, 3.0, 4.0])
    info = handle.sample(64, beta=beta).info
    raw = (4 * info.probability) ** -beta
    np.testing.assert_allclose(info.weight, raw / raw.max(), rtol=1e-12)
    if beta == 0:
        np.testing.assert_array_equal(info.weight, 1)


@pytest.mark.parametrize("beta", [-0.1, math.nan, math.inf])
def test_impossible_betas_are_refused(beta: float) -> None:
    _, handle, _ = prioritized([1.0])
    with pytest.raises(ValueError, match="beta"):
        handle.sample(1, beta=beta)


def test_new_items_enter_at_the_highest_priority_so_far() -> None:
    rb, handle = helpers.make_replay(sampler=replay.Prioritized(alpha=1.0))
    helpers.append_items(rb, 2)
    keys = keys_by_action(handle)
    np.testing.assert_array_equal(handle.sample(8).info.priority, 1)
    handle.update_priorities(keys, np.array([5.0, 0.25]))
    handle.update_priorities(keys, np.array([0.0, 0.0]))
    helpers.append_items(rb, 1)
    np.testing.assert_array_equal(handle.sample(8).info.priority, 5)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, -1e-9])
def test_a_bad_priority_is_refused_before_anything_is_written(bad: float) -> None:
    _, handle, keys = prioritized([1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="priorit"):
        handle.update_priorities(keys, np.array([7.0, 8.0, bad]))
    priorities = handle.sample(200).info.priority
    assert set(priorities.tolist()) == {1.0, 2.0, 3.0}


def test_the_last_of_equal_keys_wins() -> None:
    rb, handle, keys = prioritized([1.0, 1.0])
    handle.update_priorities(keys[[0, 1, 0]], np.array([4.0, 0.0, 9.0]))
    rb.check_valid()
    assert set(handle.sample(50).info.priority.tolist()) == {9.0}


def test_stale_keys_are_counted_and_never_reach_the_new_owner_of_a_slot() -> None:
    rb, handle = helpers.make_replay(sampler=replay.Prioritized(alpha=1.0), max_size=3)
    helpers.append_items(rb, 3)
    old = keys_by_action(handle)
    helpers.append_items(rb, 3)
    assert handle.update_priorities(old, np.full(3, 50.0)) == 0
    assert handle.stats().num_stale_updates == 3
    np.testing.assert_array_equal(handle.sample(50).info.priority, 1)
    assert handle.delete(old) == 0
    assert handle.size == 3
    assert not set(handle.sample(50).info.key.tolist()) & set(old.tolist())


@pytest.mark.parametrize("key", [-1, -(2**63), 3, 7 << 32, (1 << 32) + 99])
def test_keys_of_no_table_are_refused_or_stale(key: int) -> None:
    _, handle, keys = prioritized([1.0, 1.0, 1.0])
    mixed = np.array([keys[0], key])
    try:
        written = handle.update_priorities(mixed, np.array([4.0, 4.0]))
    except ValueError:
        assert 4.0 not in handle.sample(50).info.priority
    else:
        assert written == 1
        assert handle.stats().num_stale_updates == 1


@pytest.mark.parametrize("keys", [[1.5], np.array([1.0]), np.array([True])])
def test_keys_that_are_not_integers_are_refused(keys: object) -> None:
    _, handle, _ = prioritized([1.0, 1.0])
    with pytest.raises((TypeError, ValueError)):
        handle.update_priorities(keys, np.array([2.0]))


def test_keys_and_priorities_of_different_lengths_are_refused() -> None:
    _, handle, keys = prioritized([1.0, 1.0])
    with pytest.raises(ValueError):
        handle.update_priorities(keys, np.array([2.0]))


def test_deleted_items_are_gone() -> None:
    rb, handle, keys = prioritized([1.0, 1.0, 1.0, 1.0])
    assert handle.delete(keys[[1, 3, 1]]) == 2
    rb.check_valid()
    assert handle.size == 2
    assert set(handle.sample(60).data["action"].tolist()) == {0, 2}
    stats = handle.stats()
    assert (stats.num_inserted, stats.num_deleted) == (4, 2)


def test_keys_times_sampled_and_age_follow_an_item() -> None:
    rb, handle = helpers.make_replay()
    helpers.append_items(rb, 5)
    counts: dict[int, int] = {}
    for _ in range(20):
        sample = handle.sample(1)
        key = int(sample.info.key[0])
        counts[key] = counts.get(key, 0) + 1
        assert sample.info.times_sampled[0] == counts[key]
        # `age` items were inserted after it, of the five with actions 0 to 4.
        assert sample.info.age[0] + sample.data["action"][0] in (4, 5)
    assert handle.stats().num_sampled == 20


def test_an_item_leaves_once_it_was_sampled_often_enough() -> None:
    rb, handle = helpers.make_replay(max_times_sampled=2)
    helpers.append_items(rb, 10)
    actions = [int(handle.sample(1).data["action"][0]) for _ in range(20)]
    assert sorted(actions) == sorted([*range(10), *range(10)])
    assert handle.size == 0
    assert not handle.can_sample(1)
    rb.check_valid()


def test_a_fifo_sampler_hands_a_batch_out_in_order() -> None:
    rb, handle = helpers.make_replay(**helpers.drained())
    helpers.append_items(rb, 7)
    np.testing.assert_array_equal(handle.sample(4).data["action"], [0, 1, 2, 3])
    np.testing.assert_array_equal(handle.sample(3).data["action"], [4, 5, 6])


@pytest.mark.parametrize("sampler", [replay.Uniform(), replay.Prioritized(alpha=0.6)])
def test_the_same_seed_draws_the_same(sampler: object) -> None:
    def run(seed: int) -> list[list[int]]:
        rb, handle = helpers.make_replay(sampler=sampler, seed=seed)
        helpers.append_items(rb, 50)
        drawn = []
        for step in range(5):
            sample = handle.sample(32)
            drawn.append(sample.info.key.tolist())
            handle.update_priorities(sample.info.key, np.arange(32.0) + step)
        return drawn

    assert run(3) == run(3)
    assert run(3) != run(4)


@hypothesis.given(st.integers(1, 40), st.integers(0, 2**32))
@hypothesis.settings(max_examples=40, deadline=None)
def test_random_operations_keep_every_invariant(max_size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rb, handle = helpers.make_replay(
        sampler=replay.Prioritized(alpha=0.6), max_size=max_size
    )
    seen = np.zeros(0, np.int64)
    for _ in range(60):
        match rng.integers(5):
            case 0 | 1:
                helpers.append_items(rb, int(rng.integers(1, 6)))
            case 2 if handle.size:
                seen = np.append(seen, handle.sample(4).info.key)
            case 3 if seen.size:
                keys = rng.choice(seen, 5)
                values = rng.choice([0.0, 1e-9, 1.0, 1e9], 5)
                handle.update_priorities(keys, values)
            case 4 if seen.size:
                handle.delete(rng.choice(seen, 2))
        rb.check_valid()


OUTPUTS = replay.n_step_transition(helpers.STEPS, gamma=0.99)


def test_described_outputs_are_the_arrays_of_a_sample() -> None:
    rb, handle = helpers.make_replay(outputs=OUTPUTS)
    helpers.append_items(rb, 5)
    data = handle.sample(3).data
    described = handle.describe_output()
    assert type(described) is type(data) is replay.Transition
    for column, array in zip(described[:3], data[:3], strict=True):
        assert array.shape == (3, *column.shape)
        assert array.dtype == column.dtype


def test_batches_are_aligned_and_not_reused_while_anyone_holds_them() -> None:
    rb, handle = helpers.make_replay(outputs=OUTPUTS)
    helpers.append_items(rb, 50)
    first = handle.sample(16)
    kept = [first.data.observation, first.info.key]
    copies = [array.copy() for array in kept]
    del first
    for _ in range(20):
        sample = handle.sample(16)
        for array in (*sample.data[:3], *sample.info):
            assert array.ctypes.data % 64 == 0
        for array in kept:
            assert not np.shares_memory(array, sample.data.observation)
            assert not np.shares_memory(array, sample.info.key)
    for array, copy in zip(kept, copies, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_a_view_of_a_batch_keeps_its_buffer_and_outlives_the_replay() -> None:
    rb, handle = helpers.make_replay(outputs=OUTPUTS)
    helpers.append_items(rb, 50)
    part = handle.sample(16).data.observation[3:5, 1]
    copy = part.copy()
    for _ in range(5):
        handle.sample(16)
    rb.close()
    del rb, handle
    gc.collect()
    np.testing.assert_array_equal(part, copy)


def test_buffers_are_reused_once_let_go() -> None:
    rb, handle = helpers.make_replay(outputs=OUTPUTS)
    helpers.append_items(rb, 50)
    addresses = {handle.sample(16).data.observation.ctypes.data for _ in range(20)}
    assert len(addresses) < 20


def test_sampling_into_arrays_of_the_caller_writes_there() -> None:
    rb, handle = helpers.make_replay(outputs=OUTPUTS)
    helpers.append_items(rb, 50)
    mine = handle.sample(16)
    observation, keys = mine.data.observation, mine.info.key
    observation[:], keys[:] = -1, -1
    again = handle.sample(16, out=mine)
    assert np.shares_memory(again.data.observation, observation)
    assert (observation >= 0).all()
    assert (keys >= 0).all()


def test_arrays_of_the_wrong_batch_size_or_dtype_are_refused_as_out() -> None:
    rb, handle = helpers.make_replay(outputs=OUTPUTS)
    helpers.append_items(rb, 50)
    mine = handle.sample(16)
    with pytest.raises(ValueError):
        handle.sample(8, out=mine)
    floats = mine._replace(
        data=mine.data._replace(action=mine.data.action.astype(np.float64))
    )
    with pytest.raises(ValueError):
        handle.sample(16, out=floats)


@pytest.mark.parametrize("batch_size", [0, -1])
def test_an_empty_batch_is_refused(batch_size: int) -> None:
    _, handle, _ = prioritized([1.0])
    with pytest.raises(ValueError, match="batch_size"):
        handle.sample(batch_size)
