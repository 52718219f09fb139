"""The contract of environments."""

from __future__ import annotations

import abc
import itertools

import dm_env
import numpy as np
import tree

from tfagents_core import specs
from tfagents_core.testing import values


class EnvironmentContract(abc.ABC):
    """Tests that an environment keeps dm_env's rules and is a function of its seed.

    Attributes:
        num_steps: steps that a test takes; best more than an episode has.
    """

    num_steps: int = 50

    @abc.abstractmethod
    def make_environment(
        self, *, seed: int, evaluation: bool = False
    ) -> dm_env.Environment:
        """A new environment."""

    def test_a_reset_gives_a_first_timestep(self) -> None:
        """Without reward and discount."""
        timestep = self.make_environment(seed=0).reset()
        assert timestep.first()
        assert timestep.reward is None
        assert timestep.discount is None

    def test_the_first_step_of_a_new_environment_is_a_reset(self) -> None:
        """As after an episode's end."""
        environment = self.make_environment(seed=0)
        action = values.sample(environment.action_spec(), np.random.default_rng(0))
        assert environment.step(action).first()

    def test_all_timesteps_fit_the_specs(self) -> None:
        """Observations, rewards and discounts, over episode ends."""
        environment = self.make_environment(seed=0)
        spec = specs.make_environment_spec(environment)
        for timestep in self._play(environment):
            values.check_fits(spec.observations, timestep.observation)
            if timestep.first():
                continue
            values.check_fits(spec.rewards, _cast(timestep.reward, spec.rewards))
            discount = _cast(timestep.discount, spec.discounts)
            values.check_fits(spec.discounts, discount)
            for leaf in tree.flatten(discount):
                assert (leaf >= 0).all()
                assert (leaf <= 1).all()

    def test_after_the_last_timestep_an_episode_begins(self) -> None:
        """And nowhere else."""
        timesteps = self._play(self.make_environment(seed=0))
        for before, after in itertools.pairwise(timesteps):
            assert before.last() == after.first()

    def test_the_same_seed_and_actions_give_the_same_timesteps(self) -> None:
        """All randomness follows from the seed."""
        one = self._play(self.make_environment(seed=3))
        other = self._play(self.make_environment(seed=3))
        for mine, yours in zip(one, other, strict=True):
            tree.map_structure(np.testing.assert_array_equal, mine, yours)

    def test_an_episode_can_be_played_again_by_its_number(self) -> None:
        """Exact resume depends on it."""
        environment = self.make_environment(seed=3)
        environment.reset()
        environment.reset()
        number = environment.episode_number
        generator = np.random.default_rng(0)
        action = values.sample(environment.action_spec(), generator)
        played = environment.step(action)
        other = self.make_environment(seed=3)
        other.next_episode_number = number - 1
        other.reset()
        tree.map_structure(np.testing.assert_array_equal, played, other.step(action))

    def _play(self, environment: dm_env.Environment) -> list[dm_env.TimeStep]:
        generator = np.random.default_rng(0)
        timesteps = [environment.reset()]
        for _ in range(self.num_steps):
            action = values.sample(environment.action_spec(), generator)
            timesteps.append(environment.step(action))
        return timesteps


def _cast(nest: object, spec: object) -> object:
    """Python floats are as good as arrays in a timestep."""
    return tree.map_structure(
        lambda s, value: np.asarray(value, s.dtype), spec, nest, check_types=False
    )
