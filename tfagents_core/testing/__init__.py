"""Tests of the framework's contracts, for your agents, policies and environments.

Each class has the tests of one interface and a few hooks that say what is tested. It
works with pytest and, beside `unittest.TestCase`, with unittest:

    class TestMyAgent(testing.BuilderContract):
        def make_builder(self):
            return my_agent.Builder(my_agent.Config(batch_size=8, min_replay_size=16))

        def make_environment(self, *, seed, evaluation=False):
            return environments.make("gym:CartPole-v1", seed=seed)

Our own agents pass the same tests.
"""

from tfagents_core.testing.builders import BuilderContract
from tfagents_core.testing.clients import ReplayClientContract
from tfagents_core.testing.environments import EnvironmentContract
from tfagents_core.testing.policies import PolicyContract
from tfagents_core.testing.rules import UpdateRuleContract
from tfagents_core.testing.values import check_fits, sample

__all__ = [
    "BuilderContract",
    "EnvironmentContract",
    "PolicyContract",
    "ReplayClientContract",
    "UpdateRuleContract",
    "check_fits",
    "sample",
]
