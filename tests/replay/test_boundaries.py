"""Where one item's share of the draws ends and the next one's begins, to the last bit.

The numbers that a table draws with are documented (xoshiro256**, seeded by splitmix64),
so that it can be worked out here which item each of them must fall on.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from tfagents_core import replay

from . import helpers

MASK = 2**64 - 1
STEP = 2.0**-53  # From one number that can be drawn to the next.


def rotate(x: int, bits: int) -> int:
    return (x << bits | x >> (64 - bits)) & MASK


def words(seed: int) -> Iterator[int]:
    """xoshiro256** of Blackman and Vigna 2021."""
    state = []
    for _ in range(4):
        seed = (seed + 0x9E3779B97F4A7C15) & MASK
        z = (seed ^ seed >> 30) * 0xBF58476D1CE4E5B9 & MASK
        z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK
        state.append(z ^ z >> 31)
    a, b, c, d = state
    while True:
        yield rotate(b * 5 & MASK, 7) * 9 & MASK
        c, d = c ^ a, d ^ b
        a, b, c, d = a ^ d, b ^ c, c ^ (b << 17 & MASK), rotate(d, 45)


def uniforms(seed: int) -> Iterator[float]:
    """What the first table of a replay of this seed draws with, in [0, 1)."""
    return ((word >> 11) * STEP for word in words(next(words(seed))))


def make(
    priorities: Any, *, seed: int = 0, **options: Any
) -> tuple[replay.TableHandle, list[int]]:
    """A table with an item of each priority, and their keys."""
    rb, handle = helpers.make_replay(
        pattern=None, sampler=replay.Prioritized(1.0, **options), seed=seed
    )
    rb.append_one(helpers.make_row(np.random.default_rng(0)), first=True)
    return handle, [rb.create_item("table", 1, priority=float(p)) for p in priorities]


# The nodes of the tree have eight children, so that lines end at multiples of 8 and 64.
PLACES = [
    (0, 1),
    (3, 4),
    (6, 7),
    (7, 8),
    (8, 15),
    (62, 63),
    (63, 64),
    (0, 99),
    (98, 99),
]


@pytest.mark.parametrize("seed", [0, 7])
@pytest.mark.parametrize(("low", "high"), PLACES)
def test_a_number_on_the_boundary_of_two_items_is_the_second_ones(
    low: int, high: int, seed: int
) -> None:
    """An item has `[start, end)` of the mass; those of no mass between have nothing."""
    drawn = next(uniforms(seed))
    for share, expected in ((drawn, high), (drawn + STEP, low), (drawn - STEP, high)):
        priorities = np.zeros(100)
        priorities[low], priorities[high] = share, 1 - share
        handle, keys = make(priorities, seed=seed)
        assert handle.sample(1).info.key[0] == keys[expected]


@pytest.mark.parametrize("num_items", [1, 2, 7, 8, 9, 63, 64, 65, 300])
@pytest.mark.parametrize("stratified", [False, True])
def test_every_draw_is_the_item_that_the_number_falls_on(
    num_items: int, stratified: bool
) -> None:
    """Of whole-numbered priorities, whose sums are exact; a third of them are 0."""
    rng = np.random.default_rng(num_items)
    priorities = rng.integers(1, 1_000, num_items) * (np.arange(num_items) % 3 != 1)
    handle, keys = make(priorities, seed=3, stratified=stratified)
    ends = np.cumsum(priorities)
    numbers = uniforms(3)
    for batch_size in (1, 256, 257, 1_000):
        points = np.array(list(itertools.islice(numbers, batch_size)))
        if stratified:
            points = (np.arange(batch_size) + points) / batch_size
        expected = np.searchsorted(ends, points * ends[-1], side="right")
        drawn = handle.sample(batch_size).info.key
        np.testing.assert_array_equal(drawn, np.array(keys)[expected])
        assert priorities[expected].all()


def test_draws_follow_priorities_that_were_changed_one_by_one_and_together() -> None:
    priorities = np.arange(1.0, 201)
    handle, keys = make(priorities, seed=5)
    numbers = uniforms(5)
    changes = [[0], [199], [7, 8], [63, 64, 65], list(range(0, 200, 3))]
    for number, places in enumerate(changes):
        priorities[places] = 10.0 * number + np.arange(len(places))
        written = handle.update_priorities(
            np.array(keys)[places], priorities[places].copy()
        )
        assert written == len(places)
        points = np.array(list(itertools.islice(numbers, 500)))
        ends = np.cumsum(priorities)
        expected = np.searchsorted(ends, points * ends[-1], side="right")
        drawn = handle.sample(500).info.key
        np.testing.assert_array_equal(drawn, np.array(keys)[expected])


def test_only_the_last_item_may_be_left_with_any_mass() -> None:
    for num_items in (1, 8, 9, 65):
        handle, keys = make([0.0] * (num_items - 1) + [1e-300])
        assert set(handle.sample(300).info.key.tolist()) == {keys[-1]}


# Rate limiters.


class Oracle:
    """When n items may be sampled or inserted: two inequalities, in exact numbers."""

    def __init__(self, ratio: Any, min_size: int, low: Any, high: Any) -> None:
        self.ratio, self.min_size, self.low, self.high = ratio, min_size, low, high
        self.inserts = self.samples = self.deletes = 0

    def may_sample(self, n: int) -> bool:
        lead = self.inserts * self.ratio - self.samples - n
        return self.inserts - self.deletes >= self.min_size and lead >= self.low

    def may_insert(self, n: int) -> bool:
        lead = (self.inserts + n) * self.ratio - self.samples
        return self.inserts + n - self.deletes <= self.min_size or lead <= self.high


def make_limited(limiter: Any) -> tuple[replay.Replay, replay.TableHandle]:
    """A table in which every append from now on inserts an item."""
    rb, handle = helpers.make_replay(rate_limiter=limiter)
    rb.append_one(helpers.make_row(np.random.default_rng(0)), first=True, last=False)
    return rb, handle


def insert(rb: replay.Replay) -> bool:
    """Whether one item could be inserted, which it then is."""
    row = helpers.make_row(np.random.default_rng(0))
    try:
        rb.append_one(row, first=False, last=False, timeout=0)
    except TimeoutError:
        return False
    return True


def sample(handle: replay.TableHandle, n: int) -> bool:
    """Whether n items could be sampled, which they then are."""
    try:
        handle.sample(n, timeout=0)
    except TimeoutError:
        return False
    return True


RATIOS = [Fraction(1, 4), Fraction(1, 2), Fraction(1), Fraction(2), Fraction(7, 2)]


@pytest.mark.parametrize("ratio", RATIOS, ids=str)
@pytest.mark.parametrize("min_size", [1, 2, 5])
@pytest.mark.parametrize("slack", [0, 1, Fraction(5, 2)], ids=str)
def test_as_many_are_let_through_as_the_inequalities_say(
    ratio: Fraction, min_size: int, slack: Any
) -> None:
    """Inserts until none may, then samples until none may, and so on."""
    buffer = max(Fraction(1), ratio) + slack
    middle = ratio * min_size
    limiter = replay.SampleToInsertRatio(float(ratio), min_size, float(buffer))
    rb, handle = make_limited(limiter)
    oracle = Oracle(ratio, min_size, middle - buffer, middle + buffer)
    for n in (1, 2, 1, 2, 1, 1):
        while oracle.may_insert(1):
            assert insert(rb)
            oracle.inserts += 1
        assert not insert(rb)
        while oracle.may_sample(n):
            assert sample(handle, n)
            oracle.samples += n
        assert not sample(handle, n)
        stats = handle.stats()
        assert (stats.num_inserted, stats.num_sampled) == (
            oracle.inserts,
            oracle.samples,
        )


@pytest.mark.parametrize(
    ("limiter", "counts"),
    [
        # Counts of inserts and samples in turn, until neither side gets any further.
        # With I inserts and S samples: I * 2 - S must stay in [4, 8].
        (replay.SampleToInsertRatio(2.0, 3, 2.0), [4, 4, 2, 4, 2, 4]),
        # I - S must stay in [1, 3].
        (replay.SampleToInsertRatio(1.0, 2, 1.0), [3, 2, 2, 2, 2, 2]),
        (replay.Queue(3), [3, 3, 3, 3]),
        (replay.Queue(1), [1, 1, 1, 1]),
    ],
    ids=str,
)
def test_the_numbers_let_through_are_those_counted_by_hand(
    limiter: Any, counts: list[int]
) -> None:
    rb, handle = make_limited(limiter)
    found = []
    for turn in range(len(counts)):
        is_sampling = turn % 2 == 1
        count = 0
        while sample(handle, 1) if is_sampling else insert(rb):
            count += 1
        found.append(count)
    assert found == counts


@pytest.mark.parametrize("min_size", [1, 2, 7])
def test_sampling_begins_with_the_item_that_makes_up_the_min_size(
    min_size: int,
) -> None:
    rb, handle = make_limited(replay.MinSize(min_size))
    for _ in range(min_size):
        assert not sample(handle, 1)
        assert insert(rb)
    assert sample(handle, 100)
    # Items that were removed do not count.
    handle.delete(handle.sample(1).info.key)
    assert not sample(handle, 1)
    assert insert(rb)
    assert sample(handle, 1)


@pytest.mark.parametrize(
    ("ratio", "min_size", "batch_size", "max_inserts", "expected"),
    [
        (32.0, 1_000, 256, 1, 3_200.0),  # A tenth of what is due at the start.
        (32.0, 10, 256, 1, 256 + 32.0),
        (32.0, 100, 256, 7, 256 + 32.0 * 7),
        (0.5, 10, 4, 8, 4 + 0.5 * 8),
        (1.0, 1, 1, 1, 2.0),
    ],
)
def test_a_ratio_for_batches_has_room_for_a_batch_and_an_append(
    ratio: float, min_size: int, batch_size: int, max_inserts: int, expected: float
) -> None:
    limiter = replay.SampleToInsertRatio.for_batches(
        ratio, min_size, batch_size=batch_size, max_inserts=max_inserts
    )
    assert limiter == replay.SampleToInsertRatio(ratio, min_size, expected)
