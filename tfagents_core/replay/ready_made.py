"""Replays that are ready for use, with one table: of transitions, or of sequences.

buffer = replay.transitions(
    env.observation_space, env.action_space, max_size=100_000, prioritized=0.6
)
buffer.add(observation, action, reward, next_observation, terminated, truncated)
info, batch = buffer.sample(256, beta=0.4)
buffer.update_priorities(info.key, abs(td_error))
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tfagents_core.replay import (
    columns,
    env_rows,
    outputs,
    patterns,
    rate_limiters,
    selectors,
    tables,
    views,
)
from tfagents_core.replay.env_replay import EnvReplay


def transitions(
    observation: Any,
    action: Any,
    *,
    max_size: int,
    n_step: int = 1,
    gamma: float = 0.99,
    prioritized: bool | float = False,
    num_envs: int | None = None,
    autoreset: object = None,
    extras: Any = (),
    stack: outputs.Stack = None,
    seed: int = 0,
    max_bytes: int | None = None,
) -> EnvReplay:
    """A replay of n-step transitions; samples have a `replay.Transition` as data.

    Every step begins exactly one transition, of n steps, or of fewer where the episode
    ends before: `NStep(n_step, short_starts=False)`.

    Args:
        observation: a Gymnasium space, a dm_env spec, a `Column`, an example array, or
            a nest of them: of one environment, without a leading axis.
        action: likewise.
        max_size: most transitions; beyond it the oldest go.
        n_step: steps of a transition, >= 1.
        gamma: discount per step, in [0, 1].
        prioritized: the exponent alpha of `P(i) ~ p_i^alpha`; True: 0.6; False: uniform.
        num_envs: K: `add` takes arrays `[K, ...]` of K environments. None: one, and
            arrays without a leading axis.
        autoreset: what the environments do at the end of an episode: "disabled",
            "same_step" or "next_step", or Gymnasium's own
            `envs.metadata["autoreset_mode"]`; see `EnvReplay.add`. None: "disabled".
        extras: additional columns, such as log-probabilities, that `add` takes.
        stack: frames per observation: the environment gives single frames, which are
            stored once and stacked when they are drawn, as a new first axis.
        seed: of the draws.
        max_bytes: bound on the steps' memory, as in `Replay`; None: `max_size` alone.

    Raises:
        ValueError: when something does not fit.
    """
    steps = _steps(observation, action, extras)
    table = _table(
        patterns.NStep(n_step, short_starts=False),
        outputs.n_step_transition(steps, gamma, stack=stack),
        max_size,
        prioritized,
    )
    return EnvReplay(
        steps,
        table,
        num_envs=num_envs,
        autoreset=autoreset,
        seed=seed,
        max_bytes=max_bytes,
    )


def sequences(
    observation: Any,
    action: Any,
    *,
    length: int,
    max_size: int,
    period: int | None = None,
    prioritized: bool | float = False,
    num_envs: int | None = None,
    autoreset: object = None,
    extras: Any = (),
    core_state: columns.Path | None = None,
    stack: outputs.Stack = None,
    time_major: bool = False,
    seed: int = 0,
    max_bytes: int | None = None,
) -> EnvReplay:
    """A replay of sequences of T steps; samples have a `replay.SequenceSample` as data.

    A sequence is of one episode. Where the episode ends before, it is padded with
    zeros, and its `mask` is 0 there.

    Args:
        observation: as in `transitions`.
        action: as in `transitions`.
        length: T >= 1, in steps.
        max_size: most sequences; beyond it the oldest go.
        period: steps between the starts of an episode's sequences, in [1, T]; None: T,
            so that every step is in exactly one. With less they overlap: burn in on the steps
            that were in the sequence before.
        prioritized: as in `transitions`.
        num_envs: as in `transitions`.
        autoreset: as in `transitions`.
        extras: additional columns, such as a recurrent core's state, that `add` takes.
        core_state: which of `extras` is the core's state before the action, by name or
            path: samples have that of their first step only, as `core_state`.
        stack: as in `transitions`.
        time_major: whether arrays are `[T, B, ...]` instead of `[B, T, ...]`.
        seed: as in `transitions`.
        max_bytes: as in `transitions`.

    Raises:
        ValueError: when something does not fit.
    """
    period = length if period is None else period
    if not 1 <= period <= length:
        raise ValueError(
            f"period is {period}; it must be in [1, length = {length}]: more would leave "
            "steps out"
        )
    steps = _steps(observation, action, extras)
    data = outputs.sequence(steps, length, stack=stack, core_state=core_state)
    table = _table(
        patterns.Sequence(length + 1, period),
        data._replace(is_first=views.IsFirst(0, length)),
        max_size,
        prioritized,
        time_major=time_major,
    )
    return EnvReplay(
        steps,
        table,
        num_envs=num_envs,
        autoreset=autoreset,
        seed=seed,
        max_bytes=max_bytes,
    )


def _steps(observation: Any, action: Any, extras: Any) -> dict[str, columns.Nest]:
    steps = {
        "observation": env_rows.to_nest(observation),
        "action": env_rows.to_nest(action),
        "reward": columns.Column((), np.float32),
        "discount": columns.Column((), np.float32),
        "extras": env_rows.to_nest(extras),
    }
    converted: dict[str, columns.Nest] = columns.to_columns(steps)
    return converted


def _table(
    pattern: patterns.Pattern,
    data: columns.Nest,
    max_size: int,
    prioritized: bool | float,
    **options: Any,
) -> tables.Table:
    sampler: selectors.Selector = selectors.Uniform()
    if prioritized is not False:
        alpha = 0.6 if prioritized is True else float(prioritized)
        sampler = selectors.Prioritized(alpha=alpha)
    return tables.Table(
        "experience",
        pattern=pattern,
        outputs=data,
        sampler=sampler,
        max_size=max_size,
        rate_limiter=rate_limiters.MinSize(1),
        **options,
    )
