"""D4PG's description."""

from __future__ import annotations

import tensorflow as tf

from tfagents_core import acting, adders, core, replay, specs, types
from tfagents_core.agents.d4pg import config as d4pg_config
from tfagents_core.agents.d4pg import learning, networks


class D4PGBuilder(core.Builder[d4pg_config.D4PGConfig, networks.D4PGNetworks]):
    """Describes D4PG for environments of flat observations and continuous actions."""

    summary = "D4PG (Barth-Maron et al. 2018): continuous actions, C51 critic, n-step"

    @classmethod
    def default_config(cls, environment_id: str) -> d4pg_config.D4PGConfig:
        """The control suite's settings, whatever the environment."""
        del environment_id
        return d4pg_config.D4PGConfig()

    def check(self, spec: specs.EnvironmentSpec) -> None:
        """Refuses all but vectors of observations and of continuous actions."""
        specs.require_continuous_action(spec, "d4pg", alternative="dqn")
        specs.require_vector_observation(spec, "d4pg")
        specs.require_scalar_reward(spec, "d4pg")

    def make_networks(
        self, spec: specs.EnvironmentSpec, *, seed: int
    ) -> networks.D4PGNetworks:
        """The policy and the critic."""
        return networks.make_networks(spec, self.config, seed=seed)

    def make_policy(
        self,
        networks: networks.D4PGNetworks,
        spec: specs.EnvironmentSpec,
        *,
        evaluation: bool,
    ) -> core.Policy:
        """The policy network's action, plus Gaussian noise unless for evaluation."""
        del spec
        sigma = 0.0 if evaluation else self.config.sigma

        def act(observation: tf.Tensor, context: core.PolicyContext) -> tf.Tensor:
            action = networks.policy(observation)  # [K, A]
            return acting.gaussian_noise(action, sigma, seed=context.seed)

        return acting.FeedForwardPolicy(act, networks.policy.trainable_variables)

    def plan_replay(
        self, spec: specs.EnvironmentSpec, extras_spec: types.NestedSpec
    ) -> core.ReplayPlan:
        """One table of n-step transitions, sampled uniformly, oldest out first."""
        return adders.plan_transitions(
            spec, self.config, sampler=replay.Uniform(), extras_spec=extras_spec
        )

    def make_rule(
        self, networks: networks.D4PGNetworks, spec: specs.EnvironmentSpec, *, seed: int
    ) -> core.UpdateRule:
        """The algorithm; it changes `networks` in place."""
        del spec, seed  # Every variable it adds starts as a copy or at zero.
        return learning.D4PG(networks, self.config)
