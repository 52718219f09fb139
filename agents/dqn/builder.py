"""DQN's wiring."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from tfagents_core import acting, adders, core, datasets, replay, schedules, specs
from tfagents_core.agents.dqn import config as dqn_config
from tfagents_core.agents.dqn import learning, networks

TABLE = "transitions"


class DQNBuilder(core.Builder[dqn_config.DQNConfig, networks.DQNNetworks]):
    """Builds DQN for environments with discrete actions."""

    summary = "DQN (Mnih et al. 2015): double, dueling, prioritised, n-step"

    @classmethod
    def default_config(cls, environment_id: str) -> dqn_config.DQNConfig:
        """The settings for the environment's suite."""
        presets = {
            "atari": dqn_config.DQNConfig.for_atari,
            "bsuite": dqn_config.DQNConfig.for_bsuite,
        }
        suite, _, _ = environment_id.partition(":")
        return presets.get(suite, dqn_config.DQNConfig)()

    def check(self, spec: specs.EnvironmentSpec) -> None:
        """Refuses what is not one observation array and one discrete action.

        Raises:
            ValueError: one sentence that says what does not fit.
        """
        if not spec.is_discrete:
            raise ValueError(
                "dqn needs discrete actions, and this environment has "
                f"{specs.describe(spec.actions)}; for continuous actions there is d4pg."
            )
        if not isinstance(spec.observations, specs.Array):
            raise ValueError(
                "dqn needs observations that are one array, and this environment's are "
                f"{specs.describe(spec.observations)}; wrap it in "
                "environments.wrappers.ConcatObservation."
            )

    def make_networks(
        self, spec: specs.EnvironmentSpec, seed: int
    ) -> networks.DQNNetworks:
        """The action values."""
        return networks.make_networks(spec, self.config, seed=seed)

    def make_replay(
        self, spec: specs.EnvironmentSpec, *, num_streams: int, seed: int
    ) -> replay.Replay:
        """One table of n-step transitions, by priority, oldest out first."""
        config = self.config
        table = adders.n_step_table(
            TABLE,
            spec,
            n_step=config.n_step,
            discount=config.discount,
            sampler=replay.Prioritized(config.priority_exponent),
            remover=replay.Fifo(),
            max_size=config.max_replay_size,
            rate_limiter=replay.SampleToInsertRatio.for_batches(
                config.samples_per_insert,
                config.min_replay_size,
                batch_size=config.batch_size * config.num_sgd_steps_per_step,
                max_inserts=num_streams * config.n_step,
            ),
        )
        rows = adders.row_spec(spec)
        if config.compress_frames:
            rows = adders.compress_images(rows)
        return replay.Replay(rows, [table], num_streams=num_streams, seed=seed)

    def make_adder(
        self, spec: specs.EnvironmentSpec, client: core.ReplayClient
    ) -> core.Adder:
        """Appends every timestep, its reward clipped where the config says so."""
        return adders.RowAdder(spec, client, max_abs_reward=self.config.max_abs_reward)

    def make_dataset(self, buffer: replay.Replay, *, prefetch: int) -> tf.data.Dataset:
        """Transitions for a learner step."""
        config = self.config
        return datasets.from_table(
            buffer.tables[TABLE],
            batch_size=config.batch_size * config.num_sgd_steps_per_step,
            prefetch=prefetch,
        )

    def make_policy(
        self, networks: networks.DQNNetworks, spec: specs.EnvironmentSpec
    ) -> Callable[[tf.Tensor], tf.Tensor]:
        """The action of the highest value."""

        def policy(observation: tf.Tensor) -> tf.Tensor:
            q = networks.q(observation)  # [B, A]
            return acting.greedy(q, dtype=spec.actions.dtype)

        return policy

    def make_actor(
        self,
        networks: networks.DQNNetworks,
        spec: specs.EnvironmentSpec,
        *,
        seed: int,
        adder: core.Adder | None = None,
        evaluation: bool = False,
    ) -> core.Actor:
        """Acts epsilon-greedily, with the evaluation's own epsilon if for that."""
        config = self.config

        def epsilon(num_steps: tf.Tensor) -> tf.Tensor:
            if evaluation:
                return tf.constant(config.evaluation_epsilon)
            return schedules.linear(
                num_steps,
                config.epsilon_initial,
                config.epsilon_final,
                num_steps=config.epsilon_decay_steps,
            )

        def policy(
            observation: tf.Tensor, seed: tf.Tensor, num_steps: tf.Tensor
        ) -> tf.Tensor:
            q = networks.q(observation)  # [K, A]
            return acting.epsilon_greedy(
                q, epsilon(num_steps), seed=seed, dtype=spec.actions.dtype
            )

        return acting.FeedForwardActor(policy, seed=seed, adder=adder)

    def make_learner(
        self,
        networks: networks.DQNNetworks,
        spec: specs.EnvironmentSpec,
        *,
        dataset: tf.data.Dataset,
        buffer: replay.Replay | None = None,
    ) -> core.Learner:
        """The learner; it changes `networks` in place."""
        table = None if buffer is None else buffer.tables[TABLE]
        return learning.DQNLearner(networks, self.config, dataset=dataset, table=table)
