"""K environments as one: the interface, and the one that steps them in this process."""

from __future__ import annotations

import abc
import contextlib
import dataclasses
import logging
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import dm_env
import numpy as np
import tree

from tfagents_core import restarts, specs, types
from tfagents_core.environments import errors, timesteps

# As an integer: NumPy compares with an enumeration's member five times as slowly.
_FIRST = int(dm_env.StepType.FIRST)
_WINDOW_S = 600.0  # Failures count against the budget for so long.
_LOGGER = logging.getLogger(__name__)


@dataclasses.dataclass
class Episode:
    """The episode that an environment is in, as it can be played again.

    Attributes:
        number: episodes begun so far, this one included; 0 before the first.
        actions: those taken in it.
    """

    number: int = 0
    actions: list[types.NestedArray] = dataclasses.field(default_factory=list)


class BatchedEnvironment(abc.ABC):
    """K environments of equal specs, stepped together by one actor. Not thread-safe.

    A step has two halves, so that something else can be done while the environments
    step: `send` gives them their actions, `receive` waits for the timesteps. An
    environment whose episode has ended is reset by the next step and ignores its
    action, while the others go on.

    Timesteps have arrays `[K, ...]`; where an episode begins, the reward is 0 and the
    discount 1. Users cannot tell implementations apart but by their speed: the same
    environments give the same bytes.

    Args:
        spec: the specs of one environment.
        own_actions: spec of the task's own actions, before they are made canonical.
        num_environments: K.
    """

    def __init__(
        self,
        spec: specs.EnvironmentSpec,
        *,
        own_actions: types.NestedSpec,
        num_environments: int,
    ) -> None:
        self.spec = spec
        self.own_actions = own_actions
        self.num_environments = num_environments
        self._episodes = [Episode() for _ in range(num_environments)]
        # Where the next step begins a new episode, whatever the action.
        self._must_reset = np.ones(num_environments, bool)
        self._timestep: dm_env.TimeStep | None = None

    @property
    def has_begun(self) -> bool:
        """Whether the first episodes have begun; `reset` begins them."""
        return self._timestep is not None

    def reset(self) -> dm_env.TimeStep:
        """Begins a new episode in every environment."""
        self._must_reset[:] = True
        self._send(None)
        return self.receive()

    def send(self, actions: types.NestedArray) -> None:
        """Gives the environments their actions `[K, ...]`; `receive` comes next."""
        self._send(actions)

    def receive(self) -> dm_env.TimeStep:
        """The timesteps `[K, ...]` that the actions led to.

        Raises:
            errors.EnvironmentFailedError: an environment failed, and again where it
                was started again.
        """
        timestep = self._receive()
        self._must_reset[:] = False
        for index, step_type in enumerate(timestep.step_type.tolist()):
            episode = self._episodes[index]
            if step_type == _FIRST:
                episode.number, episode.actions = episode.number + 1, []
            else:
                episode.actions.append(self._sent(index))
        self._timestep = timestep
        return timestep

    def step(self, actions: types.NestedArray) -> dm_env.TimeStep:
        """`send`, and then `receive`."""
        self.send(actions)
        return self.receive()

    def state(self) -> dict[str, np.ndarray]:
        """What `restore` needs to return into the middle of the present episodes.

        Each environment's episode is kept as its number and its actions so far, and
        the observation that they led to, to be compared.
        """
        state: dict[str, np.ndarray] = {}
        if self._timestep is None:
            return state
        for index, episode in enumerate(self._episodes):
            state[f"{index}/episode_number"] = np.array(episode.number)
            for leaf, values in enumerate(_stack_actions(episode.actions)):
                state[f"{index}/actions/{leaf}"] = values
            for leaf, values in enumerate(tree.flatten(self._timestep.observation)):
                state[f"{index}/observation/{leaf}"] = values[index]
        return state

    def restore(
        self, state: Mapping[str, np.ndarray]
    ) -> tuple[dm_env.TimeStep, list[int]]:
        """Plays every environment's episode again, up to where `state` was taken.

        An environment that does not get there, because it is not deterministic or
        cannot play an episode by its number, begins a new episode at the next step.

        Returns:
            The present timesteps `[K, ...]`, and the indices of such environments.
        """
        self._episodes = [self._saved(state, k) for k in range(self.num_environments)]
        self._timestep = self._play()
        for index in range(self.num_environments):
            leaves = range(len(tree.flatten(self._timestep.observation)))
            expected = [state[f"{index}/observation/{leaf}"] for leaf in leaves]
            self._must_reset[index] = not shows(self._timestep, index, expected)
        return self._timestep, np.flatnonzero(self._must_reset).tolist()

    def _saved(self, state: Mapping[str, np.ndarray], index: int) -> Episode:
        """The episode of environment `index` in a `state`."""
        leaves: list[np.ndarray] = []
        while (name := f"{index}/actions/{len(leaves)}") in state:
            leaves.append(state[name])
        actions = [
            tree.unflatten_as(self.spec.actions, list(values))
            for values in zip(*leaves, strict=True)
        ]
        return Episode(int(state[f"{index}/episode_number"]), actions)

    @property
    def episode_numbers(self) -> list[int]:
        """How many episodes each environment has begun."""
        return [episode.number for episode in self._episodes]

    def continue_after(self, episode_numbers: Sequence[int]) -> None:
        """Has `reset` begin the episodes after these, of which none is repeated.

        Args:
            episode_numbers: as `episode_numbers` was when the run was saved, `[K]`.
        """
        self._episodes = [Episode(int(number)) for number in episode_numbers]
        self._count_on()

    @abc.abstractmethod
    def _count_on(self) -> None:
        """Lets the environments count on from the numbers in `_episodes`."""

    @abc.abstractmethod
    def _send(self, actions: types.NestedArray | None) -> None:
        """Begins a step; there are no actions where all environments are reset."""

    @abc.abstractmethod
    def _sent(self, index: int) -> types.NestedArray:
        """The newest action of environment `index`; it is kept."""

    @abc.abstractmethod
    def _receive(self) -> dm_env.TimeStep:
        """Ends the step; the arrays are the caller's."""

    @abc.abstractmethod
    def _play(self) -> dm_env.TimeStep:
        """Plays `_episodes` from their beginnings; the timesteps at their ends."""

    def close(self) -> None:
        """Closes the environments."""


class SerialEnvironments(BatchedEnvironment):
    """Steps K environments one after another, in the caller's thread.

    Args:
        environments: the K environments, of equal specs.
        make: makes environment k anew when it has raised, or returned NaN; it then
            plays its present episode again, or, where that fails too, begins a new
            one. None lets its errors through.
        max_restarts: failures that are forgiven within ten minutes.

    Raises:
        ValueError: there is no environment.
    """

    def __init__(
        self,
        environments: Sequence[dm_env.Environment],
        *,
        make: Callable[[int], dm_env.Environment] | None = None,
        max_restarts: int = 10,
    ) -> None:
        if not environments:
            raise ValueError("A batch of environments needs at least one environment.")
        self._environments = list(environments)
        self._make = make
        self._recovery = Recovery("The environments", max_restarts)
        super().__init__(
            specs.make_environment_spec(environments[0]),
            own_actions=own_action_spec(environments[0]),
            num_environments=len(environments),
        )
        self._actions: list[types.NestedArray] = []
        for episode, environment in zip(self._episodes, environments, strict=True):
            # They may have been played before, as in an evaluation.
            episode.number = getattr(environment, "episode_number", 0)

    def _send(self, actions: types.NestedArray | None) -> None:
        if actions is not None:
            self._actions = [
                timesteps.of(actions, k) for k in range(self.num_environments)
            ]

    def _sent(self, index: int) -> types.NestedArray:
        return self._actions[index]

    def _receive(self) -> dm_env.TimeStep:
        stepped = [self._step_one(k) for k in range(self.num_environments)]
        while True:
            try:
                return timesteps.stack(self.spec, stepped)
            except errors.NotFiniteError as error:
                if self._make is None:
                    raise
                failure = traceback.format_exc()
                stepped[error.index] = self._recover(error.index, failure, self._make)

    def _step_one(self, index: int) -> dm_env.TimeStep:
        try:
            return self._step_now(index)
        except Exception:  # An environment may raise anything.
            if self._make is None:
                raise
            return self._recover(index, traceback.format_exc(), self._make)

    def _step_now(self, index: int) -> dm_env.TimeStep:
        if self._must_reset[index]:
            return self._environments[index].reset()
        return self._environments[index].step(self._actions[index])

    def _recover(
        self, index: int, failure: str, make: Callable[[int], dm_env.Environment]
    ) -> dm_env.TimeStep:
        """Makes environment `index` anew, and has it take the step that it failed in."""
        must_play = not self._must_reset[index]
        while True:
            self._recovery.forgive(failure)
            with contextlib.suppress(Exception):  # It is broken already.
                self._environments[index].close()
            try:
                self._environments[index] = make(index)
                self._return_to(index, must_play=must_play)
                timestep = self._step_now(index)
                timesteps.stack(self.spec, [timestep], first_index=index)
            except Exception:  # noqa: BLE001 - an environment may raise anything.
                # What fails in the same place each time would fail there for ever.
                must_play, failure = False, traceback.format_exc()
            else:
                return timestep

    def _return_to(self, index: int, *, must_play: bool) -> None:
        """Brings an environment made anew to where it was before the step."""
        environment, episode = self._environments[index], self._episodes[index]
        self._must_reset[index] = True
        if must_play:
            assert self._timestep is not None
            before = [leaf[index] for leaf in tree.flatten(self._timestep.observation)]
            reached = timesteps.stack(self.spec, [play(environment, episode)])
            self._must_reset[index] = not shows(reached, 0, before)
        else:
            environment.next_episode_number = episode.number

    def _count_on(self) -> None:
        for environment, episode in zip(
            self._environments, self._episodes, strict=True
        ):
            environment.next_episode_number = episode.number

    def _play(self) -> dm_env.TimeStep:
        return timesteps.stack(
            self.spec,
            [
                play(environment, episode)
                for environment, episode in zip(
                    self._environments, self._episodes, strict=True
                )
            ],
        )

    def close(self) -> None:
        """Closes the environments."""
        for environment in self._environments:
            environment.close()


class Recovery:
    """Says of failures whether to go on after them; each is logged. Thread-safe.

    Args:
        who: fails, as errors call it.
        max_restarts: failures that are forgiven within ten minutes.
    """

    def __init__(self, who: str, max_restarts: int) -> None:
        self._who = who
        self._budget = restarts.RestartBudget(max_restarts, _WINDOW_S)

    def forgive(self, failure: str) -> None:
        """Notes a failure, which is described with its traceback.

        Raises:
            errors.EnvironmentFailedError: it was one too many.
        """
        try:
            self._budget.note(self._who, failure)
        except restarts.BudgetSpentError as error:
            raise errors.EnvironmentFailedError(str(error)) from None
        _LOGGER.warning("Started again after a failure: %s", failure)


def own_action_spec(environment: dm_env.Environment) -> Any:
    """The spec of the task's own actions, which those of `environments.make` wrap."""
    return getattr(environment, "environment", environment).action_spec()


def play(environment: dm_env.Environment, episode: Episode) -> dm_env.TimeStep:
    """Begins the episode of that number and takes its actions; its last timestep."""
    environment.next_episode_number = episode.number - 1
    timestep = environment.reset()
    for action in episode.actions:
        timestep = environment.step(action)
    return timestep


def _stack_actions(actions: Sequence[types.NestedArray]) -> list[np.ndarray]:
    """The leaves of `actions`, each with time as its first axis."""
    return [
        np.stack(leaf)
        for leaf in zip(*(tree.flatten(action) for action in actions), strict=True)
    ]


def shows(
    timestep: dm_env.TimeStep, index: int, expected: Sequence[np.ndarray]
) -> bool:
    """Whether environment `index` has the `expected` observation, given by leaf."""
    return all(
        np.array_equal(values[index], leaf)
        for values, leaf in zip(
            tree.flatten(timestep.observation), expected, strict=True
        )
    )
