"""What many runs amount to, and how sure one can be of it.

Agarwal et al. 2021, Deep Reinforcement Learning at the Edge of the Statistical
Precipice, https://arxiv.org/abs/2108.13264: the interquartile mean (Section 4.3) and
stratified bootstrap intervals (Section 4.1), whose strata are the tasks. The authors'
package, rliable, gives the same figures; see tests/plotting.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

NUM_RESAMPLES = 2_000
_CONFIDENCE = 0.95
_MAX_FIGURES_AT_ONCE = 4_000_000  # Of one batch of resamples: 32 MB.


class Estimate(NamedTuple):
    """A statistic of many runs at N points.

    Attributes:
        value: float64 `[N]`.
        lower: float64 `[N]`, the lower end of its 95% interval; NaN where there is one
            run of each task, which says nothing of others.
        upper: float64 `[N]`, the upper end.
    """

    value: np.ndarray
    lower: np.ndarray
    upper: np.ndarray


def _mean(scores: np.ndarray, axis: int) -> Any:
    return scores.mean(axis=axis)


def _iqm(scores: np.ndarray, axis: int) -> Any:
    return _scipy_stats().trim_mean(scores, 0.25, axis=axis)


# By name; each a function of scores and the axis along which the runs are.
STATISTICS: Mapping[str, Callable[[np.ndarray, int], Any]] = {
    "mean": _mean,
    "iqm": _iqm,
}


def estimate(strata: Sequence[np.ndarray], statistic: str) -> Estimate:
    """A statistic of all runs of all tasks, with a 95% percentile bootstrap interval.

    Each resample draws, from each task's runs, as many as it has, with replacement. The
    same scores always give the same interval.

    Args:
        strata: for each task the scores of its S runs, `[S, N]`, S the same for all.
        statistic: `"mean"`, or `"iqm"`, the interquartile mean: that of the runs left
            when the lowest and the highest quarter, rounded down, are taken away. With
            fewer than four scores that is the mean.

    Raises:
        ValueError: tasks differ in the number of runs, which would then not count
            alike.
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
