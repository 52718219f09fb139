"""Hindsight: goals are replaced by what the same episode achieved later."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tfagents_core import replay

NUMBER = replay.Column((1,), np.float32)
SPACE = {"observation": NUMBER, "achieved_goal": NUMBER, "desired_goal": NUMBER}


def reward(achieved: np.ndarray, desired: np.ndarray, info: dict[str, Any]) -> Any:
    """0 at the goal, and -1 elsewhere."""
    assert info == {}
    return -(achieved != desired).astype(np.float64)[:, 0]


def observe(at: float) -> dict[str, np.ndarray]:
    """At a place whose achieved goal is 100 more; the goal is never reached."""
    values = {"observation": at, "achieved_goal": 100 + at, "desired_goal": -1}
    return {name: np.full(1, value, np.float32) for name, value in values.items()}


def draw(num_sequences: int, **options: Any) -> replay.Transition:
    """Of two episodes: 0 to 4, which ends in a terminal state, and 10 to 12."""
    buffer = replay.sequences(
        SPACE, replay.Column((), np.int64), length=5, max_size=10, seed=1
    )
    for first, last in ((0, 4), (10, 12)):
        for at in range(first, last):
            ends = at == last - 1
            buffer.add(observe(at), at, -1, observe(at + 1), ends and last == 4, ends)
    assert len(buffer) == 2
    rng = np.random.default_rng(0)
    return replay.hindsight(buffer.sample(num_sequences).data, reward, rng, **options)


def test_goals_are_those_achieved_later_in_the_episode() -> None:
    batch = draw(5_000, share=1.0, gamma=0.5)
    at, goal = batch.observation["observation"][:, 0], batch.observation["desired_goal"]
    pairs, counts = np.unique(
        np.stack([at, goal[:, 0] - 100]), axis=1, return_counts=True
    )
    expected = {
        **{(t, later): 1 / 8 / (4 - t) for t in range(4) for later in range(t + 1, 5)},
        (10, 11): 1 / 8,
        (10, 12): 1 / 8,
        (11, 12): 1 / 4,
    }
    found = dict(zip(map(tuple, pairs.T.tolist()), counts / 5_000))
    assert found == pytest.approx(expected, abs=0.02)
    np.testing.assert_array_equal(batch.next_observation["desired_goal"], goal)
    np.testing.assert_array_equal(batch.next_observation["observation"][:, 0], at + 1)
    np.testing.assert_array_equal(batch.action, at)
    reached = goal[:, 0] == at + 101
    np.testing.assert_array_equal(batch.reward, np.where(reached, 0, -1))
    np.testing.assert_array_equal(batch.discount, np.where(at == 3, 0, 0.5))
    assert batch.reward.dtype == batch.discount.dtype == np.float32


def test_a_share_of_the_goals_is_replaced() -> None:
    goal = draw(5_000).observation["desired_goal"]
    assert (goal != -1).mean() == pytest.approx(0.8, abs=0.02)
    assert (draw(100, share=0.0).observation["desired_goal"] == -1).all()


def test_what_cannot_be_relabelled_says_why() -> None:
    buffer = replay.sequences(NUMBER, NUMBER, length=2, max_size=10)
    zero = np.zeros(1, np.float32)
    buffer.add(zero, zero, 0, zero, True)
    with pytest.raises(ValueError, match="'achieved_goal'"):
        replay.hindsight(buffer.sample(1).data, reward, np.random.default_rng(0))
    with pytest.raises(ValueError, match="share is 2"):
        draw(1, share=2)
