"""Which episodes an evaluation plays, and in which environments."""

from __future__ import annotations

import pathlib
from typing import Any

import dm_env
import numpy as np
import pytest

from tfagents_core import core, experiments, specs
from tfagents_core.experiments import evaluator, roles

from .. import toys


class Lengthy(dm_env.Environment):
    """Episodes of given lengths, one after another; each step pays its episode."""

    def __init__(self, *lengths: int) -> None:
        self._lengths = lengths
        self._number, self._left = 0, 0

    def reset(self) -> dm_env.TimeStep:
        self._left = self._lengths[self._number % len(self._lengths)]
        self._number += 1
        return dm_env.restart(np.zeros(1, np.float32))

    def step(self, action: Any) -> dm_env.TimeStep:
        if self._left == 0:
            return self.reset()
        self._left -= 1
        end = dm_env.transition if self._left else dm_env.termination
        return end(float(self._number), np.zeros(1, np.float32))

    def observation_spec(self) -> specs.Array:
        return specs.Array((1,), np.float32)

    def action_spec(self) -> specs.DiscreteArray:
        return specs.DiscreteArray(2)


class Idle(core.Actor):
    """Does 0."""

    def select_action(self, observation: Any) -> np.ndarray:
        return np.zeros(len(observation), np.int32)

    def observe_first(self, timestep: dm_env.TimeStep) -> None:
        pass

    def observe(self, action: Any, next_timestep: dm_env.TimeStep) -> None:
        pass


def test_every_environment_plays_its_share_and_not_the_first_to_end() -> None:
    """The first five to end would be three of the second and two of the third."""
    environments = [Lengthy(20, 3), Lengthy(1, 2, 1), Lengthy(4, 1, 1)]
    episodes = experiments.run_episodes(Idle(), environments, 5)
    played = [(e.environment, e.length, e.total_reward) for e in episodes]
    # Each environment's earliest: two, two and one.
    assert played == [(0, 20, 20), (0, 3, 6), (1, 1, 1), (1, 2, 4), (2, 4, 4)]


def test_a_single_environment_plays_them_all() -> None:
    episodes = experiments.run_episodes(Idle(), [Lengthy(3, 1, 2)], 4)
    assert [e.length for e in episodes] == [3, 1, 2, 3]


def make_config(**changes: Any) -> experiments.ExperimentConfig:
    defaults: dict[str, Any] = {
        "agent": toys.NAME,
        "environment": "test",
        "builder": toys.Builder(toys.Config()),
        "num_actor_steps": 60,
        "run_dir": pathlib.Path("unused"),
        "envs_per_actor": 4,
        "eval_every": 20,
        "environment_factory": toys.make_environment,
    }
    return experiments.ExperimentConfig(**{**defaults, **changes})


@pytest.mark.parametrize(("eval_episodes", "expected"), [(3, 3), (10, 10), (25, 10)])
def test_evaluations_have_up_to_ten_environments_of_seeds_of_their_own(
    eval_episodes: int, expected: int
) -> None:
    asked: dict[bool, list[int]] = {False: [], True: []}

    def make(*, seed: int, evaluation: bool = False) -> dm_env.Environment:
        asked[evaluation].append(seed)
        return toys.Recall()

    config = make_config(environment_factory=make, eval_episodes=eval_episodes, seed=3)
    experiment = experiments.InlineExperiment(config)
    experiment.begin_evaluation()
    (evaluation,) = experiment.take_evaluations(wait=False)
    assert len(evaluation.episodes) == eval_episodes
    assert len(asked[False]) == 4
    assert len(asked[True]) == expected
    # Apart from training's and from one another.
    assert len({*asked[False], *asked[True]}) == 4 + expected


def test_a_later_evaluation_plays_new_episodes_in_the_same_environments() -> None:
    seeds: list[int] = []

    class Noting(toys.Recall):
        """Keeps the seeds of its episodes."""

        def seed(self, seed: int) -> None:
            seeds.append(seed)
            super().seed(seed)

    def make(*, seed: int, evaluation: bool = False) -> dm_env.Environment:
        return Noting() if evaluation else toys.Recall()

    experiment = experiments.InlineExperiment(
        make_config(environment_factory=make, eval_episodes=3)
    )
    experiment.begin_evaluation()
    first = list(seeds)
    experiment.begin_evaluation()
    assert len(set(seeds)) == len(seeds)
    assert len(seeds) >= len(first) + 3


def test_evaluations_act_with_the_evaluations_policy() -> None:
    class Distinct(toys.Builder):
        """Its evaluation policy does 1, the other one 0."""

        def make_policy(
            self, networks: Any, spec: Any, *, evaluation: bool
        ) -> core.Policy:
            policy = super().make_policy(networks, spec, evaluation=evaluation)
            call = type(policy).__call__

            class Constant(type(policy)):  # type: ignore[misc]
                """Always the same."""

                def __call__(self, *arguments: Any) -> core.PolicyOutput:
                    output = call(self, *arguments)
                    return output._replace(action=0 * output.action + int(evaluation))

            policy.__class__ = Constant
            return policy

    class Paying(toys.Recall):
        """Pays the action."""

        def step(self, action: Any) -> dm_env.TimeStep:
            timestep = super().step(action)
            if timestep.first():
                return timestep
            return timestep._replace(reward=float(int(action)))

    config = make_config(
        builder=Distinct(toys.Config()),
        environment_factory=lambda *, seed, evaluation=False: Paying(),
    )
    agent = roles.make_agent(config, roles.make_environments(config))
    for episode in roles.make_evaluator(agent).run():
        assert episode.total_reward == episode.length
    experiment = experiments.InlineExperiment(config)
    episodes = [e for _ in range(20) for e in experiment.step().episodes]
    assert episodes
    assert all(episode.total_reward == 0 for episode in episodes)


def test_seeds_of_evaluation_environments_follow_from_the_runs_and_the_index() -> None:
    seeds = {
        (run, index): evaluator.environment_seed(run, index)
        for run in range(5)
        for index in range(10)
    }
    assert len(set(seeds.values())) == 50
    again = {key: evaluator.environment_seed(*key) for key in seeds}
    assert again == seeds
