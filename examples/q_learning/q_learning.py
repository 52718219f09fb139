"""A whole agent in one file: Q-learning with a target network.

    python examples/q_learning/q_learning.py [STEPS]

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
    experiments,
    learning,
    losses,
    networks,
    replay,
    specs,
)


@dataclasses.dataclass(frozen=True)
class Config(learning.TransitionConfig):
    """Hyper-parameters; the replay's, the discount and n_step are inherited."""

    epsilon: float = 0.1
    batch_size: int = 32
    samples_per_insert: float = 32.0  # One SGD step for each environment step.
    min_replay_size: int = 100
    max_replay_size: int = 50_000
    learning_rate: float = 1e-3
    target_update_period: int = 100  # SGD steps.


def make_networks(spec, *, seed):
    """Action values `[B, A]` of observations `[B, ...]`."""
    generator = np.random.default_rng(seed)
    w_init = networks.VarianceScaling(generator)
    q = snt.Sequential(
        [
            networks.MLP((64, 64), generator),  # Flattens its input.
            snt.Linear(spec.actions.num_values, w_init=w_init),
        ]
    )
    q(tf.zeros((1, *spec.observations.shape)))  # Creates the variables.
    return q


class QLearning(core.UpdateRule):
    """Minimises a Huber loss of the temporal-difference error.

    loss = huber(r_t + discount_t * max_a q'(o_t, a) - q(o_tm1, a_tm1)),
    where q' is the target network.
    """

    def __init__(self, q, config):
        self._config = config
        self._online, self._target = q, copy.deepcopy(q)
        self._optimizer = learning.Adam(q.trainable_variables, config.learning_rate)
        self.variables = {
            "policy": q.trainable_variables,
            "target": self._target.trainable_variables,
            "optimizer": self._optimizer.variables,
        }

    def update(self, batch, *, seed, num_steps):
        learning.update_periodically(
            self._target.trainable_variables,
            self._online.trainable_variables,
            num_steps=num_steps,
            period=self._config.target_update_period,
        )
        transition = batch.data
        q_t = self._target(transition.next_observation)  # [B, A]
        with tf.GradientTape() as tape:
            td = losses.double_q_learning(
                self._online(transition.observation),  # [B, A]
                transition.action,
                r_t=transition.reward,
                discount_t=transition.discount,
                q_t_value=q_t,
                q_t_selector=q_t,  # The same network twice: plain Q-learning.
            )
            loss = tf.reduce_mean(td.loss)  # []
        variables = self._online.trainable_variables
        norm = self._optimizer.apply(tape.gradient(loss, variables))
        return core.Update({"loss": loss, "gradient_norm": norm})


class Builder(core.Builder[Config, snt.Module]):
    """Describes the agent."""

    summary = "Q-learning with a target network, to read"

    @classmethod
    def default_config(cls, environment_id):
        return Config()

    def check(self, spec):
        specs.require_discrete_action(spec, "q_learning")
        specs.require_array_observation(spec, "q_learning")

    def make_networks(self, spec, *, seed):
        return make_networks(spec, seed=seed)

    def make_policy(self, networks, spec, *, evaluation):
        epsilon = 0.0 if evaluation else self.config.epsilon

        def act(observation, context):
            q = networks(observation)  # [K, A]
            return acting.epsilon_greedy(
                q, epsilon, seed=context.seed, dtype=spec.actions.dtype
            )

        return acting.FeedForwardPolicy(act, networks.trainable_variables)

    def plan_replay(self, spec, extras_spec):
        return adders.plan_transitions(spec, self.config, sampler=replay.Uniform())

    def make_rule(self, networks, spec, *, seed):
        return QLearning(networks, self.config)


def train(environment, num_actor_steps, *, run_dir):
    """Trains one run; `tfagents train q_learning ...` does the same."""
    return experiments.run_experiment(
        experiments.ExperimentConfig(
            agent="q_learning",
            environment=environment,
            builder=Builder(Builder.default_config(environment)),
            num_actor_steps=num_actor_steps,
            run_dir=run_dir,
            eval_every=0,
        )
    )


def main(num_actor_steps):
    """Trains on CartPole, and prints the final evaluation."""
    with tempfile.TemporaryDirectory() as directory:
        result = train(
            "gym:CartPole-v1", num_actor_steps, run_dir=pathlib.Path(directory) / "run"
        )
    print(f"Return {result.episode_return:.1f} after {result.num_actor_steps:,} steps.")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
