"""The usual outputs of a table: n-step transitions, sequences and unrolls.

All expect `steps` to have the entries "observation", "action", "reward" and
"discount" (keys of a dict or fields of a NamedTuple), and use "extras" when there.
Each entry may be a nest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import tree

from tfagents_core.replay import columns, patterns, views

Stack = int | Mapping[columns.Path, int] | None
_LeafPath = tuple[Any, ...]


class Transition(NamedTuple):
    """A batch of n-step transitions; leading axis B.

    Attributes:
        observation: `o_t`, `[B, ...]`.
        action: taken at `o_t`, `[B, ...]`.
        reward: n-step return `sum_{i=1..m} gamma^(i-1) (prod_{j<i} d_j) r_i`.
        discount: `gamma^m prod_{i=1..m} d_i`, by which the value of `next_observation`
            is multiplied.
        next_observation: `o_{t+m}`; m <= n is smaller at an episode's ends.
        extras: additional policy outputs at `o_t`, or `()`.
    """

    observation: Any
    action: Any
    reward: Any
    discount: Any
    next_observation: Any
    extras: Any = ()


class SequenceSample(NamedTuple):
    """A batch of sequences; leading axes B, T.

    Index t holds an observation, the action taken there, and what the environment
    returned for it:

    Attributes:
        observation: `o_t`, rows 0..T-1 of the item, `[B, T, ...]`.
        action: taken at `o_t`, rows 1..T, `[B, T, ...]`.
        reward: received for it, rows 1..T, `[B, T, ...]`.
        discount: received with it, rows 1..T, `[B, T, ...]`.
        extras: additional policy outputs at `o_t`, rows 1..T, or `()`.
        mask: 1 where row t+1 exists, so that step t is real; elsewhere 0, and action,
            reward, discount and extras are zeros. float32 `[B, T]`. When the episode
            ends within the item, its last observation is at the first index where the
            mask is 0.
        is_first: whether `o_t` begins an episode, bool `[B, T]`; `()` in the outputs of
            `sequence`, for only an item's first observation can.
        core_state: the recurrent core's state recorded at `o_0`, `[B, ...]`, or `()`.
    """

    observation: Any
    action: Any
    reward: Any
    discount: Any
    extras: Any
    mask: Any
    is_first: Any = ()
    core_state: Any = ()


class Unroll(NamedTuple):
    """A batch of unrolls; leading axes B, T.

    Index t is one step of a stream. All are real steps: an unroll runs over the ends of
    episodes, and is never padded.

    Attributes:
        observation: `o_t`, `[B, T, ...]`.
        action: taken at `o_t`, `[B, T, ...]`.
        reward: received for it, `[B, T, ...]`.
        discount: received with it, `[B, T, ...]`; 0 when the step ends its episode in a
            terminal state.
        next_observation: the observation that the step led to, `[B, T, ...]`. At the
            end of an episode it is the episode's last observation, so truncated
            episodes can be bootstrapped from it; elsewhere it is `o_{t+1}`.
        is_first: whether `o_t` begins an episode, bool `[B, T]`.
        extras: additional policy outputs at `o_t`, `[B, T, ...]`, or `()`.
        core_state: the recurrent core's state recorded at `o_0`, `[B, ...]`, or `()`.
    """

    observation: Any
    action: Any
    reward: Any
    discount: Any
    next_observation: Any
    is_first: Any
    extras: Any = ()
    core_state: Any = ()


def n_step_transition(
    steps: columns.Nest, gamma: float, *, stack: Stack = None
) -> Transition:
    """Outputs for items of the `NStep` pattern.

    When rewards are a nest, each gets its own n-step return. It is computed with the
    discount at the same path when discounts have the rewards' structure, and otherwise
    with the only discount.

    Args:
        steps: the replay's steps: anything with shapes and dtypes.
        gamma: discount per step, in [0, 1].
        stack: frames per observation: one number for all of it, or one per column path
            (`{("observation", "pixels"): 4}`). The stack is a new first axis.

    Returns:
        A `Transition` of views.

    Raises:
        ValueError: when an entry of `steps`, or a path in `stack`, is missing, or there
            are several discounts whose structure is not that of the rewards.
    """
    _check_names(steps)
    return Transition(
        observation=_observation(steps, stack, lambda p, k: views.Row(p, 0, k)),
        action=views.Row("action", 1),
        reward=_n_step_returns(steps, gamma),
        discount=_map_paths(
            steps, "discount", lambda path: views.NStepDiscount(path, gamma)
        ),
        next_observation=_observation(steps, stack, lambda p, k: views.Row(p, -1, k)),
        extras=views.Row("extras", 1) if _has_extras(steps) else (),
    )


def sequence(
    steps: columns.Nest,
    length: int,
    *,
    stack: Stack = None,
    core_state: columns.Path | None = None,
) -> SequenceSample:
    """Outputs for items of the pattern `Sequence(length=length + 1, period=...)`.

    An item of `length + 1` rows has `length` steps: row 0 has only the observation that
    the first step starts from. So with `period=length`, consecutive items share one row
    and no step.

    Args:
        steps: the replay's steps: anything with shapes and dtypes.
        length: T >= 1, in steps.
        stack: frames per observation, as in `n_step_transition`.
        core_state: as in `unroll`.

    Returns:
        A `SequenceSample` of views; see there for the alignment.

    Raises:
        ValueError: when length < 1, or an entry of `steps`, a path in `stack` or
            `core_state` is missing.
    """
    if length < 1:
        raise ValueError(f"length is {length}; it must be >= 1")
    _check_names(steps)
    extras, recorded = _split_extras(steps, core_state)
    return SequenceSample(
        observation=_observation(
            steps, stack, lambda p, k: views.Rows(p, 0, length, k)
        ),
        action=views.Rows("action", 1, length + 1),
        reward=views.Rows("reward", 1, length + 1),
        discount=views.Rows("discount", 1, length + 1),
        extras=_map_paths(
            {"extras": extras}, "extras", lambda path: views.Rows(path, 1, length + 1)
        ),
        mask=views.Mask(1, length + 1),
        core_state=() if recorded is None else views.Row(recorded, 1),
    )


def unroll(
    steps: columns.Nest,
    length: int,
    *,
    stack: Stack = None,
    core_state: columns.Path | None = None,
) -> Unroll:
    """Outputs for `Sequence(length=length + 1, period=length, end="continue")`.

    Args:
        steps: the replay's steps: anything with shapes and dtypes.
        length: T >= 1, in steps.
        stack: frames per observation, as in `n_step_transition`.
        core_state: path within "extras" of the recurrent core's state, such as
            "core_state". Only that of the first step comes out, as `core_state`, and it
            is left out of `extras`. None: there is none.

    Returns:
        An `Unroll` of views; see there for the alignment.

    Raises:
        ValueError: when length < 1, or an entry of `steps`, a path in `stack` or
            `core_state` is missing.
    """
    if length < 1:
        raise ValueError(f"length is {length}; it must be >= 1")
    _check_names(steps)

    def at(path: columns.Path) -> views.Steps:
        return views.Steps(path, 0, length)

    extras, recorded = _split_extras(steps, core_state)
    return Unroll(
        observation=_observation(
            steps, stack, lambda p, k: views.Steps(p, 0, length, "before", k)
        ),
        action=at("action"),
        reward=at("reward"),
        discount=at("discount"),
        next_observation=_observation(
            steps, stack, lambda p, k: views.Steps(p, 0, length, "at", k)
        ),
        is_first=views.IsFirst(0, length),
        extras=_map_paths({"extras": extras}, "extras", at),
        core_state=() if recorded is None else views.Step(recorded, 0),
    )


def check_pattern(outputs: columns.Nest, pattern: patterns.Pattern | None) -> None:
    """Checks that items of `pattern` are long enough for the outputs of `sequence`.

    Raises:
        ValueError: saying which length would do; the last steps would be masked.
    """
    if not isinstance(pattern, patterns.Sequence):
        return
    if not isinstance(outputs, SequenceSample):
        for child in columns.children(outputs):
            check_pattern(child, pattern)
    elif isinstance(outputs.mask, views.Mask) and pattern.length < outputs.mask.stop:
        rows = outputs.mask.stop
        raise ValueError(
            f"sequence(steps, {rows - 1}) needs items of {rows} rows, as {rows - 1} "
            f"steps have the observation before them too, but the pattern is "
            f"Sequence(length={pattern.length}); make that {rows}"
        )


def _split_extras(
    steps: columns.Nest, core_state: columns.Path | None
) -> tuple[columns.Nest, _LeafPath | None]:
    """The extras without the core's state, `()` when nothing is left; and its path."""
    extras = columns.select(steps, "extras") if _has_extras(steps) else ()
    if core_state is None:
        return extras, None
    path = columns.as_path(core_state)
    columns.select({"extras": extras}, ("extras", *path))  # ValueError without it.
    others = _without(extras, path)
    return others if _leaves(others) else (), ("extras", *path)


def _without(nest: columns.Nest, path: _LeafPath) -> columns.Nest:
    """`nest` without its part at `path`; in a tuple, `()` takes the part's place."""
    key, *rest = path
    if isinstance(nest, Mapping):
        others = {name: child for name, child in nest.items() if name != key}
        return {**others, key: _without(nest[key], tuple(rest))} if rest else others
    names = getattr(nest, "_fields", range(len(nest)))
    children = [
        child if name != key else _without(child, tuple(rest)) if rest else ()
        for name, child in zip(names, nest, strict=True)
    ]
    return type(nest)(*children) if hasattr(nest, "_fields") else type(nest)(children)


def _n_step_returns(steps: columns.Nest, gamma: float) -> columns.Nest:
    reward, discount = (columns.select(steps, name) for name in ("reward", "discount"))
    discounts, rewards = _leaves(discount), _leaves(reward)
    if len(discounts) != 1 and discounts != rewards:
        raise ValueError(
            f"the discounts {_names(discounts)} have another structure than the rewards "
            f"{_names(rewards)}; give one discount for each reward, or one for all"
        )

    def make(path: _LeafPath) -> views.View:
        of_reward = path[1:] if discounts == rewards else discounts[0]
        return views.NStepReturn(path, ("discount", *of_reward), gamma)

    return _map_paths(steps, "reward", make)


def _leaves(nest: columns.Nest) -> list[_LeafPath]:
    return [path for path, _ in tree.flatten_with_path(nest)]


def _names(paths: list[_LeafPath]) -> list[str]:
    return [columns.path_name(path) for path in paths]


def _map_paths(
    steps: columns.Nest, name: str, make: Callable[[_LeafPath], views.View]
) -> columns.Nest:
    """The nest `steps[name]` with what `make` makes of each leaf's path in `steps`."""
    return tree.map_structure_with_path(
        lambda path, _: make((name, *path)), columns.select(steps, name)
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
