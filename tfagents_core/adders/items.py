"""Tables that cut rows into the items an agent learns from.

Each function gives a `replay.Table` whose pattern and outputs fit the rows that
`adders.RowAdder` appends; frames stored once come out stacked again.
"""

from __future__ import annotations

from typing import Any

import tree

from tfagents_core import replay, specs, types
from tfagents_core.adders import rows


def n_step_table(
    name: str,
    spec: specs.EnvironmentSpec,
    *,
    n_step: int,
    discount: float,
    extras_spec: types.NestedSpec = (),
    **table_arguments: Any,
) -> replay.Table:
    """A table of n-step transitions, shortened at both ends of an episode.

    A sample's data is a `replay.Transition`: the observation, the action taken there,
    the discounted sum of up to `n_step` rewards, the factor of the next value
    (gamma^n times the environment's discounts), and the observation n steps later.

    Args:
        name: the table's name.
        spec: the environments' specs.
        n_step: environment steps from one observation to the other.
        discount: gamma, per environment step.
        extras_spec: additional policy outputs that the rows hold.
        **table_arguments: `replay.Table`'s sampler, remover, max_size and the rest.
    """
    outputs = replay.n_step_transition(
        rows.row_spec(spec, extras_spec),
        discount,
        stack=frame_stacks(spec.observations),
    )
    return replay.Table(
        name, pattern=replay.NStep(n_step), outputs=outputs, **table_arguments
    )


def sequence_table(
    name: str,
    spec: specs.EnvironmentSpec,
    *,
    length: int,
    period: int,
    extras_spec: types.NestedSpec = (),
    **table_arguments: Any,
) -> replay.Table:
    """A table of overlapping sequences, the last of an episode padded with zeros.

    A sample's data is a `replay.SequenceSample` with time as its second axis.

    Args:
        name: the table's name.
        spec: the environments' specs.
        length: environment steps in a sequence.
        period: environment steps from the start of one sequence to the next one's.
        extras_spec: additional policy outputs that the rows hold.
        **table_arguments: `replay.Table`'s sampler, remover, max_size and the rest.
    """
    outputs = replay.sequence(
        rows.row_spec(spec, extras_spec), length, stack=frame_stacks(spec.observations)
    )
    pattern = replay.Sequence(length=length + 1, period=period)
    return replay.Table(name, pattern=pattern, outputs=outputs, **table_arguments)


def unroll_table(
    name: str,
    spec: specs.EnvironmentSpec,
    *,
    length: int,
    period: int | None = None,
    extras_spec: types.NestedSpec = (),
    core_state: str | tuple[Any, ...] | None = None,
    **table_arguments: Any,
) -> replay.Table:
    """A table of unrolls: consecutive steps of an environment, over episode ends.

    A sample's data is a `replay.Unroll` with time as its second axis. Every step of an
    unroll is real, none is padding, and `is_first` says where episodes begin.

    Args:
        name: the table's name.
        spec: the environments' specs.
        length: environment steps in an unroll.
        period: environment steps from the start of one unroll to the next one's; None:
            `length`, so that each step is in exactly one.
        extras_spec: specs of the additional policy outputs in the adder's rows.
        core_state: path within the extras of the recurrent core's state, of which an
            unroll has only its first step's; None: there is none.
        **table_arguments: `replay.Table`'s sampler, remover, max_size and the rest.
    """
    outputs = replay.unroll(
        rows.row_spec(spec, extras_spec),
        length,
        stack=frame_stacks(spec.observations),
        core_state=core_state,
    )
    pattern = replay.Sequence(
        length=length + 1,
        period=length if period is None else period,
        end="continue",
    )
    return replay.Table(name, pattern=pattern, outputs=outputs, **table_arguments)


def episode_table(
    name: str,
    spec: specs.EnvironmentSpec,
    *,
    max_length: int,
    extras_spec: types.NestedSpec = (),
    **table_arguments: Any,
) -> replay.Table:
    """A table of whole episodes, padded with zeros to `max_length` steps.

    A sample's data is a `replay.SequenceSample` with time as its second axis.

    Args:
        name: the table's name.
        spec: the environments' specs.
        max_length: most environment steps an episode may have; a longer one is
            refused when its row is appended.
        extras_spec: additional policy outputs that the rows hold.
        **table_arguments: `replay.Table`'s sampler, remover, max_size and the rest.
    """
    outputs = replay.sequence(
        rows.row_spec(spec, extras_spec),
        max_length,
        stack=frame_stacks(spec.observations),
    )
    pattern = replay.Episode(max_length=max_length + 1)
    return replay.Table(name, pattern=pattern, outputs=outputs, **table_arguments)


def frame_stacks(observation_spec: types.NestedSpec) -> Any:
    """How many frames the replay has to stack, as its `stack` arguments want it.

    Returns:
        None where no observation is a stack; else a mapping from the paths of the
        stacked columns, as in `adders.Row`, to their numbers of frames.
    """
    stacks = {
        ("observation", *path): leaf.num_frames
        for path, leaf in tree.flatten_with_path(observation_spec)
        if isinstance(leaf, specs.StackedArray)
    }
    return stacks or None
