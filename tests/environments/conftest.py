"""What the tests of several suites share."""

import numpy as np
import pytest
import tree


def _play(environment, num_steps, *, seed=0):
    """Resets and takes random actions; an episode's end stops it early."""
    rng = np.random.default_rng(seed)
    spec = environment.action_spec()
    timesteps = [environment.reset()]
    while len(timesteps) <= num_steps and not timesteps[-1].last():
        timesteps.append(environment.step(_random_action(spec, rng)))
    return timesteps


def _random_action(spec, rng):
    if np.issubdtype(spec.dtype, np.integer):
        return spec.dtype.type(rng.integers(spec.num_values))
    return rng.uniform(spec.minimum, spec.maximum, spec.shape).astype(spec.dtype)


def _are_equal(first, second):
    """Whether two lists of time steps agree bit for bit."""
    leaves = tree.flatten(first), tree.flatten(second)
    return len(leaves[0]) == len(leaves[1]) and all(
        np.array_equal(a, b) for a, b in zip(*leaves, strict=True)
    )


@pytest.fixture
def play():
    return _play


@pytest.fixture
def are_equal():
    return _are_equal


@pytest.fixture
def check_episodes_are_pure():
    """A check that an episode follows from seed, number and actions alone."""

    def check(make, *, num_steps=50):
        environment = make(seed=3)
        episodes = [_play(environment, num_steps, seed=n) for n in range(3)]
        assert environment.episode_number == 3

        fresh = make(seed=3)
        fresh.next_episode_number = 2
        assert _are_equal(_play(fresh, num_steps, seed=2), episodes[2])
        fresh.next_episode_number = 0
        assert _are_equal(_play(fresh, num_steps, seed=0), episodes[0])
        assert fresh.episode_number == 1

    return check
