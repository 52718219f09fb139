"""PPO's description."""

from __future__ import annotations

from typing import ClassVar

from tfagents_core import acting, adders, core, replay, specs, types
from tfagents_core.agents.ppo import config as ppo_config
from tfagents_core.agents.ppo import learning, networks


class PPOBuilder(core.Builder[ppo_config.PPOConfig, networks.PPONetworks]):
    """Describes PPO for environments with discrete or continuous actions."""

    summary = "PPO (Schulman et al. 2017): on-policy, clipped ratios, GAE"
    envs_per_actor: ClassVar[int] = 8

    @classmethod
    def default_config(cls, environment_id: str) -> ppo_config.PPOConfig:
        """The settings for the environment's suite."""
        return ppo_config.PPOConfig.for_environment(environment_id)

    def check(self, spec: specs.EnvironmentSpec) -> None:
        """Refuses all but one observation array and one action or vector of actions."""
        if not spec.is_discrete:
            specs.require_continuous_action(spec, "ppo")
        specs.require_array_observation(spec, "ppo")
        specs.require_scalar_reward(spec, "ppo")

    def make_networks(
        self, spec: specs.EnvironmentSpec, *, seed: int
    ) -> networks.PPONetworks:
        """The policy, the value and the statistics of observations."""
        return networks.make_networks(spec, self.config, seed=seed)

    def make_policy(
        self,
        networks: networks.PPONetworks,
        spec: specs.EnvironmentSpec,
        *,
        evaluation: bool,
    ) -> core.Policy:
        """Draws actions; in evaluation, takes the likeliest."""
        del spec
        return acting.StochasticPolicy(
            networks.act, networks.policy_variables, evaluation=evaluation
        )

    def plan_replay(
        self, spec: specs.EnvironmentSpec, extras_spec: types.NestedSpec
    ) -> core.ReplayPlan:
        """A queue of unrolls, each of which is used in one update only."""
        config = self.config
        table = adders.unroll_table(
            "unrolls",
            spec,
            length=config.unroll_length,
            extras_spec=extras_spec,
            sampler=replay.Fifo(),
            max_size=config.num_unrolls,
            max_times_sampled=1,
            rate_limiter=replay.Queue(config.num_unrolls),
        )
        return core.ReplayPlan(
            rows=adders.row_spec(spec, extras_spec),
            tables=[table],
            batch_sizes={"unrolls": config.num_unrolls},
            max_abs_reward=config.max_abs_reward,
        )

    def make_rule(
        self, networks: networks.PPONetworks, spec: specs.EnvironmentSpec, *, seed: int
    ) -> core.UpdateRule:
        """The algorithm; it changes `networks` in place."""
        del spec, seed  # Every variable it adds starts at zero.
        return learning.PPO(networks, self.config)
