"""Aggregate scores over runs, with bootstrap confidence intervals.

Agarwal et al. 2021, Deep Reinforcement Learning at the Edge of the Statistical
Precipice, https://arxiv.org/abs/2108.13264: the interquartile mean (Section 4.3) and
stratified bootstrap intervals (Section 4.1), whose strata are the tasks. The authors'
package, rliable, computes the same values; see tests/plotting.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

NUM_RESAMPLES = 2_000
_CONFIDENCE = 0.95
_MAX_FIGURES_AT_ONCE = 4_000_000  # Scores in a batch of resamples: 32 MB.


class Estimate(NamedTuple):
    """A statistic of many runs at N points.

    Attributes:
        value: float64 `[N]`.
        lower: float64 `[N]`, lower end of the 95% confidence interval; NaN if each task
            has one run only, from which no variance can be estimated.
        upper: float64 `[N]`, upper end; NaN likewise.
    """

    value: np.ndarray
    lower: np.ndarray
    upper: np.ndarray


def _mean(scores: np.ndarray, axis: int) -> Any:
    return scores.mean(axis=axis)


def _iqm(scores: np.ndarray, axis: int) -> Any:
    return _scipy_stats().trim_mean(scores, 0.25, axis=axis)


# Functions of the scores and the axis of the runs, by name.
STATISTICS: Mapping[str, Callable[[np.ndarray, int], Any]] = {
    "mean": _mean,
    "iqm": _iqm,
}


def estimate(strata: Sequence[np.ndarray], statistic: str) -> Estimate:
    """A statistic over all runs of all tasks, with a 95% percentile bootstrap interval.

    The bootstrap is stratified: each resample draws S runs of each task with
    replacement. Its generator is seeded, so the same scores always yield the same
    interval.

    Args:
        strata: for each task the scores of its S runs, `[S, N]`; S is the same for all.
        statistic: `"mean"`, or `"iqm"`, the interquartile mean: the mean after the
            lowest and the highest quarter of the scores, rounded down, are discarded.
            For fewer than four scores it is the mean.

    Raises:
        ValueError: tasks differ in the number of runs, so runs would be weighted
            unequally.
        ImportError: SciPy is not installed.
    """
    if len({len(scores) for scores in strata}) != 1:
        numbers = ", ".join(str(len(scores)) for scores in strata)
        raise ValueError(f"Tasks must have equally many runs, not {numbers}.")
    compute = STATISTICS[statistic]
    value = np.asarray(compute(np.concatenate(strata), 0), np.float64)  # [N]
    if len(strata[0]) == 1:
        unknown = np.full(value.shape, np.nan)
        return Estimate(value, unknown, unknown)

    def of_resamples(*resampled: np.ndarray, axis: int) -> Any:
        return compute(np.concatenate(resampled, axis=axis), axis)

    num_figures = sum(scores.size for scores in strata)
    interval = (
        _scipy_stats()
        .bootstrap(
            strata,
            of_resamples,
            axis=0,
            n_resamples=NUM_RESAMPLES,
            batch=max(1, min(NUM_RESAMPLES, _MAX_FIGURES_AT_ONCE // num_figures)),
            vectorized=True,
            confidence_level=_CONFIDENCE,
            method="percentile",
            rng=np.random.default_rng(0),
        )
        .confidence_interval
    )
    return Estimate(value, np.asarray(interval.low), np.asarray(interval.high))


def _scipy_stats() -> Any:
    try:
        from scipy import stats
    except ModuleNotFoundError as error:
        raise ImportError(
            "Intervals and interquartile means need 'scipy', which is not installed: "
            "pip install 'tfagents-core[plots]'."
        ) from error
    return stats
