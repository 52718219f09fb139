"""The role that measures how good a policy is, in environments of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence

import dm_env
import numpy as np

from tfagents_core import core, environment_loop, seeds, types
from tfagents_core.environments import batched

_MAX_ENVIRONMENTS = 10


def environment_seed(seed: int, index: int) -> int:
    """The seed of the evaluation's environment `index` in the run of seed `seed`."""
    return seeds.derive(seed, "evaluation environment", index)


def make_environments(
    factory: core.EnvironmentFactory, num_episodes: int, *, seed: int
) -> list[dm_env.Environment]:
    """Environments to evaluate in, at most ten, apart from those of training."""
    return [
        factory(seed=environment_seed(seed, index), evaluation=True)
        for index in range(min(num_episodes, _MAX_ENVIRONMENTS))
    ]


def run_episodes(
    actor: core.Actor,
    environments: Sequence[dm_env.Environment],
    num_episodes: int,
    *,
    observers: Sequence[core.Observer] = (),
) -> list[types.Episode]:
    """Plays `num_episodes`, the environments side by side.

    How many each environment plays is settled beforehand, because the first episodes
    to end would be the short ones.

    Returns:
        The episodes, ordered by environment and then by time.
    """
    size = len(environments)
    wanted = [num_episodes // size + (k < num_episodes % size) for k in range(size)]
    played: list[list[types.Episode]] = [[] for _ in range(size)]
    batch = batched.SerialEnvironments(environments)
    loop = environment_loop.EnvironmentLoop(batch, actor, observers=observers)
    while any(len(p) < w for p, w in zip(played, wanted, strict=True)):
        _, ended = loop.step()
        for episode in ended:
            played[episode.environment].append(episode)
    return [e for p, w in zip(played, wanted, strict=True) for e in p[:w]]


class Evaluator:
    """Plays the evaluations of a run, each with new episodes. Not thread-safe.

    Args:
        actor: acts with the evaluation's policy.
        make: makes environments by id, those of the run's own by None; called at the
            first evaluation.
        num_episodes: episodes of one evaluation, in each environment.
        elsewhere: ids of other environments that are played in, too.
        observers: see every step.
    """

    def __init__(
        self,
        actor: core.Actor,
        make: Callable[[str | None], list[dm_env.Environment]],
        *,
        num_episodes: int,
        elsewhere: Sequence[str] = (),
        observers: Sequence[core.Observer] = (),
    ) -> None:
        self._actor = actor
        self._make = make
        self._num_episodes = num_episodes
        self._places = (None, *elsewhere)
        self._observers = observers
        self._made: dict[str | None, list[dm_env.Environment]] = {}

    def run(self) -> list[types.Episode]:
        """One evaluation with the present policy, its own environment's first."""
        return [
            dataclasses.replace(episode, elsewhere=place)
            for place in self._places
            for episode in run_episodes(
                self._actor,
                self._environments()[place],
                self._num_episodes,
                observers=self._observers,
            )
        ]

    def state(self) -> dict[str, np.ndarray]:
        """The actor's state, and which episode each environment plays next."""
        actor = {f"actor/{name}": v for name, v in self._actor.state().items()}
        numbers = {
            name: np.array(environment.next_episode_number)
            for name, environment in self._named(self._made)
        }
        return {**actor, **numbers}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Resumes from a `state`."""
        self._actor.restore(
            {
                name.removeprefix("actor/"): value
                for name, value in state.items()
                if name.startswith("actor/")
            }
        )
        if any(name.startswith("environment/") for name in state):
            for name, environment in self._named(self._environments()):
                # A place that was not evaluated in before begins with its first.
                environment.next_episode_number = int(state.get(name, 0))

    def _named(
        self, made: Mapping[str | None, list[dm_env.Environment]]
    ) -> Iterator[tuple[str, dm_env.Environment]]:
        for place, environments in made.items():
            prefix = "environment" if place is None else f"environment at {place}"
            for index, environment in enumerate(environments):
                yield f"{prefix}/{index}", environment

    def _environments(self) -> dict[str | None, list[dm_env.Environment]]:
        if not self._made:
            self._made = {place: self._make(place) for place in self._places}
        return self._made
