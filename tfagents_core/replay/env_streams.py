"""What environments give in every step, as the rows of a replay's streams.

An environment's episode of n steps is n + 1 rows: the first has its first observation,
the others what each step led to. So `observation` is stored when an episode begins, and
otherwise compared with the `next_observation` before it.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import tree

from tfagents_core.replay import columns, env_rows
from tfagents_core.replay.buffer import Replay

_Bytes = npt.NDArray[np.uint8]
_Flags = npt.NDArray[np.bool_]

# Elements of an observation that are compared: enough to tell frames apart, and so few
# that comparing them costs next to nothing.
_NUM_COMPARED = 64
# So many episodes that begin with what the one before ended with are no chance.
_NUM_ALIKE = 3


class OneStream:
    """One environment, whose arrays have no leading axis.

    Args:
        replay: of one stream.
        resets_next: whether the call after an episode's end resets the environment.
    """

    def __init__(self, replay: Replay, *, resets_next: bool) -> None:
        self._append = replay.append_one
        self._blank = env_rows.blank_row(replay.steps)
        self._print = _make_print(replay.steps["observation"])
        self._beginnings = _Beginnings()
        self._resets_next = resets_next
        self._came_to = b""
        self.begin_anew()

    def begin_anew(self) -> None:
        """Lets the next step begin an episode."""
        self._open = self._ended = False

    def begin_anew_first(self) -> None:
        """Lets the first environment's next step begin an episode."""
        self.begin_anew()

    def add(
        self,
        observation: columns.Nest,
        row: dict[str, Any],
        reward: Any,
        terminated: Any,
        truncated: Any,
    ) -> None:
        """Appends a step; `row`: its next observation, action and extras."""
        came_from, led_to = self._print(observation), self._print(row["observation"])
        moved = came_from != self._came_to
        if self._open and moved:
            raise ValueError(_GOES_ON_ELSEWHERE.format("the environment"))
        if self._ended and self._resets_next:
            if moved:
                raise ValueError(_RESETS_OTHERWISE.format("the environment"))
            self._ended = False  # This call was the reset.
            return
        if self._ended:
            self._beginnings.count(1, alike=not moved, stacklevel=4)
        terminal = bool(terminated)
        ends = terminal or bool(truncated)
        if not self._open:
            self._append({**self._blank, "observation": observation}, True)
        row = {**row, "reward": float(reward), "discount": 0.0 if terminal else 1.0}
        self._append(row, last=ends)
        # Only now: if that failed, the next step begins the episode anew.
        self._open, self._ended, self._came_to = not ends, ends, led_to


class ManyStreams:
    """K environments, whose arrays are `[K, ...]`.

    Args:
        replay: of K streams.
        resets_next: whether the call after an episode's end resets an environment.
    """

    def __init__(self, replay: Replay, *, resets_next: bool) -> None:
        self._append = replay.append
        self._flatten = columns.make_flatten(replay.steps)
        self._unflatten = columns.make_unflatten(replay.steps)
        self._k = replay.num_streams
        self._blank = tree.map_structure(
            lambda value: np.broadcast_to(value, (self._k, *value.shape)).copy(),
            env_rows.blank_row(replay.steps),
        )
        self._print = _make_prints(replay.steps["observation"], self._k)
        self._beginnings = _Beginnings()
        self._resets_next = resets_next
        self._came_to: _Bytes | None = None
        self.begin_anew()

    def begin_anew(self) -> None:
        """Lets every environment's next step begin an episode."""
        self._open, self._ended = np.zeros((2, self._k), bool)

    def begin_anew_first(self) -> None:
        """Lets the first environment's next step begin an episode."""
        self._open[0] = self._ended[0] = False

    def add(
        self,
        observation: columns.Nest,
        row: dict[str, Any],
        reward: Any,
        terminated: Any,
        truncated: Any,
    ) -> None:
        """Appends a step of each; `row`: next observations, actions and extras."""
        came_from, led_to = self._print(observation), self._print(row["observation"])
        if self._came_to is not None:
            self._check((came_from != self._came_to).any(axis=1))
        terminal = to_flags("terminated", terminated, self._k)
        ends = terminal | to_flags("truncated", truncated, self._k)
        steps = ~self._ended if self._resets_next else np.ones(self._k, bool)
        begins = steps & ~self._open
        if begins.any():
            self._append_some({**self._blank, "observation": observation}, begins, True)
        reward = np.asarray(reward, np.float32)
        row = {**row, "reward": reward, "discount": 1 - terminal.astype(np.float32)}
        self._append_some(row, steps, last=ends)
        # Only now: if that failed, the next steps begin those episodes anew.
        self._open, self._ended, self._came_to = steps & ~ends, steps & ends, led_to

    def _check(self, moved: _Flags) -> None:
        """Checks the environments that start elsewhere than their last step led to."""
        some_moved = moved.any()  # Only where episodes have ended.
        if some_moved:
            self._refuse(self._open & moved, _GOES_ON_ELSEWHERE)
        if self._resets_next:
            if some_moved:
                self._refuse(self._ended & moved, _RESETS_OTHERWISE)
        elif num_begun := int(self._ended.sum()):
            alike = not (self._ended & moved).any()
            self._beginnings.count(num_begun, alike=alike, stacklevel=5)

    def _refuse(self, wrong: _Flags, why: str) -> None:
        if wrong.any():
            raise ValueError(why.format(f"environment {wrong.argmax()}"))

    def _append_some(
        self, rows: columns.Nest, which: _Flags, first: bool = False, last: Any = False
    ) -> None:
        """Appends the rows of some of the environments."""
        if which.all():
            self._append(rows, first, last=last)
        elif which.any():
            streams = np.flatnonzero(which)
            rows = self._unflatten([_choose(x, streams) for x in self._flatten(rows)])
            last = last if last is False else last[streams]
            self._append(rows, first, last=last, streams=streams)


_GOES_ON_ELSEWHERE = (
    "{} goes on from another observation than the next_observation of its last step; "
    "when an episode has ended, its last step must be terminated or truncated, or call "
    "new_episode()"
)
_RESETS_OTHERWISE = (
    "{} does not reset itself in the call after an episode's end, as "
    "autoreset='next_step' says, for there observation is the ended episode's last one; "
    "use 'same_step' or 'disabled'"
)
_BEGINS_ALIKE = (
    "all episodes so far began with the observation that the one before them ended with; "
    "where environments reset themselves, next_observation must be the ended episode's "
    "last one (infos['final_obs']), or if they do so in the call after it, the replay "
    "needs autoreset='next_step'"
)


class _Beginnings:
    """Warns once when episodes always begin with what the one before ended with."""

    def __init__(self) -> None:
        self._num_alike = 0  # Negative: there was another, or the warning.

    def count(self, num_begun: int, *, alike: bool, stacklevel: int) -> None:
        """Takes so many beginnings; `alike`: all were as the end before them."""
        if self._num_alike < 0:
            return
        self._num_alike = self._num_alike + num_begun if alike else -1
        if self._num_alike >= _NUM_ALIKE:
            self._num_alike = -1
            warnings.warn(_BEGINS_ALIKE, stacklevel=stacklevel)


def to_flags(name: str, given: npt.ArrayLike, n: int) -> _Flags:
    """Bool `[n]` of that or of one for all.

    Raises:
        ValueError: when the shape is another.
    """
    flags = np.asarray(given, bool)
    if flags.shape not in ((), (n,)):
        raise ValueError(f"{name} must be bool{(n,)}, got the shape {flags.shape}")
    return flags if flags.ndim else np.full(n, flags)


def _choose(leaf: Any, which: npt.NDArray[np.intp]) -> Any:
    """Some entries of the first axis; a list stays one, for it has no dtype."""
    if isinstance(leaf, (list, tuple)):
        return [leaf[i] for i in which]
    return np.asarray(leaf)[which]


def _make_print(observation: columns.Nest) -> Callable[[columns.Nest], bytes]:
    """What takes some of an observation's bytes, and raises when its shape is wrong."""
    leaves, flatten = _compared(observation), columns.make_flatten(observation)

    def take(given: columns.Nest) -> bytes:
        parts = []
        for (name, column, picks), leaf in zip(leaves, flatten(given)):
            array = np.asarray(leaf, column.dtype)
            if array.shape != column.shape:
                raise _shape_error(name, column.shape, array.shape)
            part = array if picks is None else array.ravel()[picks]
            parts.append(part.tobytes())
        return b"".join(parts)

    return take


def _make_prints(observation: columns.Nest, k: int) -> Callable[[columns.Nest], _Bytes]:
    """The same of K observations: uint8 `[K, D]`."""
    leaves, flatten = _compared(observation), columns.make_flatten(observation)

    def take(given: columns.Nest) -> _Bytes:
        parts = []
        for (name, column, picks), leaf in zip(leaves, flatten(given)):
            array = np.asarray(leaf, column.dtype)
            if array.shape != (k, *column.shape):
                raise _shape_error(name, (k, *column.shape), array.shape)
            rows = array.reshape(k, math.prod(column.shape))
            rows = rows.copy() if picks is None else rows[:, picks]
            parts.append(rows.view(np.uint8))
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

    return take


def _compared(
    observation: columns.Nest,
) -> list[tuple[str, columns.Column, npt.NDArray[np.intp] | None]]:
    """Name and column of each leaf, and its elements to compare; None: all."""
    compared = []
    for path, column in tree.flatten_with_path(observation):
        size, picks = math.prod(column.shape), None
        if size > _NUM_COMPARED:
            picks = np.linspace(0, size - 1, _NUM_COMPARED).astype(np.intp)
        compared.append((columns.path_name(("observation", *path)), column, picks))
    return compared


def _shape_error(name: str, shape: tuple[int, ...], given: object) -> ValueError:
    return ValueError(f"column '{name}' must have the shape {shape}, got {given}")
