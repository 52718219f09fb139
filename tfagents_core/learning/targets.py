"""Target networks."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf


def update_periodically(
    targets: Sequence[tf.Variable],
    sources: Sequence[tf.Variable],
    *,
    num_steps: tf.Tensor,
    period: int,
) -> None:
    """Copies `sources` into `targets` when `period` divides the updates taken.

    Args:
        targets: variables of the target networks.
        sources: variables of the online networks, in the same order.
        num_steps: `[]` int64, updates taken before this one.
        period: updates from one copy to the next. Mnih et al. 2015, Algorithm 1.
    """
    if tf.equal(num_steps % period, 0):
        for target, source in zip(targets, sources, strict=True):
            target.assign(source)


def update_softly(
    targets: Sequence[tf.Variable], sources: Sequence[tf.Variable], *, tau: float
) -> None:
    """Moves `targets` towards `sources`: `target <- (1 - tau) target + tau source`.

    Polyak averaging of the online networks; Lillicrap et al. 2016, Algorithm 1.

    Args:
        targets: variables of the target networks.
        sources: variables of the online networks, in the same order.
        tau: step size per update, in [0, 1]; 1 copies.
    """
    for target, source in zip(targets, sources, strict=True):
        target.assign_add(tau * (source - target))
