"""D4PG's wiring."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tfagents_core import acting, adders, core, datasets, replay, specs
from tfagents_core.agents.d4pg import config as d4pg_config
from tfagents_core.agents.d4pg import learning, networks

TABLE = "transitions"


class D4PGBuilder(core.Builder[d4pg_config.D4PGConfig, networks.D4PGNetworks]):
    """Builds D4PG for environments of flat observations and continuous actions."""

    summary = "D4PG (Barth-Maron et al. 2018): continuous actions, C51 critic, n-step"

    @classmethod
    def default_config(cls, environment_id: str) -> d4pg_config.D4PGConfig:
        """The control suite's settings, whatever the environment."""
        del environment_id
        return d4pg_config.D4PGConfig()

    def check(self, spec: specs.EnvironmentSpec) -> None:
        """Refuses what is not a flat observation and an action in [-1, 1]^A.

        Raises:
            ValueError: one sentence that says what does not fit.
        """
        if not spec.is_continuous or len(spec.actions.shape) != 1:
            raise ValueError(
                "d4pg needs one vector of continuous actions, and this environment "
                f"has {specs.describe(spec.actions)}; for discrete actions there is "
                "dqn."
            )
        bounds = spec.actions
        if not (np.all(bounds.minimum == -1) and np.all(bounds.maximum == 1)):
            raise ValueError(
                f"d4pg needs actions in [-1, 1], and this environment has "
                f"{specs.describe(bounds)}; wrap it in "
                "environments.wrappers.CanonicalActions."
            )
        observation = spec.observations
        if not isinstance(observation, specs.Array) or len(observation.shape) != 1:
            raise ValueError(
                "d4pg needs observations that are one vector, and this environment's are "
                f"{specs.describe(observation)}; wrap it in "
                "environments.wrappers.ConcatObservation."
            )

    def make_networks(
        self, spec: specs.EnvironmentSpec, seed: int
    ) -> networks.D4PGNetworks:
        """The policy and the critic."""
        return networks.make_networks(spec, self.config, seed=seed)

    def make_replay(
        self, spec: specs.EnvironmentSpec, *, num_streams: int, seed: int
    ) -> replay.Replay:
        """One table of n-step transitions, uniformly sampled, oldest out first."""
        config = self.config
        table = adders.n_step_table(
            TABLE,
            spec,
            n_step=config.n_step,
            discount=config.discount,
            sampler=replay.Uniform(),
            remover=replay.Fifo(),
            max_size=config.max_replay_size,
            rate_limiter=replay.SampleToInsertRatio.for_batches(
                config.samples_per_insert,
                config.min_replay_size,
                batch_size=config.batch_size * config.num_sgd_steps_per_step,
                max_inserts=num_streams * config.n_step,
            ),
        )
        return replay.Replay(
            adders.row_spec(spec), [table], num_streams=num_streams, seed=seed
        )

    def make_adder(
        self, spec: specs.EnvironmentSpec, client: core.ReplayClient
    ) -> core.Adder:
        """Appends every timestep."""
        return adders.RowAdder(spec, client)

    def make_dataset(self, buffer: replay.Replay, *, prefetch: int) -> tf.data.Dataset:
        """Transitions for a learner step."""
        config = self.config
        return datasets.from_table(
            buffer.tables[TABLE],
            batch_size=config.batch_size * config.num_sgd_steps_per_step,
            prefetch=prefetch,
        )

    def make_policy(
        self, networks: networks.D4PGNetworks, spec: specs.EnvironmentSpec
    ) -> Callable[[tf.Tensor], tf.Tensor]:
        """The policy's own action, without noise."""
        del spec
        policy: Callable[[tf.Tensor], tf.Tensor] = networks.policy
        return policy

    def make_actor(
        self,
        networks: networks.D4PGNetworks,
        spec: specs.EnvironmentSpec,
        *,
        seed: int,
        adder: core.Adder | None = None,
        evaluation: bool = False,
    ) -> core.Actor:
        """Acts with the policy, plus Gaussian noise unless for evaluation."""
        best_action = self.make_policy(networks, spec)
        sigma = 0.0 if evaluation else self.config.sigma

        def policy(
            observation: tf.Tensor, seed: tf.Tensor, num_steps: tf.Tensor
        ) -> tf.Tensor:
            del num_steps
            action = best_action(observation)  # [K, A]
            return acting.gaussian_noise(action, sigma, seed=seed)

        return acting.FeedForwardActor(policy, seed=seed, adder=adder)

    def make_learner(
        self,
        networks: networks.D4PGNetworks,
        spec: specs.EnvironmentSpec,
        *,
        dataset: tf.data.Dataset,
        buffer: replay.Replay | None = None,
    ) -> core.Learner:
        """The learner; it changes `networks` in place."""
        table = None if buffer is None else buffer.tables[TABLE]
        return learning.D4PGLearner(networks, self.config, dataset=dataset, table=table)
