"""What a run drives, whatever its parts run in."""

from __future__ import annotations

import abc
import dataclasses
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from tfagents_core import core, environment_loop, replay, types
from tfagents_core.experiments import cadence, counting

Save: TypeAlias = Callable[[pathlib.Path, Callable[[], None]], None]
"""Writes a saved experiment into a directory; see `Experiment.begin_save`."""


@dataclasses.dataclass(frozen=True)
class Progress:
    """What has happened since the last `Experiment.step`.

    Attributes:
        episodes: training episodes that ended.
        metrics: of the newest learner step, if there was one.
    """

    episodes: Sequence[types.Episode] = ()
    metrics: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """A finished evaluation.

    Attributes:
        played: its episodes, in the run's own environment and elsewhere.
        counters: how far the run was when its policy was taken.
    """

    played: Sequence[types.Episode]
    counters: counting.Counters

    @property
    def episodes(self) -> list[types.Episode]:
        """Those of the run's own environment."""
        return [episode for episode in self.played if episode.elsewhere is None]

    @property
    def elsewhere(self) -> dict[str, list[types.Episode]]:
        """Those of other environments, by their ids."""
        found: dict[str, list[types.Episode]] = {}
        for episode in self.played:
            if episode.elsewhere is not None:
                found.setdefault(episode.elsewhere, []).append(episode)
        return found


class Experiment(abc.ABC):
    """An agent in training: acts, inserts and learns, each wherever a launcher puts it.

    `run_experiment` steps it, from one thread, until the clock has reached its end, and
    evaluates, saves and reports in between.

    Attributes:
        counters: how far the run is.
        clock: the counter that the run's length and periods refer to.
        stopwatch: seconds spent in act, environment, observe, learn and evaluate.
        memory: what the replay will take once it is full, in words.
    """

    counters: counting.Counters
    clock: cadence.Clock
    stopwatch: environment_loop.Stopwatch
    memory: str

    @abc.abstractmethod
    def step(self) -> Progress:
        """Goes on: by one tick, or for a fraction of a second where it runs by itself.

        Raises:
            NotFiniteError: learning broke down.
            RunError: a part failed.
        """

    @abc.abstractmethod
    def begin_evaluation(self) -> None:
        """Evaluates the present policy; `take_evaluations` has the outcome."""

    @abc.abstractmethod
    def take_evaluations(self, *, wait: bool) -> list[Evaluation]:
        """The evaluations that are finished and were not taken yet, oldest first.

        Args:
            wait: whether to wait for those that have begun.
        """

    def halt(self) -> Progress:
        """Ends acting and learning for good; what there is can still be saved.

        Returns:
            What happened since the last `step`.
        """
        return Progress()

    @abc.abstractmethod
    def replay_status(self) -> str:
        """What the replay holds and how often its items are sampled, for people."""

    @abc.abstractmethod
    def replay_metrics(self) -> dict[str, float]:
        """Items in the replay, ever inserted and ever sampled, and their target ratio.

        Where there are several tables, names end in `/` and the table's.
        """

    @abc.abstractmethod
    def begin_save(self) -> Save:
        """Copies everything the run needs to go on, but for the replay.

        Returns:
            What writes it, and the replay, into an empty directory; any thread may
            call it once. It calls its second argument when the replay, too, is copied
            or held on to; until then `step` must not be called.
        """

    @abc.abstractmethod
    def restore(self, directory: pathlib.Path) -> list[int]:
        """Goes on from what was saved.

        Returns:
            The environments that could not get back into their episodes and go on
            with new ones, where that was to be expected.

        Raises:
            ValueError: what was saved is of another agent or environment.
        """

    @abc.abstractmethod
    def snapshot(self, path: pathlib.Path) -> None:
        """Writes the present policy as a SavedModel: see `checkpointing.snapshots`.

        Raises:
            OSError: it cannot be written.
        """

    @abc.abstractmethod
    def variables_sha256(self) -> str:
        """Digest of all the learner's variables in the order of their names."""

    def close(self) -> None:
        """Lets go of threads, processes and environments."""


def describe_replay(tables: Mapping[str, replay.TableHandle]) -> str:
    """What tables hold, such as `12,924 items; 29.8 samples per insert (target 32)`."""
    return "; ".join(
        _describe(table, is_only=len(tables) == 1) for table in tables.values()
    )


def _describe(table: replay.TableHandle, *, is_only: bool) -> str:
    stats, limiter = table.stats(), table.config.rate_limiter
    words = f"{stats.size:,} items; {stats.samples_per_insert:.1f} samples per insert"
    if isinstance(limiter, replay.SampleToInsertRatio):
        words += f" (target {limiter.samples_per_insert:g})"
    return words if is_only else f"{table.name}: {words}"


def measure_replay(tables: Mapping[str, replay.TableHandle]) -> dict[str, float]:
    """The metrics of `Experiment.replay_metrics`."""
    metrics: dict[str, float] = {}
    for name, table in tables.items():
        suffix = f"/{name}" if len(tables) > 1 else ""
        stats, limiter = table.stats(), table.config.rate_limiter
        metrics[f"replay_size{suffix}"] = stats.size
        metrics[f"replay_inserts{suffix}"] = stats.num_inserted
        metrics[f"replay_samples{suffix}"] = stats.num_sampled
        if isinstance(limiter, replay.SampleToInsertRatio):
            target = limiter.samples_per_insert
            metrics[f"replay_target_samples_per_insert{suffix}"] = target
    return metrics


def prefixed(
    group: str, state: Mapping[str, Any], *, separator: str = "/"
) -> dict[str, Any]:
    """`state` with names that say that it is of `group`; `under` undoes it."""
    return {f"{group}{separator}{name}": value for name, value in state.items()}


def under(
    group: str, state: Mapping[str, Any], *, separator: str = "/"
) -> dict[str, Any]:
    """What `prefixed` put into `state` for `group`."""
    prefix = f"{group}{separator}"
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}


def assign(learner: core.Learner, values: Mapping[str, Any]) -> None:
    """Sets a learner's variables by name.

    Raises:
        ValueError: names or shapes differ.
    """
    variables = learner.state
    odd = sorted(set(variables) ^ set(values))
    if odd:
        raise ValueError(
            f"The checkpoint is of other networks: {odd[0]!r} is on one side only."
        )
    for name, variable in variables.items():
        if tuple(variable.shape) != values[name].shape:
            raise ValueError(
                f"The checkpoint is of other networks: {name!r} has shape "
                f"{values[name].shape} there and {tuple(variable.shape)} here."
            )
        variable.assign(values[name])
