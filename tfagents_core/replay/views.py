"""Views: which rows of an item a sampled batch has, and in which form.

A row is one time step: its observation, the action that led to it, and the reward and
discount received with it. An item is a window of rows 0..m of one episode. A view names
a column by its path (a string, an int, or a tuple of them; the path of an inner node
means every column below it) and selects rows. B is the batch size, `shape` the shape of
the column.

An unroll (`Sequence(..., end="continue")`) has rows of several episodes. Its views go
by steps: a step is a row that does not begin an episode, together with the row before
it. `Step`, `Steps` and `IsFirst` skip the rows that are no step, and are the only ones
that unrolls can have. Other items can have them too; zeros past the item's end.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Literal

import tree

from tfagents_core.replay import _core, columns


def _check_stack(stack: int | None) -> int:
    if stack is not None and stack < 1:
        raise ValueError(f"stack is {stack}; it must be >= 1, or None for no stack")
    return stack or 0


def _only_column(indices: columns.Nest, path: columns.Path) -> int:
    index: int = columns.select(indices, path)
    if tree.is_nested(index):
        raise ValueError(
            f"'{columns.path_name(path)}' is a nest; name one of its columns"
        )
    return index


def _each_column(
    indices: columns.Nest, path: columns.Path, make: Callable[[int], _core.View]
) -> columns.Nest:
    return tree.map_structure(make, columns.select(indices, path))


@dataclasses.dataclass(frozen=True)
class Row:
    """One row: `[B, *shape]`, or `[B, stack, *shape]` with a stack.

    Attributes:
        path: the column.
        index: row of the item; negative indices count from its end. Zeros where the
            item has no such row.
        stack: returns the `stack` rows that end with this one, oldest first. Rows
            before the item are used; before the start of the episode, its first row is
            repeated.
    """

    path: columns.Path
    index: int
    stack: int | None = None

    def compile(self, indices: columns.Nest) -> columns.Nest:
        """The view of each column under `path`; `indices`: the steps' column numbers."""
        stack = _check_stack(self.stack)
        return _each_column(
            indices,
            self.path,
            lambda column: _core.View(
                kind=_core.ViewKind.ROW, column=column, start=self.index, stack=stack
            ),
        )


@dataclasses.dataclass(frozen=True)
class Rows:
    """Rows `start..stop-1`: `[B, T, *shape]`, or `[B, T, stack, *shape]`.

    Attributes:
        path: the column.
        start: first row of the item, >= 0.
        stop: row after the last, > start; T = stop - start. Rows past the item's end
            are zeros.
        stack: as in `Row`, for each of the rows.
    """

    path: columns.Path
    start: int
    stop: int
    stack: int | None = None

    def compile(self, indices: columns.Nest) -> columns.Nest:
        """The view of each column under `path`; `indices`: the steps' column numbers."""
        stack = _check_stack(self.stack)
        return _each_column(
            indices,
            self.path,
            lambda column: _core.View(
                kind=_core.ViewKind.ROWS,
                column=column,
                start=self.start,
                stop=self.stop,
                stack=stack,
            ),
        )


@dataclasses.dataclass(frozen=True)
class NStepReturn:
    """`sum_{i=1..m} gamma^(i-1) (prod_{j=1..i-1} d_j) r_i`: `[B, *shape of reward]`.

    m is the item's last row, so an item of m + 1 rows gives an m-step return. Summed
    in double; the output has the reward's dtype.

    Attributes:
        reward: path of the rewards r, float32 or float64.
        discount: path of the discounts d, of the rewards' shape or a scalar.
        gamma: in [0, 1].
    """

    reward: columns.Path
    discount: columns.Path
    gamma: float

    def compile(self, indices: columns.Nest) -> columns.Nest:
        """The view; `indices`: the steps' column numbers."""
        return _core.View(
            kind=_core.ViewKind.RETURN,
            column=_only_column(indices, self.reward),
            discount=_only_column(indices, self.discount),
            gamma=self.gamma,
        )


@dataclasses.dataclass(frozen=True)
class NStepDiscount:
    """`gamma^m prod_{i=1..m} d_i`: `[B, *shape of discount]`.

    The factor of the value of the item's last row: 0 after a terminal state.

    Attributes:
        discount: path of the discounts d, float32 or float64.
        gamma: in [0, 1].
    """

    discount: columns.Path
    gamma: float

    def compile(self, indices: columns.Nest) -> columns.Nest:
        """The view; `indices`: the steps' column numbers."""
        return _core.View(
            kind=_core.ViewKind.DISCOUNT,
            discount=_only_column(indices, self.discount),
            gamma=self.gamma,
        )


@dataclasses.dataclass(frozen=True)
class Mask:
    """1 where the item has rows `start..stop-1`, else 0: float32 `[B, stop - start]`.

    Attributes:
        start: first row, >= 0.
        stop: row after the last, > start.
    """

    start: int
    stop: int

    def compile(self, indices: columns.Nest) -> columns.Nest:
        """The view; `indices` is not needed."""
        del indices
        return _core.View(kind=_core.ViewKind.MASK, start=self.start, stop=self.stop)


Which = Literal["before", "at"]


@dataclasses.dataclass(frozen=True)
class Step:
    """One row of one step: `[B, *shape]`, or `[B, stack, *shape]` with a stack.

    Attributes:
        path: the column.
        index: step of the item, >= 0.
        which: the row "at" the step (its action, reward and discount, and the
            observation that it led to) or the row "before" it (the observation that it
            starts from).
        stack: as in `Row`; the episode is that of the row.
    """

    path: columns.Path
    index: int
    which: Which = "at"
    stack: int | None = None

    def compile(self, indices: columns.Nest) -> columns.Nest:
        """The view of each column under `path`; `indices`: the steps' column numbers."""
        before, stack = _is_before(self.which), _check_stack(self.stack)
        return _each_column(
            indices,
            self.path,
            lambda column: _core.View(
                kind=_core.ViewKind.STEP,
                column=column,
                start=self.index,
                stack=stack,
                before=before,
            ),
        )


@dataclasses.dataclass(frozen=True)
class Steps:
    """Rows of steps `start..stop-1`: `[B, T, *shape]`, or `[B, T, stack, *shape]`.

    Attributes:
        path: the column.
        start: first step of the item, >= 0.
        stop: step after the last, > start; T = stop - start.
        which: of each step, as in `Step`. At the end of an episode, the row "at" its
            last step has the episode's last observation; the row "before" the next step
            has the first observation of the next episode.
        stack: as in `Row`, for each of the rows; the episode is that of the row.
    """

    path: columns.Path
    start: int
    stop: int
    which: Which = "at"
    stack: int | None = None

    def compile(self, indices: columns.Nest) -> columns.Nest:
        """The view of each column under `path`; `indices`: the steps' column numbers."""
        before, stack = _is_before(self.which), _check_stack(self.stack)
        return _each_column(
            indices,
            self.path,
            lambda column: _core.View(
                kind=_core.ViewKind.STEPS,
                column=column,
                start=self.start,
                stop=self.stop,
                stack=stack,
                before=before,
            ),
        )


@dataclasses.dataclass(frozen=True)
class IsFirst:
    """Whether the row before each of steps `start..stop-1` begins an episode.

    Bool `[B, stop - start]`; False past the item's end. A recurrent core resets its
    state there.

    Attributes:
        start: first step, >= 0.
        stop: step after the last, > start.
    """

    start: int
    stop: int

    def compile(self, indices: columns.Nest) -> columns.Nest:
        """The view; `indices` is not needed."""
        del indices
        return _core.View(
            kind=_core.ViewKind.IS_FIRST, start=self.start, stop=self.stop
        )


def _is_before(which: Which) -> bool:
    if which not in ("before", "at"):
        raise ValueError(f"which is {which!r}; it must be 'before' or 'at'")
    return which == "before"


View = Row | Rows | NStepReturn | NStepDiscount | Mask | Step | Steps | IsFirst


def number_columns(steps: columns.Nest) -> columns.Nest:
    """`steps` with each column replaced by its number."""
    return tree.unflatten_as(steps, list(range(len(tree.flatten(steps)))))


def compile_outputs(outputs: columns.Nest, steps: columns.Nest) -> columns.Nest:
    """A nest of views over `steps` as the nest of flat views that the core gathers.

    Raises:
        TypeError: naming a leaf that is no view.
        ValueError: naming a path that is no column.
    """
    indices = number_columns(steps)

    def compile_one(path: tuple[object, ...], view: object) -> columns.Nest:
        if not isinstance(view, View):
            raise TypeError(
                f"output '{columns.path_name(path)}' is {view!r}; it must be a view, "
                "such as replay.views.Row(path, index)"
            )
        return view.compile(indices)

    return tree.map_structure_with_path(compile_one, outputs)
