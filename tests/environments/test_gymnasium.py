"""Gymnasium environments behind dm_env's interface."""

import numpy as np
import pytest
from absl.testing import absltest
from dm_env import test_utils

from tfagents_core import environments, specs
from tfagents_core.environments import errors

gymnasium = pytest.importorskip("gymnasium")

from tfagents_core.environments import gymnasium as adapter


class _Scripted(gymnasium.Env):
    """Every kind of space; its first episode ends as `endings` says."""

    observation_space = gymnasium.spaces.Dict(
        {
            "box": gymnasium.spaces.Box(-1.0, 1.0, (2,), np.float64),
            "pair": gymnasium.spaces.Tuple(
                [gymnasium.spaces.Discrete(3, start=5), gymnasium.spaces.MultiBinary(2)]
            ),
            "dials": gymnasium.spaces.MultiDiscrete([2, 4]),
        }
    )
    action_space = gymnasium.spaces.Discrete(3, start=-1)

    def __init__(self, *, terminated=False, truncated=False):
        self.actions = []
        self.seeds = []
        self._ending = terminated, truncated

    def _observe(self):
        return {
            "box": np.zeros(2),
            "pair": (np.int64(7), np.array([0, 1], np.int8)),
            "dials": np.array([1, 3]),
        }

    def reset(self, *, seed=None, options=None):
        self.seeds.append(seed)
        return self._observe(), {}

    def step(self, action):
        self.actions.append(action)
        return self._observe(), 1, *self._ending, {}


class _ReusesItsBuffer(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(0, 255, (2,), np.uint8)
    action_space = gymnasium.spaces.Box(-2, 2, (2,), np.float32)

    def __init__(self):
        self.actions = []
        self._buffer = np.zeros(2, np.uint8)

    def reset(self, *, seed=None, options=None):
        self._buffer[:] = 0
        return self._buffer, {}

    def step(self, action):
        self.actions.append(action)
        self._buffer += 1
        return self._buffer, 0.0, False, False, {}


def _make(task="CartPole-v1", *, seed=0):
    return environments.make(f"gym:{task}", seed=seed)


def _adapt(**ending):
    return adapter.GymnasiumAdapter(_Scripted(**ending), seed=0)


class CartPoleTest(test_utils.EnvironmentTestMixin, absltest.TestCase):
    def make_object_under_test(self):
        return _make()

    def make_action_sequence(self):
        for _ in range(30):
            yield self.make_action()


class PendulumTest(test_utils.EnvironmentTestMixin, absltest.TestCase):
    def make_object_under_test(self):
        return _make("Pendulum-v1")


class NestedTest(test_utils.EnvironmentTestMixin, absltest.TestCase):
    def make_object_under_test(self):
        return _adapt(terminated=True)


@pytest.mark.parametrize("task", ["CartPole-v1", "Pendulum-v1", "FrozenLake-v1"])
def test_episodes_are_pure(task, check_episodes_are_pure):
    check_episodes_are_pure(lambda seed: _make(task, seed=seed))


@pytest.mark.parametrize(
    ("terminated", "truncated", "discount"),
    [(True, False, 0), (False, True, 1), (True, True, 0)],
)
def test_only_termination_stops_bootstrapping(terminated, truncated, discount):
    environment = _adapt(terminated=terminated, truncated=truncated)
    environment.reset()
    timestep = environment.step(0)
    assert timestep.last()
    assert timestep.discount == discount
    assert environment.step(0).first()


def test_the_registered_time_limit_truncates(play):
    timesteps = play(_make("Pendulum-v1"), 300)
    assert len(timesteps) == 201
    assert timesteps[-1].discount == 1


def test_the_time_limit_is_an_option(play):
    assert len(play(_make("Pendulum-v1?max_episode_steps=7"), 300)) == 8


def test_falling_terminates(play):
    timestep = play(_make(), 300)[-1]
    assert timestep.last()
    assert timestep.discount == 0


def test_spaces_become_specs():
    spec = _adapt().observation_spec()
    assert spec["box"].dtype == np.float64
    assert spec["pair"][0] == specs.DiscreteArray(3, np.int32, name="pair_0")
    assert spec["pair"][1].maximum == 1
    assert spec["dials"].maximum.tolist() == [1, 3]


def test_discrete_values_are_counted_from_zero_on_both_sides():
    environment = _adapt()
    assert environment.reset().observation["pair"][0] == 2
    environment.step(0)
    environment.step(2)
    assert environment._environment.actions == [-1, 1]


def test_each_episode_gets_a_seed_of_its_own():
    environment = _adapt()
    for _ in range(3):
        environment.reset()
    expected = [environments.episode_seed(0, n) for n in range(3)]
    assert environment._environment.seeds == expected


def test_observations_survive_a_reused_buffer():
    environment = adapter.GymnasiumAdapter(_ReusesItsBuffer(), seed=0)
    first = environment.reset().observation
    environment.step(np.zeros(2))
    assert first.tolist() == [0, 0]


def test_actions_arrive_in_the_spaces_type():
    environment = adapter.GymnasiumAdapter(_ReusesItsBuffer(), seed=0)
    environment.reset()
    environment.step(np.ones(2, np.float64))
    assert environment._environment.actions[0].dtype == np.float32


def test_a_space_without_counterpart_is_refused():
    environment = _Scripted()
    environment.action_space = gymnasium.spaces.Text(3)
    with pytest.raises(errors.UnsupportedEnvironmentError, match="action space Text"):
        adapter.GymnasiumAdapter(environment, seed=0)


def test_nested_observations_can_be_flattened():
    environment = _make("Blackjack-v1?flatten=true")
    assert environment.observation_spec().shape == (3,)
    assert environment.reset().observation.dtype == np.float32


@pytest.mark.parametrize("task", ["CartPol-v1", "cartpole-v1", "CartPole-v9"])
def test_an_unknown_name_names_the_nearest(task):
    with pytest.raises(environments.EnvironmentIdError, match="mean 'CartPole-v1'"):
        _make(task)


def test_an_environment_that_needs_more_says_what():
    with pytest.raises(environments.MissingExtraError, match="nowhere_to_be_found"):
        _make("nowhere_to_be_found:Foo-v0")


def test_the_newest_versions_are_listed():
    ids = environments.list_ids("gym")
    assert "gym:CartPole-v1" in ids
    assert "gym:CartPole-v0" not in ids
