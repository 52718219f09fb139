"""What replays usually hold, as plans."""

from __future__ import annotations

from typing import Protocol

from tfagents_core import core, replay, specs, types
from tfagents_core.adders import items, rows
from tfagents_core.replay import selectors

TRANSITIONS = "transitions"
"""The name of the table that `plan_transitions` makes."""


class TransitionConfig(Protocol):
    """The fields of an agent's configuration that `plan_transitions` reads.

    `learning.TransitionConfig` has them, with their checks.
    """

    @property
    def n_step(self) -> int:
        """Environment steps from one observation to the other."""

    @property
    def discount(self) -> float:
        """Gamma, per environment step."""

    @property
    def batch_size(self) -> int:
        """Transitions in an update."""

    @property
    def samples_per_insert(self) -> float:
        """Times each transition is sampled on average."""

    @property
    def min_replay_size(self) -> int:
        """Transitions in the replay before learning begins."""

    @property
    def max_replay_size(self) -> int:
        """Transitions kept."""


def plan_transitions(
    spec: specs.EnvironmentSpec,
    config: TransitionConfig,
    *,
    sampler: selectors.Selector,
    extras_spec: types.NestedSpec = (),
    max_abs_reward: float | None = None,
) -> core.ReplayPlan:
    """One table of n-step transitions, sampled at a fixed ratio, oldest out first.

    Args:
        spec: the environments' specs.
        config: of the agent.
        sampler: chooses the transitions of a batch.
        extras_spec: `Policy.extras_spec`.
        max_abs_reward: rewards are clipped to plus or minus this; None for no limit.
    """
    table = items.n_step_table(
        TRANSITIONS,
        spec,
        n_step=config.n_step,
        discount=config.discount,
        extras_spec=extras_spec,
        sampler=sampler,
        remover=replay.Fifo(),
        max_size=config.max_replay_size,
        rate_limiter=replay.SampleToInsertRatio(
            config.samples_per_insert, config.min_replay_size
        ),
    )
    return core.ReplayPlan(
        rows=rows.row_spec(spec, extras_spec),
        tables=[table],
        batch_sizes={TRANSITIONS: config.batch_size},
        max_abs_reward=max_abs_reward,
    )
