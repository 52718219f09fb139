"""Target networks."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf


def update_periodically(
    targets: Sequence[tf.Variable],
    sources: Sequence[tf.Variable],
    *,
    num_learner_steps: tf.Tensor,
    period: int,
) -> None:
    """Copies `sources` into `targets` when `period` divides the steps taken.

    Args:
        targets: variables of the target networks.
        sources: variables of the online networks, in the same order.
        num_learner_steps: `[]` int64, SGD steps taken before this one.
        period: SGD steps from one copy to the next. Mnih et al. 2015, Algorithm 1.
    """
    if tf.equal(num_learner_steps % period, 0):
        for target, source in zip(targets, sources, strict=True):
            target.assign(source)
