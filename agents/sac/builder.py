"""SAC's description."""

from __future__ import annotations

import tensorflow as tf

from tfagents_core import acting, adders, core, replay, specs, types
from tfagents_core.agents.sac import config as sac_config
from tfagents_core.agents.sac import learning, networks


class SACBuilder(core.Builder[sac_config.SACConfig, networks.SACNetworks]):
    """Describes SAC for environments of flat observations and continuous actions."""

    summary = "SAC (Haarnoja et al. 2018): continuous actions, maximum entropy"

    @classmethod
    def default_config(cls, environment_id: str) -> sac_config.SACConfig:
        """The paper's settings, whatever the environment."""
        del environment_id
        return sac_config.SACConfig()

    def check(self, spec: specs.EnvironmentSpec) -> None:
        """Refuses all but vectors of observations and of continuous actions."""
        specs.require_continuous_action(spec, "sac", alternative="dqn")
        specs.require_vector_observation(spec, "sac")
        specs.require_scalar_reward(spec, "sac")

    def make_networks(
        self, spec: specs.EnvironmentSpec, *, seed: int
    ) -> networks.SACNetworks:
        """The policy and the critics."""
        return networks.make_networks(spec, self.config, seed=seed)

    def make_policy(
        self,
        networks: networks.SACNetworks,
        spec: specs.EnvironmentSpec,
        *,
        evaluation: bool,
    ) -> core.Policy:
        """Samples, the first ones uniform; for evaluation, the tanh of the mean."""
        del spec

        def act(observation: tf.Tensor, context: core.PolicyContext) -> tf.Tensor:
            distribution = networks.policy(observation)
            if evaluation:
                return distribution.mode()  # [K, A]
            seeds = tf.unstack(tf.random.split(context.seed, 2))  # [2] each
            return acting.uniform_at_first(
                distribution.sample(seeds[0]),
                num_steps=context.num_steps,
                num_random_steps=self.config.num_random_steps,
                seed=seeds[1],
            )  # [K, A]

        return acting.FeedForwardPolicy(act, networks.policy.trainable_variables)

    def plan_replay(
        self, spec: specs.EnvironmentSpec, extras_spec: types.NestedSpec
    ) -> core.ReplayPlan:
        """One table of transitions, sampled uniformly, oldest out first."""
        return adders.plan_transitions(
            spec, self.config, sampler=replay.Uniform(), extras_spec=extras_spec
        )

    def make_rule(
        self, networks: networks.SACNetworks, spec: specs.EnvironmentSpec, *, seed: int
    ) -> core.UpdateRule:
        """The algorithm; it changes `networks` in place."""
        del seed  # Every variable it adds starts as a copy or at a constant.
        target_entropy = self.config.target_entropy
        if target_entropy is None:
            target_entropy = -float(spec.actions.shape[0])
        return learning.SAC(networks, self.config, target_entropy=target_entropy)
