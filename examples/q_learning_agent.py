"""A whole agent in one file: Q-learning with a target network, on CartPole.

    python examples/q_learning_agent.py [STEPS]

docs/agents.md goes through it part by part.
"""

import copy
import dataclasses
import pathlib
import sys
import tempfile

import numpy as np
import sonnet as snt
import tensorflow as tf

from tfagents_core import (
    acting,
    adders,
    core,
    datasets,
    experiments,
    learning,
    losses,
    networks,
    replay,
)


@dataclasses.dataclass(frozen=True)
class Config:
    """Hyper-parameters; each field's unit is in its name or beside it."""

    epsilon: float = 0.1
    discount: float = 0.99
    batch_size: int = 32
    learning_rate: float = 1e-3
    target_update_period: int = 100  # SGD steps.


@dataclasses.dataclass(frozen=True)
class Networks:
    """Action values `[B, A]` of observations `[B, D]`."""

    q: snt.Module

    @property
    def policy_variables(self):
        return self.q.trainable_variables


class Learner(learning.SGDLearner):
    """minimise huber(r_t + discount_t * max_a q'(o_t, a) - q(o_tm1, a_tm1))."""

    def __init__(self, online, config, *, dataset, table):
        self._config = config
        self._online, self._target = online, copy.deepcopy(online)
        self._optimizer = learning.Adam(online.policy_variables, config.learning_rate)
        super().__init__(
            dataset,
            {
                "policy": online.policy_variables,
                "target": self._target.policy_variables,
                "optimizer": self._optimizer.variables,
            },
            batch_size=config.batch_size,
            table=table,
        )

    def _update(self, sample):
        learning.update_periodically(
            self._target.policy_variables,
            self._online.policy_variables,
            num_learner_steps=self._num_learner_steps,
            period=self._config.target_update_period,
        )
        transition = sample.data
        q_t = self._target.q(transition.next_observation)  # [B, A]
        with tf.GradientTape() as tape:
            td = losses.double_q_learning(
                self._online.q(transition.observation),  # [B, A]
                transition.action,
                r_t=transition.reward,
                discount_t=transition.discount,
                q_t_value=q_t,
                q_t_selector=q_t,  # The same network twice: plain Q-learning.
            )
            loss = tf.reduce_mean(td.loss)  # []
        variables = self._online.policy_variables
        self._optimizer.apply(tape.gradient(loss, variables))
        return learning.Update({"loss": loss})


class Builder(core.Builder[Config, Networks]):
    """Says which parts belong together."""

    summary = "Q-learning with a target network, to read"

    @classmethod
    def default_config(cls, environment_id):
        return Config()

    def check(self, spec):
        if not spec.is_discrete:
            raise ValueError("q_learning needs discrete actions.")

    def make_networks(self, spec, seed):
        generator = np.random.default_rng(seed)
        w_init = networks.VarianceScaling(generator)
        q = snt.Sequential(
            [
                networks.MLP((64, 64), generator),
                snt.Linear(spec.actions.num_values, w_init=w_init),
            ]
        )
        q(tf.zeros((1, *spec.observations.shape)))  # Creates the variables.
        return Networks(q)

    def make_replay(self, spec, *, num_streams, seed):
        table = adders.n_step_table(
            "transitions",
            spec,
            n_step=1,
            discount=self.config.discount,
            sampler=replay.Uniform(),
            max_size=50_000,
            rate_limiter=replay.SampleToInsertRatio.for_batches(
                self.config.batch_size,  # One SGD step for each environment step.
                100,
                batch_size=self.config.batch_size,
                max_inserts=num_streams,
            ),
        )
        return replay.Replay(
            adders.row_spec(spec), [table], num_streams=num_streams, seed=seed
        )

    def make_adder(self, spec, client):
        return adders.RowAdder(spec, client)

    def make_dataset(self, buffer, *, prefetch):
        return datasets.from_table(
            buffer.tables["transitions"],
            batch_size=self.config.batch_size,
            prefetch=prefetch,
        )

    def make_policy(self, networks, spec):
        return lambda observation: acting.greedy(networks.q(observation))

    def make_actor(self, networks, spec, *, seed, adder=None, evaluation=False):
        epsilon = 0.0 if evaluation else self.config.epsilon

        def policy(observation, seed, num_steps):
            return acting.epsilon_greedy(networks.q(observation), epsilon, seed=seed)

        return acting.FeedForwardActor(policy, seed=seed, adder=adder)

    def make_learner(self, networks, spec, *, dataset, buffer=None):
        table = None if buffer is None else buffer.tables["transitions"]
        return Learner(networks, self.config, dataset=dataset, table=table)


def main(num_actor_steps: int) -> None:
    """Trains, and prints what the final evaluation came to."""
    with tempfile.TemporaryDirectory() as directory:
        result = experiments.run_experiment(
            experiments.ExperimentConfig(
                agent="q_learning",
                environment="gym:CartPole-v1",
                builder=Builder(Config()),
                num_actor_steps=num_actor_steps,
                run_dir=pathlib.Path(directory) / "run",
                eval_every=0,
            )
        )
    print(f"Return {result.episode_return:.1f} after {result.num_actor_steps:,} steps.")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
