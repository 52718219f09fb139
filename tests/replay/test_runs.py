"""Runs of rows in one call, against the same rows one by one."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from tfagents_core import replay

from . import helpers, saving

PATTERNS = [
    replay.NStep(1),
    replay.NStep(4),
    replay.NStep(4, short_starts=False),
    replay.Sequence(length=3, period=1),
    replay.Sequence(length=5, period=2),
    replay.Sequence(length=4, period=7),
    replay.Sequence(length=4, period=3, end="drop"),
    replay.Sequence(length=4, period=3, end="continue"),
    replay.Sequence(length=3, period=1, end="continue"),
    replay.Episode(max_length=1_000),
    None,
]
REMOVERS = [
    replay.Fifo(),
    replay.Fifo(),
    replay.Lifo(),
    replay.Uniform(),
    replay.MinHeap(),
    replay.MaxHeap(),
    replay.Prioritized(0.5),
]
SAMPLERS = [*REMOVERS, replay.WithoutReplacement()]


@dataclasses.dataclass
class Run:
    """T rows of one stream, some of which begin or end episodes."""

    rows: dict[str, np.ndarray]
    first: np.ndarray
    last: np.ndarray
    stream: int = 0
    priorities: dict[str, np.ndarray] | None = None

    @classmethod
    def random(
        cls, rng: np.random.Generator, length: int, *, is_open: bool, ends: float = 0.1
    ) -> Run:
        last = rng.random(length) < ends
        first = rng.random(length) < ends / 3
        for t in range(length):
            is_open_before = is_open if t == 0 else not last[t - 1]
            first[t] |= not is_open_before
        rows = [helpers.make_row(rng) for _ in range(length)]
        stacked = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
        return cls(stacked, first, last)

    @property
    def length(self) -> int:
        return len(self.first)

    def append(self, rb: replay.Replay, **options: Any) -> dict[str, list[int]]:
        """In one call; returns the keys of the new items by table."""
        keys = rb.append_steps(
            self.rows,
            self.first,
            self.last,
            stream=self.stream,
            priorities=self.priorities,
            return_keys=True,
            **options,
        )
        assert keys is not None
        return {name: found.tolist() for name, found in keys.items()}

    def append_one_by_one(self, rb: replay.Replay) -> dict[str, list[int]]:
        keys: dict[str, list[int]] = {name: [] for name in rb.tables}
        for t in range(self.length):
            given = self.priorities or {}
            found = rb.append_one(
                {name: values[t] for name, values in self.rows.items()},
                first=bool(self.first[t]),
                last=bool(self.last[t]),
                stream=self.stream,
                priorities={name: values[t] for name, values in given.items()},
                return_keys=True,
            )
            assert found is not None
            for name in keys:
                keys[name] += found[name].tolist()
        return keys


def outputs_for(pattern: Any) -> Any:
    if isinstance(pattern, replay.Sequence) and pattern.end == "continue":
        return replay.unroll(helpers.STEPS, pattern.length - 1)
    return {
        "stack": replay.views.Row("observation", -1, stack=3),
        "rows": replay.views.Rows("action", 0, 4),
        "mask": replay.views.Mask(0, 4),
    }


def random_table(rng: np.random.Generator, name: str, **fixed: Any) -> replay.Table:
    pattern = PATTERNS[rng.integers(len(PATTERNS))]
    options: dict[str, Any] = {
        "pattern": pattern,
        "outputs": outputs_for(pattern),
        "sampler": SAMPLERS[rng.integers(len(SAMPLERS))],
        "remover": REMOVERS[rng.integers(len(REMOVERS))],
        "max_size": int(rng.choice([1, 2, 7, 40, 1_000])),
        "max_times_sampled": int(rng.choice([0, 0, 2])),
        **fixed,
    }
    return helpers.make_table(name, **options)


def assert_same(one: Any, other: Any) -> None:
    for a, b in zip(one.info[1:], other.info[1:], strict=True):
        np.testing.assert_array_equal(a, b)
    # One of them may have been restored.
    keys = [saving.without_epoch(sample.info.key) for sample in (one, other)]
    np.testing.assert_array_equal(*keys)
    assert type(one.data) is type(other.data)
    pairs = (
        zip(one.data.values(), other.data.values(), strict=True)
        if isinstance(one.data, dict)
        else zip(one.data, other.data, strict=True)
    )
    for a, b in pairs:
        np.testing.assert_array_equal(a, b)


def use_both(rng: np.random.Generator, tables: list[replay.TableHandle]) -> None:
    """The same random samples, updates and deletes in two tables that are alike."""
    n = int(rng.integers(1, 6))
    if not tables[0].can_sample(n):
        assert not tables[1].can_sample(n)
        return
    samples = [table.sample(n, beta=0.5) for table in tables]
    assert_same(*samples)
    keys = samples[0].info.key
    priorities = rng.choice([0.0, 0.5, 1.0, 3.0], n)
    num_deleted = int(rng.integers(2))
    for table in tables:
        table.update_priorities(keys, priorities)
        table.delete(keys[:num_deleted])


@pytest.mark.parametrize("seed", range(60))
def test_a_run_makes_the_items_keys_and_draws_of_its_rows_one_by_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    tables = [random_table(rng, name) for name in ("a", "b")]
    segment_rows = int(rng.choice([1, 2, 8, 64]))
    pair = [
        replay.Replay(
            helpers.STEPS, tables, num_streams=2, segment_rows=segment_rows, seed=seed
        )
        for _ in range(2)
    ]
    is_open = [False, False]
    for _ in range(12):
        stream = int(rng.integers(2))
        run = Run.random(rng, int(rng.integers(1, 40)), is_open=is_open[stream])
        run.stream = stream
        is_open[stream] = not run.last[-1]
        if rng.integers(2):
            run.priorities = {"a": rng.choice([0.0, 0.5, 1.0, 3.0], run.length)}
        assert run.append(pair[0]) == run.append_one_by_one(pair[1])
        for rb in pair:
            rb.check_valid()
        assert pair[0].bytes_in_use == pair[1].bytes_in_use
        for name in ("a", "b"):
            keys = [rb.tables[name].keys() for rb in pair]
            np.testing.assert_array_equal(*keys)
            if len(keys[0]):
                assert_same(*[rb.tables[name].get(keys[0]) for rb in pair])
            use_both(rng, [rb.tables[name] for rb in pair])


@pytest.mark.parametrize("seed", range(20))
def test_a_run_that_a_queue_has_no_room_for_appends_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    table = replay.Table.queue(
        "table",
        pattern=replay.NStep(2),
        outputs=replay.views.Row("action", -1),
        max_size=30,
    )
    pair = [
        replay.Replay(helpers.STEPS, [table], segment_rows=4, seed=seed)
        for _ in range(2)
    ]
    is_open = False
    refused = 0
    for _ in range(30):
        run = Run.random(rng, int(rng.integers(1, 15)), is_open=is_open)
        before = pair[0].tables["table"].keys().tolist()
        try:
            keys = run.append(pair[0], timeout=0)
        except TimeoutError as error:
            assert "waiting to insert into table 'table'" in str(error)
            assert pair[0].tables["table"].keys().tolist() == before
            refused += 1
        else:
            assert keys == run.append_one_by_one(pair[1])
            is_open = not run.last[-1]
        for rb in pair:
            rb.check_valid()
        n = int(rng.integers(1, 8))
        if pair[0].tables["table"].can_sample(n):
            assert_same(*[rb.tables["table"].sample(n) for rb in pair])
    assert refused > 0


@pytest.mark.parametrize(
    "compression", [None, pytest.param("lz4", marks=helpers.compressed)]
)
def test_a_run_within_max_bytes_keeps_the_newest_items(compression: str | None) -> None:
    rng = np.random.default_rng(0)
    steps = {
        **helpers.STEPS,
        "frame": replay.Column((256,), np.uint8, compression=compression),
    }
    table = helpers.make_table(outputs={"frame": replay.views.Row("frame", -1)})
    pair = [
        replay.Replay(steps, [table], segment_rows=4, max_bytes=40_000)
        for _ in range(2)
    ]
    made = 0
    actions: list[int] = []
    for _ in range(60):
        run = Run.random(rng, int(rng.integers(1, 30)), is_open=made > 0, ends=0.0)
        frames = run.rows["action"].astype(np.uint8)[:, None]
        run.rows["frame"] = np.repeat(frames, 256, axis=1)
        run.append(pair[0])
        run.append_one_by_one(pair[1])
        actions += run.rows["frame"][:, 0].tolist()
        made += run.length
        for rb in pair:
            rb.check_valid()
            assert rb.bytes_allocated <= 40_000
        ours, theirs = (rb.tables["table"] for rb in pair)
        assert ours.size <= theirs.size
        kept = ours.get(ours.keys()).data["frame"][:, 0].tolist()
        assert kept == actions[len(actions) - ours.size :]
    assert ours.stats().num_inserted == theirs.stats().num_inserted == made - 1
    assert ours.size >= 25


def test_a_run_that_max_bytes_can_never_hold_is_refused_with_a_way_out() -> None:
    table = helpers.make_table(outputs=replay.views.Row("action", -1))
    rb = replay.Replay(helpers.STEPS, [table], segment_rows=4, max_bytes=4_000)
    rng = np.random.default_rng(0)
    Run.random(rng, 10, is_open=False, ends=0.0).append(rb)
    keys = rb.tables["table"].keys().tolist()
    too_long = Run.random(rng, 1_000, is_open=True, ends=0.0)
    with pytest.raises(ValueError, match="append shorter runs, or raise max_bytes"):
        too_long.append(rb)
    assert rb.tables["table"].keys().tolist() == keys
    rb.check_valid()


def test_a_run_that_a_limiter_never_lets_through_is_refused_with_a_way_out() -> None:
    limiter = replay.SampleToInsertRatio(1.0, min_size=1, error_buffer=10.0)
    rb, handle = helpers.make_replay(rate_limiter=limiter)
    run = Run.random(np.random.default_rng(0), 100, is_open=False, ends=0.0)
    with pytest.raises(ValueError, match="append fewer rows at once"):
        run.append(rb)
    assert handle.size == 0
    rb.check_valid()
    # The first rows of it do fit.
    short = {name: values[:5] for name, values in run.rows.items()}
    rb.append_steps(short, first=True)
    assert handle.size == 4


def test_a_run_that_one_table_refuses_counts_for_no_other() -> None:
    tables = [
        helpers.make_table(
            name, rate_limiter=replay.SampleToInsertRatio(1.0, 1, error_buffer=slack)
        )
        for name, slack in (("wide", 100.0), ("narrow", 10.0))
    ]
    rb = replay.Replay(helpers.STEPS, tables)
    run = Run.random(np.random.default_rng(0), 100, is_open=False, ends=0.0)
    with pytest.raises(ValueError, match="table 'narrow'"):
        run.append(rb)
    rb.tables["wide"].check_batch_size(
        150
    )  # Beside 99 items there were no room for it.


def test_rows_per_append_bounds_runs_and_checks_what_they_make() -> None:
    limiter = replay.SampleToInsertRatio(1.0, min_size=10, error_buffer=10.0)
    with pytest.raises(ValueError, match="appends of up to 30 items"):
        replay.Replay(
            helpers.STEPS,
            [helpers.make_table(rate_limiter=limiter)],
            rows_per_append=30,
        )
    rb = replay.Replay(helpers.STEPS, [helpers.make_table()], rows_per_append=30)
    run = Run.random(np.random.default_rng(0), 31, is_open=False)
    with pytest.raises(ValueError, match="31 rows, but rows_per_append is 30"):
        run.append(rb)


def test_one_bool_is_of_the_first_and_of_the_last_row_of_a_run() -> None:
    rb, handle = helpers.make_replay(pattern=replay.Episode(max_length=100))
    run = Run.random(np.random.default_rng(0), 7, is_open=False)
    for _ in range(3):
        assert rb.append_steps(run.rows, True, True) is None
    assert handle.size == 3
    rb.append_steps(run.rows, True)
    rb.append_steps(run.rows)
    assert handle.size == 3
    rb.append_steps(run.rows, last=True)
    assert handle.size == 4
    with pytest.raises(ValueError, match="row 0 of the run finds no open episode"):
        rb.append_steps(run.rows)
    rb.check_valid()


def test_a_whole_data_set_is_one_run_and_shorter_ones_follow() -> None:
    rb, handle = helpers.make_replay(max_size=100)
    actions = np.arange(70_000, dtype=np.int32)
    zeros = np.zeros(70_000, np.float32)
    rows = {
        "observation": np.zeros((70_000, 2), np.float32),
        "action": actions,
        "reward": zeros,
        "discount": zeros,
    }
    rb.append_steps(rows, first=True)
    assert handle.stats().num_inserted == 69_999
    short = {name: values[:30] for name, values in rows.items()}
    rb.append_steps(short)
    kept = handle.get(handle.keys()).data["action"]
    np.testing.assert_array_equal(kept, [*actions[-70:], *actions[:30]])
    rb.check_valid()


def test_a_run_of_no_rows_appends_nothing() -> None:
    rb, handle = helpers.make_replay()
    run = Run.random(np.random.default_rng(0), 3, is_open=False)
    empty = {name: values[:0] for name, values in run.rows.items()}
    assert rb.append_steps(empty) is None
    keys = rb.append_steps(empty, return_keys=True)
    assert keys is not None and keys["table"].tolist() == []
    assert handle.size == 0


def refused(**changes: Any) -> tuple[replay.Replay, dict[str, Any]]:
    rb, _ = helpers.make_replay()
    run = Run.random(np.random.default_rng(0), 4, is_open=False, ends=0.0)
    return rb, {"rows": run.rows, "first": True, **changes}


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"first": False}, ValueError, "row 0 of the run finds no open episode"),
        (
            {"last": np.array([False, True, False, False])},
            ValueError,
            "row 2 of the run finds no open episode",
        ),
        ({"first": [True, False]}, ValueError, r"first must be a bool or bool\(4,\)"),
        ({"last": [1, 0, 0, 0]}, ValueError, r"last must be a bool or bool\(4,\)"),
        ({"stream": 1}, IndexError, "stream 1 does not exist"),
        ({"priorities": {"table": [1.0]}}, ValueError, r"shape \(4,\)"),
        ({"priorities": {"table": [1, 1, -1, 1]}}, ValueError, "priority 2 is -1"),
        ({"priorities": {"nope": [1] * 4}}, KeyError, "nope"),
        ({"timeout": -1.0}, ValueError, "timeout is -1"),
    ],
)
def test_a_run_that_does_not_fit_is_refused_and_nothing_is_written(
    changes: dict[str, Any], error: type[Exception], words: str
) -> None:
    rb, arguments = refused(**changes)
    with pytest.raises(error, match=words):
        rb.append_steps(**arguments)
    assert rb.tables["table"].stats().num_inserted == 0
    rb.check_valid()
    _, arguments = refused()
    rb.append_steps(**arguments)
    assert rb.tables["table"].size == 3


def test_columns_of_a_run_must_be_arrays_of_one_length() -> None:
    rb, arguments = refused()
    rows = arguments["rows"]
    with pytest.raises(ValueError, match="'reward' must be float32"):
        rb.append_steps({**rows, "reward": rows["reward"][:2]}, True)
    one = {name: values[0] for name, values in rows.items()}
    with pytest.raises(ValueError, match="a run's rows must be arrays"):
        rb.append_steps(one, True)


def test_an_episode_too_long_for_its_pattern_refuses_the_whole_run() -> None:
    rb, handle = helpers.make_replay(pattern=replay.Episode(max_length=5))
    run = Run.random(np.random.default_rng(0), 12, is_open=False, ends=0.0)
    run.last[3] = run.first[4] = True
    with pytest.raises(ValueError, match="more than max_length = 5 rows"):
        run.append(rb)
    assert handle.size == 0
    rb.check_valid()


def test_keys_of_appends_update_and_delete_their_items() -> None:
    rb, handle = helpers.make_replay(num_streams=2, sampler=replay.Prioritized(1.0))
    rows = Run.random(np.random.default_rng(0), 2, is_open=False).rows
    assert rb.append(rows, first=True) is None
    keys = rb.append(rows, return_keys=True)
    assert keys is not None
    assert keys["table"].dtype == np.int64 and len(keys["table"]) == 2
    assert handle.update_priorities(keys["table"], [3.0, 0.0]) == 2
    assert handle.get(keys["table"]).info.priority.tolist() == [3.0, 0.0]
    assert handle.delete(keys["table"]) == 2
    assert handle.size == 0


def test_keys_of_items_that_the_same_call_removed_are_stale() -> None:
    rb, handle = helpers.make_replay(max_size=3)
    run = Run.random(np.random.default_rng(0), 11, is_open=False, ends=0.0)
    keys = run.append(rb)["table"]
    assert len(set(keys)) == 10
    assert handle.keys().tolist() == keys[-3:]
    assert handle.update_priorities(keys, np.ones(10)) == 3


def test_a_run_goes_on_after_a_restore(tmp_path: Any) -> None:
    rng = np.random.default_rng(0)
    pair = [
        helpers.make_replay(pattern=replay.NStep(3), segment_rows=4)[0] for _ in "ab"
    ]
    Run.random(rng, 50, is_open=False, ends=0.0).append(pair[0])
    pair[0].save(tmp_path / "replay-1")
    pair[1].restore(tmp_path / "replay-1")
    run = Run.random(rng, 50, is_open=True)
    run.append(pair[0])
    run.append(pair[1])
    tables = [rb.tables["table"] for rb in pair]
    assert tables[0].size == tables[1].size
    assert_same(*[table.sample(32) for table in tables])
    pair[1].check_valid()
