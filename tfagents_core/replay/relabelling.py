"""Hindsight experience replay (Andrychowicz et al. 2017), strategy "future".

A step towards a goal that was missed is a step towards whatever was achieved later in
its episode: with that in the goal's place, its reward is computed anew. The replay
stores what happened; goals are replaced in what was drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import tree

from tfagents_core.replay import outputs

ComputeReward = Callable[[Any, Any, dict[str, Any]], npt.ArrayLike]


def hindsight(
    sequences: outputs.SequenceSample,
    compute_reward: ComputeReward,
    rng: np.random.Generator,
    *,
    share: float = 0.8,
    gamma: float = 0.99,
) -> outputs.Transition:
    """One transition of each sequence, most of them towards a goal achieved later.

    Of each sequence a step t is drawn uniformly, and in a share of them the goal is what
    was achieved at a later one, drawn uniformly from t + 1 to the sequence's end.

    A sequence has no observation after its last index, so it should be longer than an
    episode: `replay.sequences(..., length=max_steps + 1)` makes one item of each. Of
    longer episodes, goals are from the same sequence only.

    Args:
        sequences: `[B, T, ...]`, T >= 2. Their observations are dicts as in
            Gymnasium-Robotics, with "achieved_goal" and "desired_goal".
        compute_reward: of achieved goals `[B, ...]`, desired ones and an empty dict,
            rewards `[B]`: such as `env.unwrapped.compute_reward`.
        rng: what is drawn is drawn from it.
        share: of goals that are replaced, in [0, 1]; 0.8 are the paper's four for each
            that is not.
        gamma: discount per step, in [0, 1].

    Returns:
        A `Transition`, `[B, ...]`, of one step each. Its discount is gamma times the
        stored one: reaching a goal does not end an episode.

    Raises:
        ValueError: when an argument is out of its range, or observations have no goals.
    """
    _check(sequences, share)
    num_sequences, length = sequences.mask.shape
    # Steps whose next observation is there too.
    num_steps = np.minimum(sequences.mask.sum(axis=1), length - 1).astype(np.int64)
    each = np.arange(num_sequences)
    t = rng.integers(num_steps)  # [B]
    later = rng.integers(t + 1, num_steps, endpoint=True)  # [B]
    replaced = rng.random(num_sequences) < share
    observation, following = (
        tree.map_structure(lambda leaf, at=at: leaf[each, at], sequences.observation)
        for at in (t, t + 1)
    )
    goal = tree.map_structure(
        lambda achieved, desired: np.where(
            replaced.reshape(-1, *[1] * (desired.ndim - 1)),
            achieved[each, later],
            desired,
        ),
        sequences.observation["achieved_goal"],
        observation["desired_goal"],
    )
    reward = compute_reward(following["achieved_goal"], goal, {})
    return outputs.Transition(
        observation={**observation, "desired_goal": goal},
        action=tree.map_structure(lambda leaf: leaf[each, t], sequences.action),
        reward=np.asarray(reward, sequences.reward.dtype),
        discount=gamma * sequences.discount[each, t],
        next_observation={**following, "desired_goal": goal},
        extras=tree.map_structure(lambda leaf: leaf[each, t], sequences.extras),
    )


def _check(sequences: outputs.SequenceSample, share: float) -> None:
    if not 0 <= share <= 1:
        raise ValueError(f"share is {share}; it must be in [0, 1]")
    observation = sequences.observation
    names = set(observation) if isinstance(observation, Mapping) else set()
    if not {"achieved_goal", "desired_goal"} <= names:
        raise ValueError(
            "observations must be dicts with 'achieved_goal' and 'desired_goal', but "
            f"have {sorted(names)}"
        )
    if sequences.mask.shape[1] < 2:
        raise ValueError("sequences must be longer than one step")
