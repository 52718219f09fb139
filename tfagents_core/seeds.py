"""Seeds for the parts of a run, all derived from the run's seed."""

from __future__ import annotations

import zlib

import numpy as np


def derive(seed: int, purpose: str, index: int = 0) -> int:
    """Derives the seed of one part of a run.

    Different purposes or indices yield statistically independent seeds, and a part's
    seed does not depend on which other parts exist.

    Args:
        seed: the run's seed, >= 0.
        purpose: name of the part, such as `"environment"`.
        index: distinguishes parts with the same purpose, >= 0.

    Returns:
        An integer in `[0, 2**31)`.
    """
    # CRC-32 and not `hash`, which differs between processes.
    entropy = [seed, zlib.crc32(purpose.encode()), index]
    return int(np.random.SeedSequence(entropy).generate_state(1)[0] >> 1)
