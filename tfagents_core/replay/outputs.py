"""The usual outputs of a table: n-step transitions and sequences.

Both expect `steps` to have the entries "observation", "action", "reward" and
"discount" (keys of a dict or fields of a NamedTuple), and use "extras" when there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import tree

from tfagents_core.replay import columns, views

Stack = int | Mapping[columns.Path, int] | None


class Transition(NamedTuple):
    """A batch of n-step transitions; leading axis B.

    Attributes:
      observation: `o_t`, `[B, ...]`.
      action: what was done at `o_t`, `[B, ...]`.
      reward: n-step return `sum_{i=1..m} gamma^(i-1) (prod_{j<i} d_j) r_i`.
      discount: `gamma^m prod_{i=1..m} d_i`, what the value of `next_observation`
        counts for.
      next_observation: `o_{t+m}`; m <= n is smaller at an episode's ends.
      extras: what the policy recorded at `o_t`, or `()`.
    """

    observation: Any
    action: Any
    reward: Any
    discount: Any
    next_observation: Any
    extras: Any = ()


class SequenceSample(NamedTuple):
    """A batch of sequences; leading axes B, T.

    Index t holds the observation, what was done at it, and what came back:

    Attributes:
      observation: `o_t`, rows 0..T-1 of the item, `[B, T, ...]`.
      action: done at `o_t`, rows 1..T, `[B, T, ...]`.
      reward: that followed, rows 1..T, `[B, T, ...]`.
      discount: that came with it, rows 1..T, `[B, T, ...]`.
      extras: what the policy recorded at `o_t`, rows 1..T, or `()`.
      mask: 1 where row t+1 exists, so that everything at t is real; else 0, and
        zeros in action, reward, discount and extras. float32 `[B, T]`. The last
        observation of an episode that ends within the item stands where the mask
        is 0 for the first time.
    """

    observation: Any
    action: Any
    reward: Any
    discount: Any
    extras: Any
    mask: Any


def n_step_transition(
    steps: columns.Nest, gamma: float, *, stack: Stack = None
) -> Transition:
    """Outputs for items of the `NStep` pattern.

    Args:
      steps: the replay's steps: anything with shapes and dtypes.
      gamma: discount per step, in [0, 1].
      stack: frames per observation: one number for all of it, or one per column
        path (`{("observation", "pixels"): 4}`). The stack is a new first axis.

    Returns:
      A `Transition` of views.

    Raises:
      ValueError: when an entry of `steps`, or a path in `stack`, is missing.
    """
    _check_names(steps)
    return Transition(
        observation=_observation(steps, stack, lambda p, k: views.Row(p, 0, k)),
        action=views.Row("action", 1),
        reward=views.NStepReturn("reward", "discount", gamma),
        discount=views.NStepDiscount("discount", gamma),
        next_observation=_observation(steps, stack, lambda p, k: views.Row(p, -1, k)),
        extras=views.Row("extras", 1) if _has_extras(steps) else (),
    )


def sequence(
    steps: columns.Nest, length: int, *, stack: Stack = None
) -> SequenceSample:
    """Outputs for items of the pattern `Sequence(length=length + 1, period=...)`.

    An item of `length + 1` rows has `length` observations with what was done at
    them and what came back; its last row only completes the one before. So with
    `period=length` consecutive items share one row and no step twice.

    Args:
      steps: the replay's steps: anything with shapes and dtypes.
      length: T >= 1, in steps.
      stack: frames per observation, as in `n_step_transition`.

    Returns:
      A `SequenceSample` of views; see there for the alignment.

    Raises:
      ValueError: when length < 1, or an entry of `steps` or a path in `stack` is
        missing.
    """
    if length < 1:
        raise ValueError(f"length is {length}; it must be >= 1")
    _check_names(steps)
    return SequenceSample(
        observation=_observation(
            steps, stack, lambda p, k: views.Rows(p, 0, length, k)
        ),
        action=views.Rows("action", 1, length + 1),
        reward=views.Rows("reward", 1, length + 1),
        discount=views.Rows("discount", 1, length + 1),
        extras=views.Rows("extras", 1, length + 1) if _has_extras(steps) else (),
        mask=views.Mask(1, length + 1),
    )


def _check_names(steps: columns.Nest) -> None:
    for name in ("observation", "action", "reward", "discount"):
        columns.select(steps, name)


def _has_extras(steps: columns.Nest) -> bool:
    try:
        extras = columns.select(steps, "extras")
    except ValueError:
        return False
    return len(tree.flatten(extras)) > 0


def _observation(
    steps: columns.Nest,
    stack: Stack,
    make: Callable[[columns.Path, int | None], views.View],
) -> columns.Nest:
    """A view of each observation column, with the stack that it should have."""
    if not isinstance(stack, Mapping):
        return make("observation", stack)
    stacks = {columns.as_path(path): frames for path, frames in stack.items()}
    for path in stacks:
        columns.select(steps, path)
        if path[0] != "observation":
            raise ValueError(f"stack names {path}, which is no part of the observation")

    def make_leaf(path: tuple[Any, ...], leaf: object) -> views.View:
        del leaf
        full = ("observation", *path)
        prefixes = [full[:n] for n in range(len(full), 0, -1)]
        return make(full, next((stacks[p] for p in prefixes if p in stacks), None))

    observation = columns.to_columns(columns.select(steps, "observation"))
    return tree.map_structure_with_path(make_leaf, observation)
