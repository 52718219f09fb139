"""Unrolls: consecutive steps of a stream over the ends of its episodes, none padded."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from tfagents_core import replay

from . import helpers

views = replay.views

STEPS = {
    **helpers.STEPS,
    "extras": {
        "core_state": replay.Column((2,), np.float32),
        "log_pi": replay.Column((), np.float32),
    },
}
GOLDEN = pathlib.Path(__file__).parent / "golden" / "replay-2"


@dataclasses.dataclass
class Step:
    """A row, and the rows of its episode up to it, itself included."""

    episode: list[Any]

    @property
    def row(self) -> Any:
        return self.episode[-1]

    def observation(self, stack: int | None) -> np.ndarray:
        return _stacked(self.episode[:-1], stack)

    def next_observation(self, stack: int | None) -> np.ndarray:
        return _stacked(self.episode, stack)


def _stacked(rows: list[Any], stack: int | None) -> np.ndarray:
    if stack is None:
        return rows[-1]["observation"]
    padded = [rows[0]] * stack + rows
    return np.stack([row["observation"] for row in padded[-stack:]])


class Oracle:
    """Every step of K streams, and the unrolls that they make, oldest first."""

    def __init__(self, length: int, period: int, num_streams: int) -> None:
        self.steps: list[list[Step]] = [[] for _ in range(num_streams)]
        self.unrolls: list[list[Step]] = []
        self._length, self._period = length, period
        self._episodes: list[list[Any]] = [[] for _ in range(num_streams)]

    def append(self, row: Any, *, first: bool, stream: int) -> None:
        if first:
            self._episodes[stream] = [row]
            return
        self._episodes[stream].append(row)
        steps = self.steps[stream]
        steps.append(Step(list(self._episodes[stream])))
        start = len(steps) - self._length
        if start >= 0 and start % self._period == 0:
            self.unrolls.append(steps[start:])


class Player:
    """Appends the same random rows to a replay and to an oracle.

    Args:
      rb: the replay.
      model: the oracle.
      mean_steps: of an episode; 1: all are of one step.
      seed: of rows and episodes.
    """

    def __init__(
        self, rb: replay.Replay, model: Oracle, *, mean_steps: float, seed: int
    ) -> None:
        self.rb, self._model = rb, model
        self._mean_steps = mean_steps
        self._rng = np.random.default_rng(seed)
        self._counts = np.full(rb.num_streams, -1)  # Steps so far; -1: no episode.
        self._number = 0

    def tick(self, share: float = 1.0, abandon: float = 0.0) -> None:
        """A row to each stream, or a `share` of them; some episodes are `abandon`ed."""
        rng = self._rng
        some = np.flatnonzero(rng.random(len(self._counts)) < share)
        if not some.size:
            return
        rng.shuffle(some)
        counts = self._counts[some]
        # An episode is never abandoned before its first step.
        first = (counts < 0) | ((counts > 0) & (rng.random(some.size) < abandon))
        last = ~first & (rng.random(some.size) < 1 / self._mean_steps)
        rows = [self._make_row(terminal=bool(end)) for end in last]
        for row, stream, begins in zip(rows, some, first, strict=True):
            self._model.append(row, first=bool(begins), stream=stream)
        batch = {
            "extras": {k: np.stack([row["extras"][k] for row in rows]) for k in EXTRAS},
            **{k: np.stack([row[k] for row in rows]) for k in helpers.STEPS},
        }
        self.rb.append(batch, first, last=last, streams=some)
        self._counts[some] = np.where(last, -1, np.where(first, 0, counts + 1))

    def _make_row(self, *, terminal: bool) -> Any:
        row: dict[str, Any] = dict(helpers.make_row(self._rng))
        row["discount"] = np.float32(self._rng.choice([0, 1]) if terminal else 1)
        self._number += 1
        row["action"] = np.int32(self._number)
        row["extras"] = {
            "core_state": self._rng.normal(size=2).astype(np.float32),
            "log_pi": np.float32(self._rng.normal()),
        }
        return row


EXTRAS = ("core_state", "log_pi")


def make_table(
    length: int, *, period: int | None = None, stack: int | None = None, **options: Any
) -> replay.Table:
    """A table from which each unroll is drawn once, oldest first."""
    return helpers.make_table(
        "unrolls",
        **helpers.drained(
            pattern=replay.Sequence(
                length=length + 1, period=period or length, end="continue"
            ),
            outputs=replay.unroll(STEPS, length, stack=stack, core_state="core_state"),
            **options,
        ),
    )


def check(data: replay.Unroll, expected: list[list[Step]], stack: int | None) -> None:
    """That a batch `[B, T, ...]` is those unrolls."""
    assert isinstance(data, replay.Unroll)
    assert data.observation.shape[:2] == (len(expected), len(expected[0]))
    for b, unroll in enumerate(expected):
        rows = [step.row for step in unroll]
        observations = [step.observation(stack) for step in unroll]
        following = [step.next_observation(stack) for step in unroll]
        np.testing.assert_array_equal(data.observation[b], observations)
        np.testing.assert_array_equal(data.next_observation[b], following)
        for name in ("action", "reward", "discount"):
            np.testing.assert_array_equal(
                getattr(data, name)[b], [row[name] for row in rows]
            )
        begins = [len(step.episode) == 2 for step in unroll]
        np.testing.assert_array_equal(data.is_first[b], begins)
        np.testing.assert_array_equal(
            data.extras["log_pi"][b], [row["extras"]["log_pi"] for row in rows]
        )
        np.testing.assert_array_equal(
            data.core_state[b], rows[0]["extras"]["core_state"]
        )


def with_batch_first(data: replay.Unroll) -> replay.Unroll:
    """A time-major sample as a batch-major one."""
    extras = {name: value.swapaxes(0, 1) for name, value in data.extras.items()}
    swapped = {
        name: getattr(data, name).swapaxes(0, 1)
        for name in data._fields
        if name not in ("extras", "core_state")
    }
    return data._replace(extras=extras, **swapped)


@hypothesis.given(
    length=st.integers(1, 7),
    period=st.integers(1, 9),
    num_streams=st.integers(1, 4),
    stack=st.sampled_from([None, 1, 3]),
    mean_steps=st.sampled_from([1.0, 1.5, 4.0, 30.0]),
    segment_rows=st.sampled_from([0, 1, 2, 8]),
    time_major=st.booleans(),
    seed=st.integers(0, 2**32),
)
@hypothesis.settings(max_examples=100, deadline=None)
def test_unrolls_are_the_steps_that_the_model_says(
    length: int,
    period: int,
    num_streams: int,
    stack: int | None,
    mean_steps: float,
    segment_rows: int,
    time_major: bool,
    seed: int,
) -> None:
    table = make_table(length, period=period, stack=stack, time_major=time_major)
    rb = replay.Replay(
        STEPS, [table], num_streams=num_streams, segment_rows=segment_rows
    )
    model = Oracle(length, period, num_streams)
    player = Player(rb, model, mean_steps=mean_steps, seed=seed)
    for _ in range(60):
        player.tick(share=0.8, abandon=0.05)
    rb.check_valid()
    handle = rb.tables["unrolls"]
    assert handle.size == len(model.unrolls)
    hypothesis.assume(model.unrolls)
    data = handle.sample(len(model.unrolls)).data
    check(with_batch_first(data) if time_major else data, model.unrolls, stack)


def test_eight_streams_give_eight_unrolls_of_128_steps_all_of_them_real() -> None:
    table = replay.Table.queue(
        "unrolls",
        pattern=replay.Sequence(length=129, period=128, end="continue"),
        outputs=replay.unroll(STEPS, 128, core_state="core_state"),
        max_size=8,
    )
    rb = replay.Replay(STEPS, [table], num_streams=8)
    model = Oracle(128, 128, 8)
    player = Player(rb, model, mean_steps=30, seed=0)
    handle = rb.tables["unrolls"]
    drawn = 0
    seen: list[int] = []
    while drawn < 24:
        player.tick()
        if handle.size < 8:
            continue
        data = handle.sample(8).data
        check(data, model.unrolls[drawn : drawn + 8], None)
        seen += data.action.ravel().tolist()
        drawn += 8
        assert data.is_first.sum() > 8  # Unrolls do run over episode ends.
    assert len(set(seen)) == len(seen) == 24 * 128
    # Numbers of rows, which only rows that begin an episode do not give to a step.
    steps = [[step.row["action"] for step in steps] for steps in model.steps]
    whole = [actions[: len(actions) // 128 * 128] for actions in steps]
    assert sorted(seen) == sorted(np.concatenate(whole).tolist())


def test_truncated_and_terminal_ends_differ_in_the_discount_alone() -> None:
    rb = replay.Replay(helpers.STEPS, [_plain_table(4)])
    # Two episodes of two steps; the first is truncated, the second terminal.
    for number, (first, last, discount) in enumerate(
        [(True, False, 1), (False, False, 1), (False, True, 1)]
        + [(True, False, 1), (False, False, 1), (False, True, 0)]
    ):
        row = {
            "observation": np.full(2, number, np.float32),
            "action": np.int32(number),
            "reward": np.float32(number),
            "discount": np.float32(discount),
        }
        rb.append_one(row, first, last=last)
    data = rb.tables["unrolls"].sample(1).data
    np.testing.assert_array_equal(data.observation[0, :, 0], [0, 1, 3, 4])
    np.testing.assert_array_equal(data.next_observation[0, :, 0], [1, 2, 4, 5])
    np.testing.assert_array_equal(data.action, [[1, 2, 4, 5]])
    np.testing.assert_array_equal(data.discount, [[1, 1, 1, 0]])
    np.testing.assert_array_equal(data.is_first, [[True, False, True, False]])
    assert data.is_first.dtype == bool
    assert (data.extras, data.core_state) == ((), ())


def _plain_table(length: int, **options: Any) -> replay.Table:
    return helpers.make_table(
        "unrolls",
        **helpers.drained(
            pattern=replay.Sequence(length + 1, length, "continue"),
            outputs=replay.unroll(helpers.STEPS, length),
            **options,
        ),
    )


@helpers.compressed
def test_unrolls_of_compressed_columns_are_those_of_plain_ones() -> None:
    data = []
    for compression in (None, "lz4"):
        frame = replay.Column((20, 20), np.uint8, compression=compression)
        steps = {**helpers.STEPS, "observation": frame}
        table = helpers.make_table(
            "unrolls",
            **helpers.drained(
                pattern=replay.Sequence(length=9, period=8, end="continue"),
                outputs=replay.unroll(steps, 8, stack=3),
            ),
        )
        rb = replay.Replay(steps, [table], segment_rows=16)
        rng = np.random.default_rng(0)
        begins = True
        for number in range(500):
            row = {**helpers.make_row(rng), "observation": np.full((20, 20), number)}
            row["observation"] = row["observation"].astype(np.uint8)
            last = not begins and bool(rng.random() < 0.2)
            rb.append_one(row, begins, last=last)
            begins = last
        rb.wait_until_compressed()
        rb.check_valid()
        data.append(rb.tables["unrolls"].sample(rb.tables["unrolls"].size).data)
    for plain, compressed in zip(data[0][:-2], data[1][:-2], strict=True):
        np.testing.assert_array_equal(plain, compressed)


@hypothesis.given(ticks=st.integers(0, 60), seed=st.integers(0, 2**32))
@hypothesis.settings(max_examples=25, deadline=None)
def test_a_save_in_the_middle_of_an_unroll_makes_the_same_later_ones(
    tmp_path_factory: pytest.TempPathFactory, ticks: int, seed: int
) -> None:
    def make() -> replay.Replay:
        return replay.Replay(STEPS, [make_table(6)], num_streams=3, segment_rows=4)

    path = tmp_path_factory.mktemp("checkpoints") / "replay-1"
    saved, restored = make(), make()
    model = Oracle(6, 6, 3)
    player = Player(saved, model, mean_steps=4, seed=seed)
    for _ in range(ticks):
        player.tick(abandon=0.1)
    saved.save(path)
    restored.restore(path)
    player.rb = restored
    for _ in range(40):
        player.tick(abandon=0.1)
    restored.check_valid()
    handle = restored.tables["unrolls"]
    assert handle.size == len(model.unrolls)
    check(handle.sample(handle.size).data, model.unrolls, None)


def golden_replay() -> replay.Replay:
    """What `golden/replay-2` is of, after 41 ticks of the player of `golden_player`."""
    return replay.Replay(STEPS, [make_table(6)], num_streams=3, segment_rows=8)


def golden_player(rb: replay.Replay) -> tuple[Player, Oracle]:
    model = Oracle(6, 6, 3)
    return Player(rb, model, mean_steps=4, seed=2), model


def test_the_golden_checkpoint_of_version_2_goes_on_in_the_middle_of_unrolls() -> None:
    expected = json.loads((GOLDEN.parent / "replay-2.json").read_text())
    rb = golden_replay()
    rb.restore(GOLDEN)
    rb.check_valid()
    handle = rb.tables["unrolls"]
    assert handle.size == expected["size"]
    rng = np.random.default_rng(3)
    # Stream 0 has an open episode, and lacks some steps of its next unroll.
    for _ in range(expected["steps_to_the_next"]):
        assert handle.size == expected["size"]
        row = {**helpers.make_row(rng), "extras": _extras(0.0)}
        rb.append_one(row)
    assert handle.size == expected["size"] + 1
    data = handle.sample(handle.size).data
    assert data.action[:-1].tolist() == expected["actions"]
    assert (
        data.action[-1].tolist()[: -expected["steps_to_the_next"]]
        == (expected["open_actions"])
    )


def _extras(value: float) -> dict[str, Any]:
    return {"core_state": np.full(2, value, np.float32), "log_pi": np.float32(value)}


def test_a_budget_in_bytes_lets_the_oldest_unrolls_go() -> None:
    rb = replay.Replay(
        STEPS, [make_table(6)], num_streams=3, segment_rows=8, max_bytes=15_000
    )
    model = Oracle(6, 6, 3)
    player = Player(rb, model, mean_steps=2, seed=0)
    for _ in range(400):
        player.tick()
    rb.check_valid()
    assert rb.bytes_allocated <= 15_000
    handle = rb.tables["unrolls"]
    size = handle.size
    assert 3 < size < len(model.unrolls)
    check(handle.sample(size).data, model.unrolls[-size:], None)


def test_a_full_table_of_unrolls_keeps_within_its_projected_bytes() -> None:
    rb = replay.Replay(STEPS, [make_table(16, max_size=100)], num_streams=2)
    player = Player(rb, Oracle(16, 16, 2), mean_steps=1e9, seed=0)
    for _ in range(2000):
        player.tick()
    assert rb.tables["unrolls"].size == 100
    assert rb.bytes_in_use <= rb.projected_bytes("unrolls")


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (views.Row("reward", 0), "Row is no output of unrolls"),
        (views.Rows("reward", 0, 4), "Rows is no output of unrolls"),
        (views.Mask(0, 4), "Mask is no output of unrolls"),
        (views.NStepReturn("reward", "discount", 1.0), "NStepReturn is no output"),
        (views.NStepDiscount("discount", 1.0), "NStepDiscount is no output"),
        (views.Steps("reward", 0, 5), "unrolls of 4 steps end with step 3"),
        (views.Step("reward", 4), "unrolls of 4 steps end with step 3"),
        (views.IsFirst(2, 2), "is empty"),
        (views.Step("reward", -1), "steps count from 0"),
    ],
)
def test_outputs_that_unrolls_cannot_have_are_refused(
    output: Any, message: str
) -> None:
    table = dataclasses.replace(_plain_table(4), outputs=output)
    with pytest.raises(ValueError, match=f"table 'unrolls': .*{message}"):
        replay.Replay(helpers.STEPS, [table])


def test_steps_are_before_or_at_nothing_else() -> None:
    table = dataclasses.replace(
        _plain_table(4), outputs=views.Steps("reward", 0, 4, which="after")
    )
    with pytest.raises(ValueError, match="which is 'after'; it must be 'before' or"):
        replay.Replay(helpers.STEPS, [table])


def test_a_pattern_that_continues_needs_a_step() -> None:
    with pytest.raises(ValueError, match="length is 1; with end='continue'"):
        replay.Sequence(length=1, period=1, end="continue")
    with pytest.raises(ValueError, match="'pad', 'drop' or 'continue'"):
        replay.Sequence(length=2, period=1, end="stop")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="length is 0"):
        replay.unroll(STEPS, 0)


def test_views_of_steps_show_ordinary_sequences_padded_with_zeros() -> None:
    outputs = {
        "before": views.Steps("action", 0, 4, which="before"),
        "at": views.Steps("action", 1, 4),
        "last": views.Step("action", 3),
        "is_first": views.IsFirst(0, 4),
    }
    rb, handle = helpers.make_replay(
        **helpers.drained(pattern=replay.Sequence(5, 4), outputs=outputs)
    )
    for number in range(8):
        row = {**helpers.make_row(np.random.default_rng(0)), "action": number + 10}
        rb.append_one(row, number == 0, last=number == 7)
    data = handle.sample(2).data
    np.testing.assert_array_equal(data["before"], [[10, 11, 12, 13], [14, 15, 16, 0]])
    np.testing.assert_array_equal(data["at"], [[12, 13, 14], [16, 17, 0]])
    np.testing.assert_array_equal(data["last"], [14, 0])
    np.testing.assert_array_equal(
        data["is_first"], [[True, False, False, False], [False] * 4]
    )


def test_the_core_state_may_lie_deep_in_the_extras() -> None:
    state = replay.Column((3,), np.float32)
    log_pi = replay.Column((), np.float32)
    nested = {"core": {"lstm": (state, state), "other": log_pi}, "log_pi": log_pi}
    outputs = replay.unroll(
        {**helpers.STEPS, "extras": nested}, 4, core_state=("core", "lstm")
    )
    assert set(outputs.extras) == {"core", "log_pi"}
    assert set(outputs.extras["core"]) == {"other"}
    assert outputs.core_state == views.Step(("extras", "core", "lstm"), 0)
    in_tuple = replay.unroll(
        {**helpers.STEPS, "extras": (state, log_pi)}, 4, core_state=0
    )
    assert in_tuple.extras == ((), views.Steps(("extras", 1), 0, 4))
    alone = replay.unroll({**helpers.STEPS, "extras": {"s": state}}, 4, core_state="s")
    assert alone.extras == ()
    with pytest.raises(ValueError, match="no column 'extras/lstm'"):
        replay.unroll({**helpers.STEPS, "extras": nested}, 4, core_state="lstm")
    with pytest.raises(ValueError, match="no column 'extras/lstm'"):
        replay.unroll(helpers.STEPS, 4, core_state="lstm")
