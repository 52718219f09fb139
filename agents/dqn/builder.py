"""DQN's description."""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from tfagents_core import acting, adders, core, learning, replay, specs, types
from tfagents_core.agents.dqn import config as dqn_config
from tfagents_core.agents.dqn import learning as dqn_learning
from tfagents_core.agents.dqn import networks


class DQNBuilder(core.Builder[dqn_config.DQNConfig, networks.DQNNetworks]):
    """Describes DQN for environments with discrete actions."""

    summary = "DQN (Mnih et al. 2015): double, dueling, prioritised, n-step"

    @classmethod
    def default_config(cls, environment_id: str) -> dqn_config.DQNConfig:
        """The settings for the environment's suite."""
        return dqn_config.DQNConfig.for_environment(environment_id)

    def check(self, spec: specs.EnvironmentSpec) -> None:
        """Refuses all but one observation array and one discrete action."""
        specs.require_discrete_action(spec, "dqn", alternative="d4pg")
        specs.require_array_observation(spec, "dqn")
        specs.require_scalar_reward(spec, "dqn")

    def make_networks(
        self, spec: specs.EnvironmentSpec, *, seed: int
    ) -> networks.DQNNetworks:
        """The action values."""
        return networks.make_networks(spec, self.config, seed=seed)

    def make_policy(
        self,
        networks: networks.DQNNetworks,
        spec: specs.EnvironmentSpec,
        *,
        evaluation: bool,
    ) -> core.Policy:
        """Epsilon-greedy, with an epsilon of its own for evaluation."""
        config, dtype = self.config, spec.actions.dtype

        def epsilon(num_steps: tf.Tensor) -> tf.Tensor:
            if evaluation:
                return tf.constant(config.evaluation_epsilon)
            return learning.linear(
                num_steps,
                config.epsilon_initial,
                config.epsilon_final,
                num_steps=config.epsilon_decay_steps,
            )

        def act(observation: tf.Tensor, context: core.PolicyContext) -> tf.Tensor:
            q = networks.q(observation)  # [K, A]
            return acting.epsilon_greedy(
                q, epsilon(context.num_steps), seed=context.seed, dtype=dtype
            )

        return acting.FeedForwardPolicy(act, networks.q.trainable_variables)

    def plan_replay(
        self, spec: specs.EnvironmentSpec, extras_spec: types.NestedSpec
    ) -> core.ReplayPlan:
        """One table of n-step transitions, by priority, oldest out first."""
        plan = adders.plan_transitions(
            spec,
            self.config,
            sampler=replay.Prioritized(self.config.priority_exponent),
            extras_spec=extras_spec,
            max_abs_reward=self.config.max_abs_reward,
        )
        if not self.config.compress_frames:
            return plan
        return dataclasses.replace(plan, rows=adders.compress_images(plan.rows))

    def make_rule(
        self, networks: networks.DQNNetworks, spec: specs.EnvironmentSpec, *, seed: int
    ) -> core.UpdateRule:
        """The algorithm; it changes `networks` in place."""
        del spec, seed  # Every variable it adds starts as a copy or at zero.
        return dqn_learning.DQN(networks, self.config)
