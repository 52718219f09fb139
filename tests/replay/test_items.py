"""Which items arise from streams of steps, and what a batch of them holds."""

from __future__ import annotations

from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from tfagents_core import replay

from . import helpers, oracle

views = replay.views

PATTERNS = st.one_of(
    st.builds(replay.NStep, n=st.integers(1, 6), short_starts=st.booleans()),
    st.builds(
        replay.Sequence,
        length=st.integers(1, 6),
        period=st.integers(1, 8),
        end=st.sampled_from(["pad", "drop"]),
    ),
    st.builds(replay.Episode, max_length=st.just(40)),
)


def max_rows(pattern: Any) -> int:
    if isinstance(pattern, replay.NStep):
        return pattern.n + 1
    return getattr(pattern, "length", 40)


def play(
    rb: replay.Replay, model: oracle.Oracle, *, ticks: int, seed: int, num_streams: int
) -> None:
    """Appends the same random rows to both; episodes end, and are abandoned."""
    rng = np.random.default_rng(seed)
    steps = np.zeros(num_streams, int)  # of the open episode; 0: none
    for _ in range(ticks):
        some = np.flatnonzero(rng.random(num_streams) < 0.8)
        rng.shuffle(some)
        if not some.size:
            continue
        first = (steps[some] == 0) | (rng.random(some.size) < 0.05)
        last = (rng.random(some.size) < 0.15) | (np.where(first, 0, steps[some]) == 39)
        rows = [helpers.make_row(rng) for _ in some]
        for i, stream in enumerate(some):
            model.append(rows[i], first=first[i], last=last[i], stream=stream)
        batch = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
        rb.append(batch, first=first, last=last, streams=some)
        steps[some] = np.where(last, 0, np.where(first, 1, steps[some] + 1))
        rb.check_valid()


def sample_all(handle: replay.TableHandle, count: int) -> Any:
    """The data of all items, oldest first, of a table made with `drained`."""
    assert handle.size == count
    return handle.sample(count, timeout=0).data


@hypothesis.given(
    PATTERNS,
    st.integers(1, 4),
    st.integers(1, 4),
    st.sampled_from([0, 1, 2, 8]),
    st.integers(0, 2**32),
)
@hypothesis.settings(max_examples=100, deadline=None)
def test_every_item_holds_the_rows_the_model_says(
    pattern: Any, num_streams: int, stack: int, segment_rows: int, seed: int
) -> None:
    length = max_rows(pattern)
    outputs = {
        "first": views.Row("observation", 0),
        "last": views.Row("action", -1),
        "stack": views.Row("observation", -1, stack=stack),
        "rows": views.Rows("action", 0, length),
        "stacks": views.Rows("observation", 1, length, stack=stack),
        "return": views.NStepReturn("reward", "discount", 0.9),
        "discount": views.NStepDiscount("discount", 0.9),
        "mask": views.Mask(1, length),
    }
    if length == 1:  # no row follows the first
        outputs = {k: v for k, v in outputs.items() if k not in ("stacks", "mask")}
    rb, handle = helpers.make_replay(
        num_streams=num_streams,
        segment_rows=segment_rows,
        **helpers.drained(pattern=pattern, outputs=outputs, max_size=4000),
    )
    model = oracle.Oracle(pattern, num_streams)
    play(rb, model, ticks=60, seed=seed, num_streams=num_streams)
    hypothesis.assume(model.items)
    data = sample_all(handle, len(model.items))
    rb.check_valid()

    for b, item in enumerate(model.items):
        expected = {
            "first": item.row("observation", 0),
            "last": item.row("action", -1),
            "stack": item.row("observation", -1, stack),
            "rows": item.padded_rows("action", 0, length),
        }
        if length > 1:
            expected["stacks"] = item.padded_rows("observation", 1, length, stack=stack)
            expected["mask"] = item.mask(1, length)
        for name, value in expected.items():
            np.testing.assert_array_equal(data[name][b], value, err_msg=name)
        total, discount = item.n_step(0.9)
        np.testing.assert_allclose(data["return"][b], total, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(data["discount"][b], discount, rtol=1e-6)


@hypothesis.given(PATTERNS, st.integers(1, 60), st.integers(0, 2**32))
@hypothesis.settings(max_examples=30, deadline=None)
def test_a_full_table_keeps_the_newest_items(
    pattern: Any, max_size: int, seed: int
) -> None:
    rb, handle = helpers.make_replay(
        num_streams=2,
        **helpers.drained(
            pattern=pattern,
            outputs=views.Rows("action", 0, max_rows(pattern)),
            max_size=max_size,
        ),
    )
    model = oracle.Oracle(pattern, 2)
    play(rb, model, ticks=80, seed=seed, num_streams=2)
    kept = model.items[-max_size:]
    hypothesis.assume(kept)
    stats = handle.stats()
    assert (stats.size, stats.num_inserted) == (len(kept), len(model.items))
    assert stats.num_deleted == len(model.items) - len(kept)
    data = sample_all(handle, len(kept))
    for b, item in enumerate(kept):
        expected = item.padded_rows("action", 0, max_rows(pattern))
        np.testing.assert_array_equal(data[b], expected)


def episode(length: int, seed: int = 0) -> list[oracle.Row]:
    rng = np.random.default_rng(seed)
    return [helpers.make_row(rng) for _ in range(length)]


def append_episode(rb: replay.Replay, rows: list[oracle.Row]) -> None:
    for i, row in enumerate(rows):
        rb.append_one(row, first=i == 0, last=i == len(rows) - 1)


def test_n_step_transitions_are_shortened_at_both_ends_of_an_episode() -> None:
    rb, handle = helpers.make_replay(
        **helpers.drained(
            pattern=replay.NStep(n=3),
            outputs=replay.n_step_transition(helpers.STEPS, gamma=0.5),
        )
    )
    rows = episode(5)
    for row, reward in zip(rows, [0, 1, 2, 4, 8], strict=True):
        row["reward"], row["discount"] = np.float32(reward), np.float32(1)
    append_episode(rb, rows)
    spans = [(0, 1), (0, 2), (0, 3), (1, 4), (2, 4), (3, 4)]
    data = sample_all(handle, len(spans))
    assert isinstance(data, replay.Transition)
    np.testing.assert_array_equal(data.reward, [1, 2, 3, 6, 8, 8])
    np.testing.assert_array_equal(data.discount, [0.5, 0.25, 0.125, 0.125, 0.25, 0.5])
    for b, (start, stop) in enumerate(spans):
        np.testing.assert_array_equal(data.observation[b], rows[start]["observation"])
        assert data.action[b] == rows[start + 1]["action"]
        np.testing.assert_array_equal(
            data.next_observation[b], rows[stop]["observation"]
        )


def test_a_terminal_discount_stops_the_return_and_the_bootstrap() -> None:
    rb, handle = helpers.make_replay(
        **helpers.drained(
            pattern=replay.NStep(n=3),
            outputs=replay.n_step_transition(helpers.STEPS, gamma=0.5),
        )
    )
    rows = episode(3)
    for row, discount in zip(rows, [1, 0, 1], strict=True):
        row["reward"], row["discount"] = np.float32(1), np.float32(discount)
    append_episode(rb, rows)
    data = sample_all(handle, 3)
    np.testing.assert_array_equal(data.reward, [1, 1, 1])
    np.testing.assert_array_equal(data.discount, [0, 0, 0.5])


def test_a_sequence_sample_aligns_what_was_done_with_what_came_back() -> None:
    rb, handle = helpers.make_replay(
        **helpers.drained(
            pattern=replay.Sequence(length=4, period=3, end="pad"),
            outputs=replay.sequence(helpers.STEPS, length=3),
        )
    )
    rows = episode(6)
    append_episode(rb, rows)
    data = sample_all(handle, 2)
    assert isinstance(data, replay.SequenceSample)
    zero = {name: np.zeros_like(value) for name, value in rows[0].items()}
    padded = [*rows, zero, zero]
    for b, start in enumerate([0, 3]):
        for t in range(3):
            at, after = padded[start + t], padded[start + t + 1]
            np.testing.assert_array_equal(data.observation[b, t], at["observation"])
            for name in ("action", "reward", "discount"):
                assert getattr(data, name)[b, t] == after[name]
    np.testing.assert_array_equal(data.mask, [[1, 1, 1], [1, 1, 0]])


def test_stacks_never_cross_into_the_episode_before() -> None:
    rb, handle = helpers.make_replay(
        **helpers.drained(
            outputs=replay.n_step_transition(helpers.STEPS, gamma=1.0, stack=3)
        )
    )
    before, rows = episode(4, 1), episode(3, 2)
    append_episode(rb, before)
    append_episode(rb, rows)
    data = sample_all(handle, 5)
    frames = np.stack([row["observation"] for row in rows])
    np.testing.assert_array_equal(data.observation[3], frames[[0, 0, 0]])
    np.testing.assert_array_equal(data.next_observation[3], frames[[0, 0, 1]])
    np.testing.assert_array_equal(data.next_observation[4], frames[[0, 1, 2]])


def test_extras_of_a_transition_are_those_of_its_action() -> None:
    steps = {**helpers.STEPS, "extras": {"log_pi": replay.Column((), np.float64)}}
    table = helpers.make_table(
        **helpers.drained(outputs=replay.n_step_transition(steps, gamma=1.0))
    )
    rb = replay.Replay(steps, [table])
    for i, row in enumerate(episode(3)):
        row["extras"] = {"log_pi": np.float64(i / 10)}
        rb.append_one(row, first=i == 0, last=i == 2)
    data = sample_all(rb.tables["table"], 2)
    np.testing.assert_array_equal(data.extras["log_pi"], [0.1, 0.2])


def append_nested(steps: Any, outputs: Any, rows: list[Any]) -> Any:
    table = helpers.make_table(
        **helpers.drained(pattern=replay.NStep(n=3), outputs=outputs)
    )
    rb = replay.Replay(steps, [table])
    for i, row in enumerate(rows):
        rb.append_one(row, first=i == 0, last=i == len(rows) - 1)
    return rb.tables["table"].sample(rb.tables["table"].size).data


def nested_steps(*, nested_discount: bool) -> tuple[Any, list[Any]]:
    """Columns with a nest of two rewards, one of them a vector; and an episode."""
    scalar, pair = replay.Column((), np.float32), replay.Column((2,), np.float32)
    steps: dict[str, Any] = {**helpers.STEPS, "reward": {"a": scalar, "b": (pair,)}}
    if nested_discount:
        steps["discount"] = {"a": scalar, "b": (scalar,)}
    rows: list[Any] = []
    for row, d in zip(episode(4), [1.0, 0.5, 1.0, 1.0], strict=True):
        discount: Any = np.float32(d)
        if nested_discount:
            discount = {"a": discount, "b": (np.float32(1),)}
        reward = {"a": np.float32(1), "b": (np.float32([1, 2]),)}
        rows.append({**row, "reward": reward, "discount": discount})
    return steps, rows


def test_each_reward_of_a_nest_has_an_n_step_return_with_its_own_discount() -> None:
    steps, rows = nested_steps(nested_discount=True)
    data = append_nested(steps, replay.n_step_transition(steps, gamma=0.5), rows)
    # Windows of rows 0-1, 0-2, 0-3, 1-3, 2-3; the discount of row 1 halves for "a".
    np.testing.assert_allclose(data.reward["a"], [1, 1.25, 1.375, 1.5, 1])
    sums = np.float32([1, 1.5, 1.75, 1.5, 1])
    np.testing.assert_allclose(data.reward["b"][0], np.outer(sums, [1, 2]))
    np.testing.assert_allclose(data.discount["a"], [0.25, 0.125, 0.0625, 0.25, 0.5])
    np.testing.assert_allclose(data.discount["b"][0], [0.5, 0.25, 0.125, 0.25, 0.5])


def test_one_discount_serves_all_rewards_of_a_nest() -> None:
    steps, rows = nested_steps(nested_discount=False)
    data = append_nested(steps, replay.n_step_transition(steps, gamma=0.5), rows)
    sums = np.float32([1, 1.25, 1.375, 1.5, 1])
    np.testing.assert_allclose(data.reward["a"], sums)
    np.testing.assert_allclose(data.reward["b"][0], np.outer(sums, [1, 2]))
    np.testing.assert_allclose(data.discount, [0.25, 0.125, 0.0625, 0.25, 0.5])


def test_discounts_of_another_structure_than_the_rewards_are_refused() -> None:
    steps, _ = nested_steps(nested_discount=True)
    steps["reward"] = {"a": steps["reward"]["a"]}
    with pytest.raises(ValueError, match=r"discounts \['a', 'b/0'\] have another"):
        replay.n_step_transition(steps, gamma=0.5)


def test_sequences_and_unrolls_keep_nests_of_rewards_and_discounts() -> None:
    steps, rows = nested_steps(nested_discount=True)
    table = helpers.make_table(
        "s",
        **helpers.drained(
            pattern=replay.Sequence(length=4, period=3),
            outputs=replay.sequence(steps, 3),
        ),
    )
    unrolls = helpers.make_table(
        "u",
        **helpers.drained(
            pattern=replay.Sequence(length=4, period=3, end="continue"),
            outputs=replay.unroll(steps, 3),
        ),
    )
    rb = replay.Replay(steps, [table, unrolls])
    for i, row in enumerate(rows):
        rb.append_one(row, first=i == 0, last=i == 3)
    for name in ("s", "u"):
        data = rb.tables[name].sample(1).data
        np.testing.assert_array_equal(data.reward["b"][0], [[[1, 2]] * 3])
        np.testing.assert_array_equal(data.discount["a"], [[0.5, 1, 1]])


def test_without_extras_a_transition_has_an_empty_one() -> None:
    assert replay.n_step_transition(helpers.STEPS, gamma=1.0).extras == ()


def test_an_abandoned_episode_makes_no_end_items() -> None:
    rb, handle = helpers.make_replay(pattern=replay.NStep(n=3))
    rows = episode(3)
    for i, row in enumerate(rows):
        rb.append_one(row, first=i == 0, last=False)
    assert handle.size == 2
    rb.append_one(rows[0], first=True, last=False)
    assert handle.size == 2


def test_an_episode_longer_than_its_bound_is_refused_before_it_is_written() -> None:
    rb, handle = helpers.make_replay(pattern=replay.Episode(max_length=2))
    rows = episode(3)
    rb.append_one(rows[0], first=True, last=False)
    rb.append_one(rows[1], first=False, last=False)
    with pytest.raises(ValueError, match="max_length"):
        rb.append_one(rows[2], first=False, last=True)
    rb.check_valid()
    assert handle.size == 0


def test_tables_share_the_steps_they_cover() -> None:
    one = helpers.make_table("one")
    two = helpers.make_table(
        "two", pattern=replay.Sequence(length=3, period=3, end="drop")
    )
    rb = replay.Replay(helpers.STEPS, [one, two])
    append_episode(rb, episode(2000))
    shared = rb.bytes_allocated
    alone, _ = helpers.make_replay()
    append_episode(alone, episode(2000))
    assert shared == alone.bytes_allocated
    assert rb.tables["two"].size == 666


def test_memory_stays_flat_once_a_table_is_full() -> None:
    rb, _ = helpers.make_replay(max_size=100)
    for seed in range(10):
        append_episode(rb, episode(300, seed))
    allocated = rb.bytes_allocated
    for seed in range(50):
        append_episode(rb, episode(300, seed))
    assert rb.bytes_allocated == allocated
    assert rb.bytes_allocated <= rb.projected_bytes("table")
    assert rb.bytes_in_use <= rb.bytes_allocated
    rb.check_valid()


def test_created_items_hold_the_rows_they_name() -> None:
    table = helpers.make_table(
        **helpers.drained(pattern=None, outputs=views.Rows("action", 0, 3))
    )
    rb = replay.Replay(helpers.STEPS, [table], history=4)
    rows = episode(6)
    for i, row in enumerate(rows):
        rb.append_one(row, first=i == 0, last=False)
    keys = [rb.create_item("table", 3), rb.create_item("table", 2, end=-2)]
    sample = rb.tables["table"].sample(2)
    actions = [row["action"] for row in rows]
    np.testing.assert_array_equal(sample.data, [actions[3:6], [*actions[3:5], 0]])
    np.testing.assert_array_equal(sample.info.key, keys)


def test_items_cannot_be_created_of_rows_that_are_not_there() -> None:
    rb, handle = helpers.make_replay(
        sampler=replay.Prioritized(alpha=1.0), pattern=None
    )
    before, rows = episode(3, 1), episode(2, 2)
    append_episode(rb, before)
    append_episode(rb, rows)
    with pytest.raises((IndexError, ValueError)):
        rb.create_item("table", 3)  # of two episodes
    with pytest.raises(IndexError):
        rb.create_item("table", 5000)
    with pytest.raises(IndexError):
        rb.create_item("table", 1, stream=1)
    with pytest.raises(KeyError, match="nope"):
        rb.create_item("nope", 1)
    with pytest.raises(ValueError, match="priorit"):
        rb.create_item("table", 1, priority=-1.0)
    assert handle.size == 0
    rb.check_valid()
    rb.create_item("table", 1, priority=0.25)
    assert handle.sample(1).info.priority == [0.25]


def test_without_short_starts_every_step_is_drawn_as_often_as_any_other() -> None:
    starts = {}
    for short_starts in (True, False):
        rb, handle = helpers.make_replay(
            **helpers.drained(
                pattern=replay.NStep(5, short_starts=short_starts),
                outputs=views.Row("action", 0),
            )
        )
        for step in range(21):
            row = {**helpers.make_row(np.random.default_rng(0)), "action": step}
            rb.append_one(row, first=step == 0, last=step == 20)
        starts[short_starts] = np.bincount(handle.sample(handle.size).data).tolist()
    assert starts[True] == [5] + 19 * [1]  # Acme's way.
    assert starts[False] == 20 * [1]


def test_sequences_of_as_many_rows_as_steps_are_refused() -> None:
    """They would leave out each item's last step, and mask it."""
    outputs = replay.sequence(helpers.STEPS, 8)
    for nest in (outputs, {"a": (outputs,)}):
        with pytest.raises(
            ValueError, match="table 'table': .* 9 rows, .* make that 9"
        ):
            helpers.make_table(pattern=replay.Sequence(8, 8), outputs=nest)
        helpers.make_table(pattern=replay.Sequence(9, 8), outputs=nest)
