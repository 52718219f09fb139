"""Seeds for the parts of a run, all from the run's one seed."""

from __future__ import annotations

import zlib

import numpy as np


def derive(seed: int, purpose: str, index: int = 0) -> int:
    """The seed of one part of a run.

    Different purposes or indices give unrelated seeds, and a part's seed does not
    depend on which other parts there are.

    Args:
        seed: the run's seed, not negative.
        purpose: what the seed is for, such as `"environment"`.
        index: tells parts of the same purpose apart.

    Returns:
        An integer in `[0, 2**31)`.
    """
    entropy = [seed, zlib.crc32(purpose.encode()), index]
    return int(np.random.SeedSequence(entropy).generate_state(1)[0] >> 1)
