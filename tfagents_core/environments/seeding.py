"""A seed for each episode, so that any episode can be replayed from its number.

Every environment of this package begins episode `n` (counted from 0) of a run with
seed `s` by reseeding itself from `episode_seed(s, n)`. An episode is then a pure
function of `(s, n, actions)`: a run can resume in the middle of an episode without a
saved simulator state.
"""

from __future__ import annotations

import numpy as np

_MAX_SEED = 2**31 - 1


def check_seed(seed: int) -> None:
    """Raises `ValueError` if `seed` is negative."""
    if seed < 0:
        raise ValueError(f"An environment's seed is an integer >= 0, not {seed}.")


def episode_seed(seed: int, episode_number: int) -> int:
    """The seed of one episode of a run.

    Args:
        seed: the run's seed, >= 0.
        episode_number: which episode, counted from 0.

    Returns:
        An integer in `[1, 2**31 - 1]`: it fits into the signed 32 bits that every suite
        takes, and is never 0, which the Arcade Learning Environment takes to mean "use
        the clock".

    Raises:
        ValueError: if either argument is negative.
    """
    check_seed(seed)
    if episode_number < 0:
        raise ValueError(f"Episodes are counted from 0, not from {episode_number}.")
    sequence = np.random.SeedSequence(seed, spawn_key=(episode_number,))
    return int(sequence.generate_state(1)[0]) % _MAX_SEED + 1
