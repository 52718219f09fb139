"""Our own agents, environments and replay pass the contracts that we ship."""

from __future__ import annotations

from typing import Any

import dm_env

from tfagents_core import core, environments, replay, testing
from tfagents_core.agents import d4pg, dqn

SMALL = {"batch_size": 8, "min_replay_size": 16, "max_replay_size": 500}


class TestD4PG(testing.BuilderContract):
    def make_builder(self) -> core.Builder[Any, Any]:
        return d4pg.D4PGBuilder(
            d4pg.D4PGConfig(
                policy_layer_sizes=(8,),
                critic_layer_sizes=(8,),
                num_sgd_steps_per_step=2,
                jit_compile=False,
                **SMALL,
            )
        )

    def make_environment(
        self, *, seed: int, evaluation: bool = False
    ) -> dm_env.Environment:
        return environments.make("control:cartpole:balance", seed=seed)


class TestDQN(testing.BuilderContract):
    def make_builder(self) -> core.Builder[Any, Any]:
        return dqn.DQNBuilder(
            dqn.DQNConfig(layer_sizes=(8,), jit_compile=False, **SMALL)
        )

    def make_environment(
        self, *, seed: int, evaluation: bool = False
    ) -> dm_env.Environment:
        return environments.make("gym:CartPole-v1", seed=seed)


class TestReplay(testing.ReplayClientContract):
    def make_client(self, num_streams: int) -> replay.Replay:
        every_row = replay.Table(
            "rows",
            pattern=replay.Sequence(length=1, period=1),
            outputs=replay.views.Row("reward", 0),
            max_size=100,
            rate_limiter=replay.MinSize(1),
        )
        return replay.Replay(self.rows, [every_row], num_streams=num_streams)

    def count_rows(self, client: core.ReplayClient) -> int:
        assert isinstance(client, replay.Replay)
        return client.tables["rows"].stats().num_inserted


class TestControl(testing.EnvironmentContract):
    def make_environment(
        self, *, seed: int, evaluation: bool = False
    ) -> dm_env.Environment:
        return environments.make("control:cartpole:balance", seed=seed)


class TestGymnasium(testing.EnvironmentContract):
    def make_environment(
        self, *, seed: int, evaluation: bool = False
    ) -> dm_env.Environment:
        return environments.make("gym:CartPole-v1", seed=seed)


class TestBsuite(testing.EnvironmentContract):
    def make_environment(
        self, *, seed: int, evaluation: bool = False
    ) -> dm_env.Environment:
        return environments.make("bsuite:catch/0", seed=seed)


class TestAtari(testing.EnvironmentContract):
    def make_environment(
        self, *, seed: int, evaluation: bool = False
    ) -> dm_env.Environment:
        return environments.make("atari:Pong", seed=seed, evaluation=evaluation)
