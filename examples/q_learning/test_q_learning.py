"""The agent passes the contracts and learns."""

import q_learning

from tfagents_core import environments, testing


class TestContract(testing.BuilderContract):
    def make_builder(self):
        return q_learning.Builder(
            q_learning.Config(batch_size=8, min_replay_size=16, jit_compile=False)
        )

    def make_environment(self, *, seed, evaluation=False):
        return environments.make("gym:CartPole-v1", seed=seed, evaluation=evaluation)


def test_the_agent_catches_the_ball(tmp_path):
    result = q_learning.train("bsuite:catch/0", 5_000, run_dir=tmp_path / "run")
    random_play = -0.6
    assert result.episode_return > random_play + 0.8
