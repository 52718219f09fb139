"""Limits that are accepted never deadlock, and those that are refused can."""

from __future__ import annotations

import dataclasses
import itertools
import random
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from tfagents_core import replay

STEPS = {"value": replay.Column((), np.float32)}
Items = tuple[int, ...]  # Draws left of each item, oldest first.


@dataclasses.dataclass(frozen=True)
class Setting:
    """A table, the size of its batches and the most items of an append."""

    limiter: replay.SampleToInsertRatio | replay.Queue
    batch_size: int
    max_inserts: int
    max_size: int
    max_times_sampled: int

    def make(self) -> replay.Replay:
        """A replay that appends one item for each of `max_inserts` streams."""
        table = replay.Table(
            "table",
            pattern=replay.Sequence(length=1, period=1),
            outputs={},
            max_size=self.max_size,
            max_times_sampled=self.max_times_sampled,
            rate_limiter=self.limiter,
        )
        return replay.Replay(
            STEPS,
            [table],
            num_streams=self.max_inserts,
            rows_per_append=self.max_inserts,
        )

    def is_accepted(self) -> bool:
        try:
            self.make().tables["table"].check_batch_size(self.batch_size)
        except ValueError:
            return False
        return True


@dataclasses.dataclass(frozen=True)
class State:
    """What the next calls depend on. `items` has no draws where they are unbounded."""

    num_inserted: int  # No more than min_size, from where on it does not matter.
    lead: Fraction
    items: Items


class Walk:
    """All states that appends, batches and deletes can lead to."""

    def __init__(self, setting: Setting) -> None:
        limiter = setting.limiter
        self.setting = setting
        if isinstance(limiter, replay.Queue):
            self.ratio, self.min_size = Fraction(1), 1
            self.low, self.high = Fraction(0), Fraction(limiter.size)
        else:
            assert limiter.error_buffer is not None
            self.ratio = Fraction(limiter.samples_per_insert)
            self.min_size = limiter.min_size
            self.low = self.ratio * self.min_size - Fraction(limiter.error_buffer)
            self.high = self.ratio * self.min_size + Fraction(limiter.error_buffer)

    def may_insert(self, state: State, n: int) -> bool:
        size, due = len(state.items), state.lead
        if self.setting.max_times_sampled:
            due = min(due, Fraction(sum(state.items)))
        fell = size < self.min_size <= state.num_inserted
        within = due + n * self.ratio <= self.high
        return size + n <= self.min_size or within or fell

    def may_sample(self, state: State) -> bool:
        n = self.setting.batch_size
        has_draws = not self.setting.max_times_sampled or sum(state.items) >= n
        ready = len(state.items) >= self.min_size
        return ready and state.lead - n >= self.low and has_draws

    def insert(self, state: State, n: int) -> State:
        draws = (self.setting.max_times_sampled,) * n
        return State(
            min(state.num_inserted + n, self.min_size),
            state.lead + n * self.ratio,
            (*state.items, *draws)[-self.setting.max_size :],
        )

    def sample(self, state: State) -> Iterator[State]:
        outcomes = {state.items}
        for _ in range(
            self.setting.batch_size if self.setting.max_times_sampled else 0
        ):
            outcomes = {left for items in outcomes for left in drawn(items)}
        for items in outcomes:
            lead = state.lead - self.setting.batch_size
            yield State(state.num_inserted, lead, items)

    def following(self, state: State) -> Iterator[State]:
        # Above it nothing is inserted but for want of items: more changes nothing.
        top = max(self.high, self.low + self.setting.batch_size) + 12 * self.ratio
        for n in range(1, self.setting.max_inserts + 1):
            if self.may_insert(state, n) and state.lead <= top:
                yield self.insert(state, n)
        if self.may_sample(state):
            yield from self.sample(state)
        for i in range(len(state.items)):
            items = state.items[:i] + state.items[i + 1 :]
            yield State(state.num_inserted, state.lead, items)

    def is_stuck(self, state: State) -> bool:
        n = self.setting.max_inserts
        return not self.may_insert(state, n) and not self.may_sample(state)

    def deadlock(self) -> State | None:
        """A state without a way out, or one of which no batch is ever drawn."""
        start = State(0, Fraction(0), ())
        seen, waiting = {start}, [start]
        can_sample = False
        for state in waiting:
            if self.is_stuck(state):
                return state
            can_sample |= self.may_sample(state)
            new = set(self.following(state)) - seen
            seen |= new
            waiting += new
        return None if can_sample else start


def drawn(items: Items) -> Iterator[Items]:
    """What may be left when one item was drawn, whichever the sampler chooses."""
    for i, left in enumerate(items):
        kept = (left - 1,) if left > 1 else ()
        yield (*items[:i], *kept, *items[i + 1 :])


def ratios(
    values: list[float], min_sizes: list[int], slacks: list[float]
) -> list[replay.SampleToInsertRatio]:
    return [
        replay.SampleToInsertRatio(ratio, min_size, max(1.0, ratio) * slack)
        for ratio, min_size, slack in itertools.product(values, min_sizes, slacks)
    ]


def settings(limiters: list[Any], **choices: list[int]) -> list[Setting]:
    made = []
    for limiter, *numbers in itertools.product(limiters, *choices.values()):
        setting = Setting(limiter, **dict(zip(choices, numbers, strict=True)))
        min_size = getattr(limiter, "min_size", 1)
        setting = dataclasses.replace(setting, max_size=setting.max_size + min_size)
        made.append(setting)
    return made


UNBOUNDED = settings(
    ratios([0.25, 0.5, 1.0, 1.5, 3.0], [1, 2, 4], [1.0, 1.25, 2.0, 3.5]),
    batch_size=[1, 2, 3, 5],
    max_inserts=[1, 2, 4],
    max_size=[0, 3],
    max_times_sampled=[0],
)
QUEUES = settings(
    [replay.Queue(size) for size in range(1, 7)],
    batch_size=[1, 2, 3, 4],
    max_inserts=[1, 2, 3],
    max_size=[0, 2, 8],
    max_times_sampled=[1],
)
BOUNDED = settings(
    ratios([0.5, 1.0, 2.0, 3.0], [1, 2], [1.0, 1.5, 3.0]),
    batch_size=[1, 2, 3],
    max_inserts=[1, 2],
    max_size=[0, 2],
    max_times_sampled=[1, 2],
)


@pytest.mark.parametrize(
    ("small", "num_strict"),
    # Refused though they are live: tables of one item all of whose draws are a batch.
    [(UNBOUNDED, 0), (QUEUES, 0), (BOUNDED, 2)],
    ids=["unbounded", "queues", "max_times_sampled"],
)
def test_small_limits_are_accepted_if_and_only_if_no_state_is_without_a_way_out(
    small: list[Setting], num_strict: int
) -> None:
    accepted = strict = 0
    for setting in small:
        deadlock = Walk(setting).deadlock()
        if setting.is_accepted():
            accepted += 1
            assert deadlock is None, (setting, deadlock)
        elif deadlock is None:
            strict += 1
    assert strict == num_strict
    assert 0.2 * len(small) < accepted < 0.8 * len(small)


def random_setting(rng: random.Random) -> Setting:
    times = rng.choice([0, 0, 1, 2, 5])
    ratio = rng.choice([0.3, 0.5, 1.0, 2.0, 4.0, 8.0, 12.5])
    min_size = rng.choice([1, 2, 7, 30, 100])
    batch_size, max_inserts = rng.randint(1, 60), rng.randint(1, 40)
    need = batch_size + ratio * max_inserts
    limiter: Any = replay.Queue(rng.randint(1, batch_size + max_inserts + 2))
    if rng.random() < 0.7:
        slack = max(1.0, ratio, need * rng.choice([0.4, 0.45, 0.5, 0.6, 1.0]))
        limiter = replay.SampleToInsertRatio(ratio, min_size, slack)
    else:
        min_size = 1
    size = min_size + rng.choice([0, 5, 200])
    return Setting(limiter, batch_size, max_inserts, size, times)


class Caller:
    """Appends rows to some streams, draws and deletes, and never waits."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.buffer = setting.make()
        self.table = self.buffer.tables["table"]
        self.begun: set[int] = set()

    def append(self, n: int) -> bool:
        rows = {"value": np.zeros(n, np.float32)}
        first = np.array([stream not in self.begun for stream in range(n)])
        try:
            self.buffer.append(rows, first, streams=np.arange(n), timeout=0)
        except TimeoutError:
            return False
        self.begun |= set(range(n))
        return True

    def sample(self) -> bool:
        try:
            self.table.sample(self.setting.batch_size, timeout=0)
        except TimeoutError:
            return False
        return True

    def delete_some(self) -> None:
        if self.table.can_sample(self.setting.batch_size):
            info = self.table.sample(self.setting.batch_size, timeout=0).info
            self.table.delete(info.key[:2])


@pytest.mark.parametrize("seed", range(3))
def test_random_limits_that_are_accepted_never_stop_both_sides(seed: int) -> None:
    """Runs the replay itself, in random orders that try to get it stuck."""
    rng = random.Random(seed)
    num_accepted = 0
    for _ in range(500):
        setting = random_setting(rng)
        if not setting.is_accepted():
            continue
        num_accepted += 1
        caller = Caller(setting)
        caller.table.check_batch_size(setting.batch_size)
        for _ in range(150):
            n = rng.choice(
                [1, setting.max_inserts, rng.randint(1, setting.max_inserts)]
            )
            may_sample = caller.table.can_sample(setting.batch_size)
            if not caller.table.can_insert(setting.max_inserts):
                assert may_sample, setting
            if rng.random() < 0.6:
                caller.append(n)
            elif rng.random() < 0.9:
                caller.sample()
            elif not isinstance(setting.limiter, replay.Queue):
                caller.delete_some()
        assert any(
            caller.sample() or (caller.append(setting.max_inserts) and False)
            for _ in range(1000)
        ), setting
    assert num_accepted > 100


def make(limiter: Any, **options: Any) -> replay.Replay:
    table = replay.Table(
        "table",
        pattern=options.pop("pattern", replay.Sequence(length=1, period=1)),
        outputs={},
        max_size=100_000,
        rate_limiter=limiter,
    )
    return replay.Replay(STEPS, [table], **options)


def append_all(buffer: replay.Replay, *, first: bool) -> None:
    rows = {"value": np.zeros(buffer.num_streams, np.float32)}
    buffer.append(rows, first, timeout=0)


def test_256_streams_and_room_for_one_insert_are_refused() -> None:
    limiter = replay.SampleToInsertRatio.for_batches(
        8.0, 1000, batch_size=256, max_inserts=1
    )
    with pytest.raises(ValueError, match="table 'table': appends of up to 256 items"):
        buffer = make(limiter, num_streams=256, rows_per_append=256)
        buffer.tables["table"].check_batch_size(256)
    narrow = replay.SampleToInsertRatio(8.0, 1000, 100.0)
    with pytest.raises(ValueError, match="need 1 .* 8 = 2049 samples .* = 200; widen"):
        make(narrow, num_streams=256, rows_per_append=256)
    # What is not said beforehand is found by the first append that makes so many items.
    buffer = make(narrow, num_streams=256)
    with pytest.raises(ValueError, match="appends of up to 256 items"):
        append_all(buffer, first=True)
    assert buffer.tables["table"].size == 0
    enough = replay.SampleToInsertRatio.for_batches(
        8.0, 1000, batch_size=256, max_inserts=256
    )
    buffer = make(enough, num_streams=256, rows_per_append=256)
    buffer.tables["table"].check_batch_size(256)


def test_a_ratio_for_batches_must_be_told_how_many_items_an_append_makes() -> None:
    with pytest.raises(TypeError, match="max_inserts"):
        replay.SampleToInsertRatio.for_batches(8.0, 1000, batch_size=256)  # type: ignore[call-arg]


def test_the_items_of_an_episodes_end_are_checked_at_construction() -> None:
    limiter = replay.SampleToInsertRatio(8.0, 100, 18.0)
    with pytest.raises(ValueError, match="appends of up to 5 items"):
        make(limiter, pattern=replay.NStep(5))
    make(limiter, pattern=replay.NStep(3))


def test_an_append_of_some_streams_is_not_refused_for_the_number_of_all() -> None:
    limiter = replay.SampleToInsertRatio.for_batches(
        8.0, 10, batch_size=4, max_inserts=2
    )
    for rows_per_append in (None, 2):
        buffer = make(limiter, num_streams=64, rows_per_append=rows_per_append)
        buffer.tables["table"].check_batch_size(4)
        for start in range(0, 8, 2):
            rows = {"value": np.zeros(2, np.float32)}
            buffer.append(rows, True, streams=[start, start + 1], timeout=0)
        with pytest.raises(ValueError, match="64"):
            append_all(buffer, first=True)
        assert buffer.tables["table"].size == 8


def test_rows_that_begin_episodes_and_make_no_items_are_never_refused() -> None:
    limiter = replay.SampleToInsertRatio(8.0, 10, 10.0)
    buffer = make(limiter, num_streams=64, pattern=replay.NStep(1))
    append_all(buffer, first=True)


def test_a_batch_is_checked_against_the_appends_that_there_were() -> None:
    buffer = make(replay.Queue(10), num_streams=8)
    append_all(buffer, first=True)
    table = buffer.tables["table"]
    table.check_batch_size(3)
    with pytest.raises(ValueError, match="appends of up to 8 items and batches of 4"):
        table.check_batch_size(4)
    with pytest.raises(ValueError, match="batches of 9 samples"):
        table.sample(9)


def test_an_append_is_checked_against_the_batch_that_was_checked() -> None:
    buffer = make(replay.Queue(10), num_streams=8)
    buffer.tables["table"].check_batch_size(4)
    with pytest.raises(ValueError, match="appends of up to 8 items and batches of 4"):
        append_all(buffer, first=True)


@pytest.mark.parametrize("rows_per_append", [0, -1])
def test_rows_per_append_out_of_range_are_refused(rows_per_append: int) -> None:
    with pytest.raises(ValueError, match="rows_per_append"):
        make(replay.MinSize(1), num_streams=4, rows_per_append=rows_per_append)


def test_a_batch_larger_than_the_draws_left_under_a_ratio_is_refused() -> None:
    """Such a table held 15 draws when inserts stopped, and a batch was 20."""
    setting = Setting(replay.SampleToInsertRatio(4, 10, 20), 20, 1, 1000, 1)
    assert setting.is_accepted()  # Draws that are left, not those due, stop inserts.
    caller = Caller(setting)
    while caller.append(1):
        pass
    assert caller.sample()
    assert not dataclasses.replace(setting, batch_size=58).is_accepted()


def test_a_table_that_fell_below_its_min_size_takes_an_append_of_any_size() -> None:
    buffer = make(replay.SampleToInsertRatio(1.0, 4, 3.0), num_streams=4)
    for first in (True, False):
        rows = {"value": np.zeros(3, np.float32)}
        buffer.append(rows, first, streams=[0, 1, 2], timeout=0)
    table = buffer.tables["table"]
    assert not table.can_insert(3)
    table.delete(np.unique(table.sample(2, timeout=0).info.key))
    while table.size >= 4:
        table.delete(table.sample(1, timeout=0).info.key)
    assert not table.can_sample(1)
    assert table.can_insert(3)


ABSURD = [2**60, 2**63 - 1, 2**31]


@pytest.mark.parametrize("limiter", [replay.MinSize(1), replay.Queue(9)], ids=str)
@pytest.mark.parametrize("size", ABSURD)
def test_a_sample_of_an_absurd_size_is_refused_at_once(limiter: Any, size: int) -> None:
    buffer = make(limiter)
    append_all(buffer, first=True)
    table = buffer.tables["table"]
    for sizes in ({"batch_size": size}, {"batch_size": 2**20, "num_batches": size}):
        with pytest.raises(ValueError, match=r"2\^31"):
            table.sample(**sizes)
    with pytest.raises(ValueError, match=r"below 2\^31"):
        table.sample(2**20, num_batches=2**20)
    assert not table.can_insert(size) or limiter == replay.MinSize(1)
    assert not table.can_sample(size) or limiter == replay.MinSize(1)
    assert table.stats().num_sampled == 0


def test_a_sample_that_can_never_be_is_refused_before_its_memory_is_asked_for() -> None:
    table = replay.Table.queue(
        "queue",
        pattern=replay.Sequence(length=1, period=1),
        outputs=replay.views.Row("image", 0),
        max_size=9,
    )
    steps = {"image": replay.Column((1000, 1000), np.float32)}
    queue = replay.Replay(steps, [table]).tables["queue"]
    with pytest.raises(ValueError, match="batches of 2147483647 samples|never holds"):
        queue.sample(2**31 - 1)
    narrow = make(replay.SampleToInsertRatio(1.0, 10, 20.0)).tables["table"]
    for size in (41, 10_000, 2**31 - 1):
        with pytest.raises(ValueError, match=f"batches of {size} samples"):
            narrow.sample(size)
