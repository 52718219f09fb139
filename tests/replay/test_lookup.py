"""Items by key: looked up, listed and exported, and options changed while running."""

from __future__ import annotations

import dataclasses
import threading
import time
from typing import Any

import numpy as np
import pytest

from tfagents_core import replay

from . import helpers

SAMPLERS = [
    replay.Uniform(),
    replay.WithoutReplacement(),
    replay.Fifo(),
    replay.Lifo(),
    replay.MinHeap(),
    replay.MaxHeap(),
    replay.Prioritized(0.6),
    replay.Prioritized(0.6, uniform_mix=0.25),
]


def make_filled(
    num_items: int, **overrides: Any
) -> tuple[replay.Replay, replay.TableHandle]:
    """Items whose actions are 0, 1, 2, ... in order of their insertion."""
    rb, handle = helpers.make_replay(**overrides)
    helpers.append_items(rb, num_items)
    return rb, handle


@pytest.mark.parametrize("time_major", [False, True])
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_get_gives_what_a_sample_gave_and_draws_nothing(
    sampler: Any, time_major: bool
) -> None:
    outputs = {
        "rows": replay.views.Rows("action", 0, 3),
        "stack": replay.views.Row("observation", -1, stack=2),
    }
    _, handle = make_filled(
        20, sampler=sampler, outputs=outputs, time_major=time_major, segment_rows=4
    )
    handle.update_priorities(handle.keys(), np.linspace(0.1, 2.0, 20))
    drawn = handle.sample(8)
    if isinstance(sampler, replay.WithoutReplacement | replay.Uniform):
        np.testing.assert_allclose(drawn.info.probability, 1 / 20)
    before = handle.stats()
    found = handle.get(drawn.info.key)
    assert handle.stats() == before
    for name in ("key", "priority", "age"):
        np.testing.assert_array_equal(
            getattr(found.info, name), getattr(drawn.info, name)
        )
    np.testing.assert_allclose(found.info.probability, drawn.info.probability)
    np.testing.assert_array_equal(found.info.weight, np.ones(8))
    assert found.info.times_sampled.max() == drawn.info.times_sampled.max()
    for name in outputs:
        np.testing.assert_array_equal(found.data[name], drawn.data[name])


def test_probabilities_of_all_items_sum_to_one() -> None:
    for sampler in SAMPLERS:
        _, handle = make_filled(10, sampler=sampler)
        handle.update_priorities(handle.keys(), np.arange(10.0))
        chances = handle.get(handle.keys()).info.probability
        np.testing.assert_allclose(chances.sum(), 1.0, err_msg=str(sampler))


def test_an_item_that_has_left_is_an_error_or_left_out() -> None:
    _, handle = make_filled(5)
    keys = handle.keys()
    handle.delete(keys[[1, 3]])
    with pytest.raises(KeyError, match=f"key {keys[1]}, at index 2, has left"):
        handle.get(keys[[4, 0, 1]])
    found = handle.get(keys[::-1], missing="skip")
    assert found.info.key.tolist() == keys[[4, 2, 0]].tolist()
    assert found.data["action"].tolist() == [4, 2, 0]
    gone = handle.get(keys[[1, 3]], missing="skip")
    assert gone.info.key.shape == (0,) and gone.data["action"].shape == (0,)
    assert handle.get([]).data["action"].shape == (0,)
    with pytest.raises(ValueError, match="never given out"):
        handle.get([1 << 40 | 12345], missing="skip")
    with pytest.raises(ValueError, match="missing is 'drop'"):
        handle.get(keys, missing="drop")  # type: ignore[arg-type]


def test_keys_are_in_the_order_of_insertion_whatever_slots_they_have() -> None:
    rb, handle = make_filled(50, max_size=20, remover=replay.Uniform())
    helpers.append_items(rb, 30)
    keys = handle.keys()
    assert keys.dtype == np.int64 and keys.shape == (20,)
    ages = handle.get(keys).info.age
    assert (np.diff(ages) < 0).all()
    rb.reset()
    assert handle.keys().shape == (0,)


def test_iterating_gives_every_item_once_and_leaves_out_those_removed_meanwhile() -> (
    None
):
    rb, handle = make_filled(10)
    actions = [batch.data["action"].tolist() for batch in handle.iterate(4)]
    assert actions == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    keys = handle.keys()
    batches = handle.iterate(4)
    assert next(batches).info.key.tolist() == keys[:4].tolist()
    handle.delete(keys[3:9])
    helpers.append_items(rb, 3)
    assert [batch.info.key.tolist() for batch in batches] == [keys[9:].tolist()]
    with pytest.raises(ValueError, match="batch_size is 0"):
        handle.iterate(0)
    rb.close()
    with pytest.raises(replay.ClosedError):
        next(handle.iterate(1))


def test_a_table_is_exported_while_another_thread_appends_and_removes() -> None:
    rb, handle = make_filled(
        64, max_size=64, outputs={"action": replay.views.Rows("action", 0, 2)}
    )
    stop = threading.Event()

    def append() -> None:
        rng = np.random.default_rng(0)
        while not stop.is_set():
            rb.append_one(helpers.make_row(rng))

    thread = threading.Thread(target=append)
    thread.start()
    try:
        for _ in range(50):
            for batch in handle.iterate(16):
                assert 1 <= len(batch.info.key) <= 16
                assert (np.diff(batch.info.age) < 0).all()
    finally:
        stop.set()
        thread.join()
    rb.check_valid()


def test_total_weight_is_the_sum_of_powers_or_the_size() -> None:
    _, handle = make_filled(4, sampler=replay.Prioritized(0.5))
    handle.update_priorities(handle.keys(), [0.0, 1.0, 4.0, 9.0])
    stats = handle.stats()
    assert stats.total_weight == 1.0 + 2.0 + 3.0
    assert stats.least_weight is None
    handle.sample(1, beta=1.0, normalize="table")
    assert handle.stats().least_weight == 1.0
    handle.update_priorities(handle.keys()[1:2], [0.25])
    assert handle.stats().least_weight == 0.5
    handle.delete(handle.keys())
    assert handle.stats().least_weight is None
    assert handle.stats().total_weight == 0.0
    _, handle = make_filled(4)
    assert handle.stats().total_weight == 4.0


def test_set_alpha_weighs_all_items_anew_and_changes_nothing_else() -> None:
    pair = [
        make_filled(30, sampler=replay.Prioritized(alpha), max_size=20)
        for alpha in (0.2, 0.9)
    ]
    for rb, handle in pair:
        handle.update_priorities(handle.keys(), np.linspace(0, 3, 20))
        handle.sample(3, beta=1.0, normalize="table")
        handle.delete(handle.keys()[:5])
    pair[0][1].set_alpha(0.9)
    sampler = pair[0][1].config.sampler
    assert isinstance(sampler, replay.Prioritized) and sampler.alpha == 0.9
    for rb, handle in pair:
        rb.check_valid()
        helpers.append_items(rb, 3)
    totals = [handle.stats().total_weight for _, handle in pair]
    np.testing.assert_allclose(*totals)
    samples = [handle.sample(64, beta=0.5, normalize="table") for _, handle in pair]
    for name in ("key", "priority"):
        np.testing.assert_array_equal(*[getattr(s.info, name) for s in samples])
    np.testing.assert_allclose(*[s.info.weight for s in samples])


def test_set_alpha_refuses_what_cannot_be_and_keeps_the_old_one() -> None:
    _, handle = make_filled(4, sampler=replay.Prioritized(0.5))
    handle.update_priorities(handle.keys(), [4.0] * 4)
    for alpha in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="table 'table': sampler has alpha"):
            handle.set_alpha(alpha)
    assert handle.stats().total_weight == 8.0
    assert handle.config.sampler == replay.Prioritized(0.5)
    _, uniform = make_filled(4)
    with pytest.raises(ValueError, match="its sampler has no alpha"):
        uniform.set_alpha(1.0)


def test_an_alpha_and_a_limiter_that_were_set_outlive_a_restore(tmp_path: Any) -> None:
    rb, handle = make_filled(4, sampler=replay.Prioritized(0.5))
    handle.update_priorities(handle.keys(), [4.0] * 4)
    rb.save(tmp_path / "replay-1")
    handle.set_alpha(1.0)
    handle.set_rate_limiter(replay.MinSize(100))
    rb.restore(tmp_path / "replay-1")
    assert handle.stats().total_weight == 16.0
    assert handle.why_not_sample(1) == "4 items < min_size 100"


def test_a_new_rate_limiter_goes_on_from_the_counts_and_wakes_who_waits() -> None:
    rb, handle = make_filled(4, rate_limiter=replay.MinSize(100))
    got: list[Any] = []
    thread = threading.Thread(target=lambda: got.append(handle.sample(2)))
    thread.start()
    time.sleep(0.05)
    handle.set_rate_limiter(replay.MinSize(3))
    thread.join(timeout=60)
    assert not thread.is_alive() and len(got) == 1
    assert handle.config.rate_limiter == replay.MinSize(3)
    handle.set_rate_limiter(replay.SampleToInsertRatio(1.0, 1, 5.0))
    assert handle.why_not_insert(5) is not None  # 4 inserts and 2 samples count.
    assert handle.why_not_insert(4) is None
    assert handle.stats().num_inserted == 4
    rb.check_valid()


def test_a_rate_limiter_that_could_wait_for_ever_is_refused_and_the_old_one_stays() -> (
    None
):
    rb, handle = make_filled(4)
    handle.check_batch_size(64)
    narrow = replay.SampleToInsertRatio(1.0, 1, 5.0)
    with pytest.raises(ValueError, match="table 'table': .* could wait .* for ever"):
        handle.set_rate_limiter(narrow)
    with pytest.raises(ValueError, match="max_size 1000 is below min_size 2000"):
        handle.set_rate_limiter(replay.MinSize(2000))
    assert handle.config.rate_limiter == replay.MinSize(1)
    assert handle.can_sample(64)
    rb.check_valid()


def test_a_new_rate_limiter_must_suit_any_counts_so_far() -> None:
    """Batches of 4 at 2 samples per insert keep leads even, but one sample does not."""
    limiter = replay.SampleToInsertRatio(2.0, min_size=2, error_buffer=2.25)
    _, handle = helpers.make_replay(rate_limiter=limiter)
    handle.check_batch_size(4)
    _, handle = make_filled(4)
    handle.check_batch_size(4)
    handle.sample(1)
    with pytest.raises(ValueError, match="could wait for each other for ever"):
        handle.set_rate_limiter(limiter)


def test_a_table_that_gets_copies_takes_no_limiter_that_stops_inserts() -> None:
    tables = [
        helpers.make_table("fresh", insert_on_sample="seen"),
        helpers.make_table("seen", pattern=None),
    ]
    rb = replay.Replay(helpers.STEPS, tables)
    with pytest.raises(ValueError, match="whose rate limiter may stop inserts"):
        rb.tables["seen"].set_rate_limiter(replay.Queue(5))
    rb.tables["fresh"].set_rate_limiter(replay.Queue(5))


def test_a_limiter_whose_items_max_bytes_cannot_hold_is_refused() -> None:
    table = helpers.make_table()
    rb = replay.Replay(helpers.STEPS, [table], segment_rows=4, max_bytes=2_000)
    with pytest.raises(ValueError, match="max_bytes is 2000, but table 'table' needs"):
        rb.tables["table"].set_rate_limiter(replay.MinSize(1000))
    assert dataclasses.replace(table) == rb.tables["table"].config
