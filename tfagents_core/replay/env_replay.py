"""A replay with one table that takes steps as Gymnasium's environments give them."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import numpy as np
import numpy.typing as npt

from tfagents_core.replay import checkpoint, columns, env_rows, env_streams, tables
from tfagents_core.replay.buffer import Replay

# Of a data set: few enough for `max_bytes`, and so many that a call costs nothing.
_ROWS_AT_ONCE = 4096


@final
class EnvReplay:
    """A replay with one table, to which whole steps of environments are added.

    Made by `replay.transitions` and `replay.sequences`. One thread may add while others
    sample and update priorities.

    Args:
        steps: the columns of a row: a dict with the entries of `replay.Transition`.
        table: its only table.
        num_envs: as in `transitions`.
        autoreset: as in `transitions`.
        seed: as in `transitions`.
        max_bytes: as in `transitions`.
    """

    def __init__(
        self,
        steps: dict[str, columns.Nest],
        table: tables.Table,
        *,
        num_envs: int | None,
        autoreset: object,
        seed: int,
        max_bytes: int | None,
    ) -> None:
        if num_envs is not None and num_envs < 1:
            raise ValueError(f"num_envs is {num_envs}; it must be >= 1, or None")
        self._num_envs = num_envs
        self._replay = Replay(
            steps, [table], num_streams=num_envs or 1, seed=seed, max_bytes=max_bytes
        )
        self._steps = steps
        self._table = self._replay.tables[table.name]
        self._flatten = columns.make_flatten(steps)
        self._unflatten = columns.make_unflatten(steps)
        resets_next = _resets_next(autoreset)
        self._streams: env_streams.OneStream | env_streams.ManyStreams
        if num_envs is None:
            self._streams = env_streams.OneStream(self._replay, resets_next=resets_next)
        else:
            self._streams = env_streams.ManyStreams(
                self._replay, resets_next=resets_next
            )

    @property
    def replay(self) -> Replay:
        """What all of it is stored in; append to it only by way of `add`."""
        return self._replay

    @property
    def table(self) -> tables.TableHandle:
        """The only table of `replay`."""
        return self._table

    def __len__(self) -> int:
        """Transitions or sequences in the table."""
        return self._table.size

    def add(
        self,
        observation: columns.Nest,
        action: columns.Nest,
        reward: npt.ArrayLike,
        next_observation: columns.Nest,
        terminated: npt.ArrayLike,
        truncated: npt.ArrayLike = False,
        *,
        extras: columns.Nest = (),
    ) -> None:
        """Adds one step of the environment, or one of each of K environments.

        `next_observation` is always what the action led to: at the end of an episode
        its last observation, never the first of the next. What that means depends on
        the environments' autoreset mode:

        - "disabled": the caller resets; there is nothing to heed;
        - "same_step": `step` returns the next episode's first observation, and the last
          one in `infos["final_obs"]`: put it into `next_observation` where an episode
          ended;
        - "next_step": `step` returns the last observation, and the call after it resets
          the environment and ignores the action. Add what each call gives; what is no
          step is left out.

        While an episode goes on, `observation` must be the `next_observation` of the
        call before; a few elements of the two are compared. Each is stored once.

        Args:
            observation: `o_t`, `[...]` or `[K, ...]`.
            action: taken at it.
            reward: received for it; converted to float32.
            next_observation: `o_{t+1}`.
            terminated: whether it is a terminal state, whose value is 0.
            truncated: whether the episode ends for another reason, such as a time
                limit; the value of its last observation still counts.
            extras: as declared: additional policy outputs at `o_t`.

        Raises:
            ValueError: when shapes or dtypes are not the declared ones, or an episode
                goes on from another observation than it had come to.
            ClosedError: when the replay is closed.
        """
        row = {"observation": next_observation, "action": action, "extras": extras}
        self._streams.add(observation, row, reward, terminated, truncated)

    def extend(
        self,
        observation: columns.Nest,
        action: columns.Nest,
        reward: npt.ArrayLike,
        next_observation: columns.Nest,
        terminated: npt.ArrayLike,
        truncated: npt.ArrayLike = False,
        *,
        extras: columns.Nest = (),
    ) -> None:
        """Adds a data set of N consecutive steps, of whole episodes one after another.

        An episode also ends where the next step does not start from the
        `next_observation` of the one before, as in data sets that leave steps out, and
        at the end; such ends count as truncated. An episode that the (first)
        environment has open is given up.

        Args:
            observation: `o_t`, nest of NumPy arrays `[N, ...]`.
            action: as all others, arrays `[N, ...]` as in `add`.
            reward: converted to float32.
            next_observation: `o_{t+1}`.
            terminated: bool `[N]`.
            truncated: bool `[N]`, or one for all.
            extras: as declared.

        Raises:
            ValueError: naming what does not fit; then nothing is added.
            ClosedError: when the replay is closed.
        """
        n = _num_steps(terminated)
        terminal = env_streams.to_flags("terminated", terminated, n)
        outcomes = {
            "observation": next_observation,
            "action": action,
            "reward": np.asarray(reward, np.float32),
            "discount": np.subtract(1, terminal, dtype=np.float32),
            "extras": extras,
        }
        ends = terminal | env_streams.to_flags("truncated", truncated, n)
        rows, first, last = env_rows.from_steps(
            self._steps, observation, outcomes, ends
        )
        self._streams.begin_anew_first()
        for i in range(0, len(first), _ROWS_AT_ONCE):
            run = slice(i, i + _ROWS_AT_ONCE)
            chosen = self._unflatten([leaf[run] for leaf in self._flatten(rows)])
            self._replay.append_steps(chosen, first[run], last[run])

    def new_episode(self) -> None:
        """Lets every environment's next step begin an episode.

        Of an open episode, what was sampled can be sampled still; what would have been
        made at its end is not. Where the last step can be known, `truncated` is better.
        """
        self._streams.begin_anew()

    def sample(
        self,
        batch_size: int,
        *,
        beta: float = 0.0,
        num_batches: int | None = None,
        timeout: float | None = 0.0,
        out: tables.Sample | None = None,
    ) -> tables.Sample:
        """Draws a batch: `TableHandle.sample`, but by default it waits for nobody.

        Args:
            batch_size: B >= 1; as draws are with replacement, one item is enough.
            beta: exponent of the importance weights `info.weight`; 0 gives ones.
            num_batches: N batches in one call; None: one, without their axis.
            timeout: seconds to wait while there is nothing; None waits for ever.
            out: an earlier sample, to write into.

        Raises:
            TimeoutError: when there is nothing to sample.
            ValueError: when an argument does not fit.
            ClosedError: when the replay is closed.
        """
        return self._table.sample(
            batch_size, beta=beta, num_batches=num_batches, timeout=timeout, out=out
        )

    def update_priorities(self, keys: npt.ArrayLike, priorities: npt.ArrayLike) -> int:
        """`TableHandle.update_priorities`; returns how many keys still had an item."""
        return self._table.update_priorities(keys, priorities)

    def clear(self) -> None:
        """Removes everything; every environment's next step begins an episode."""
        self._replay.reset()
        self.new_episode()

    def save(
        self,
        directory: checkpoint.Path,
        *,
        when_copied: Callable[[], object] | None = None,
    ) -> None:
        """`Replay.save`."""
        self._replay.save(directory, when_copied=when_copied)

    def restore(self, directory: checkpoint.Path) -> None:
        """`Replay.restore`; every environment's next step begins an episode."""
        self._replay.restore(directory)
        self.new_episode()

    def close(self) -> None:
        """`Replay.close`."""
        self._replay.close()

    def __enter__(self) -> EnvReplay:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"EnvReplay({self._table}, num_envs={self._num_envs})"


def _num_steps(terminated: npt.ArrayLike) -> int:
    flags = np.asarray(terminated)
    if flags.ndim != 1:
        raise ValueError(f"terminated must be bool [N], got the shape {flags.shape}")
    return len(flags)


def _resets_next(autoreset: object) -> bool:
    """Whether a mode is that in which the call after an episode's end resets."""
    mode = getattr(autoreset, "value", autoreset)
    name = "disabled" if mode is None else str(mode).lower().replace("_", "")
    if name not in ("disabled", "samestep", "nextstep"):
        raise ValueError(
            f"autoreset is {autoreset!r}; it must be 'disabled', 'same_step' or "
            "'next_step', or None"
        )
    return name == "nextstep"
