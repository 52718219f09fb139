"""A recurrent agent and its environment, small enough for runs of seconds."""

from __future__ import annotations

import dataclasses
from typing import Any

import dm_env
import numpy as np
import sonnet as snt
import tensorflow as tf

from tfagents_core import adders, core, learning, networks, replay, specs, types

NAME = "recalling"


class Recall(dm_env.Environment):
    """Shows a bit at first and zeros afterwards, and pays 1 for an action equal to it.

    Episodes last 3 to 6 steps. All of it follows from `seed`, in whole numbers.
    """

    def __init__(self) -> None:
        self._seed = 0
        self._is_over = True

    def seed(self, seed: int) -> None:
        """Chooses the next episode."""
        self._seed = seed

    def reset(self) -> dm_env.TimeStep:
        """Shows the bit."""
        self._bit, self._left = self._seed % 2, 3 + self._seed // 2 % 4
        self._is_over = False
        return dm_env.restart(np.array([1, self._bit], np.float32))

    def step(self, action: Any) -> dm_env.TimeStep:
        """Pays for the bit."""
        if self._is_over:
            return self.reset()
        self._left -= 1
        self._is_over = self._left == 0
        end = dm_env.termination if self._is_over else dm_env.transition
        return end(float(int(action) == self._bit), np.zeros(2, np.float32))

    def observation_spec(self) -> specs.Array:
        """Whether an episode begins, and the bit if so."""
        return specs.Array((2,), np.float32)

    def action_spec(self) -> specs.DiscreteArray:
        """A bit."""
        return specs.DiscreteArray(2)


def make_environment(*, seed: int, evaluation: bool = False) -> dm_env.Environment:
    """One whose episodes are seeded one by one."""
    del seed, evaluation  # `environments.make_canonical` calls its `seed`.
    return Recall()


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
    """A part of a configuration, to see that configurations nest."""

    learning_rate: float = 1e-2
    clip_norm: float | None = 10.0


@dataclasses.dataclass(frozen=True)
class Config(learning.TransitionConfig):
    """Few units, few items."""

    batch_size: int = 8
    samples_per_insert: float = 4.0
    min_replay_size: int = 16
    max_replay_size: int = 64
    jit_compile: bool = False
    hidden_size: int = 3
    optimizer: OptimizerConfig = OptimizerConfig()


@dataclasses.dataclass(frozen=True)
class Networks:
    """A core that remembers, and logits `[B, A]` of what it does."""

    core: snt.LSTM
    head: snt.Linear

    @property
    def variables(self) -> tuple[tf.Variable, ...]:
        """Those of both."""
        return (*self.core.trainable_variables, *self.head.trainable_variables)


class RecurrentPolicy(core.Policy):
    """Samples an action, or takes the likeliest; keeps the core state as extras."""

    def __init__(self, networks: Networks, *, evaluation: bool) -> None:
        self._networks = networks
        self._evaluation = evaluation
        self.variables = networks.variables
        size = networks.core.initial_state(1).hidden.shape[-1]
        array = specs.Array((size,), np.float32)
        self.extras_spec = {"core": snt.LSTMState(array, array)}

    def initial_state(self, batch_size: int) -> types.NestedTensor:
        """Zeros."""
        return self._networks.core.initial_state(batch_size)

    def __call__(
        self,
        observation: types.NestedTensor,
        state: types.NestedTensor,
        context: core.PolicyContext,
    ) -> core.PolicyOutput:
        """One step of the core."""
        hidden, next_state = self._networks.core(observation, state)
        logits = self._networks.head(hidden)  # [K, A]
        if not self._evaluation:
            shape, seed = tf.shape(logits), context.seed
            uniform = tf.random.stateless_uniform(shape, seed, minval=1e-6)
            logits -= tf.math.log(-tf.math.log(uniform))  # Gumbel noise.
        action = tf.argmax(logits, axis=-1, output_type=tf.int32)  # [K]
        return core.PolicyOutput(action, next_state, {"core": state})


class Reinforce(core.UpdateRule):
    """Raises the probability of rewarded actions, from the core state kept with them.

    A little noise, from the update's seed, stands for every random update.
    """

    def __init__(self, networks: Networks, config: Config) -> None:
        self._networks = networks
        self._optimizer = learning.Adam(
            networks.variables,
            config.optimizer.learning_rate,
            clip_norm=config.optimizer.clip_norm,
        )
        self.variables = {
            "policy": networks.variables,
            "optimizer": self._optimizer.variables,
        }

    def update(
        self, batch: replay.Sample, *, seed: tf.Tensor, num_steps: tf.Tensor
    ) -> core.Update:
        """One step."""
        del num_steps
        data = batch.data
        noise = tf.random.stateless_uniform(tf.shape(data.reward), seed, 0.0, 0.1)
        with tf.GradientTape() as tape:
            hidden, _ = self._networks.core(data.observation, data.extras["core"])
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
                data.action, self._networks.head(hidden)
            )
            loss = tf.reduce_mean((data.reward + noise) * losses)
        gradients = tape.gradient(loss, self._networks.variables)
        return core.Update({"loss": loss, "norm": self._optimizer.apply(gradients)})


class Builder(core.Builder[Config, Networks]):
    """Describes the agent."""

    summary = "Recurrent, for tests"

    @classmethod
    def default_config(cls, environment_id: str) -> Config:
        """The same everywhere."""
        del environment_id
        return Config()

    def check(self, spec: specs.EnvironmentSpec) -> None:
        """Refuses all but one discrete action."""
        specs.require_discrete_action(spec, NAME)

    def make_networks(self, spec: specs.EnvironmentSpec, *, seed: int) -> Networks:
        """The core and the head, with variables created."""
        generator = np.random.default_rng(seed)
        w_init = networks.VarianceScaling(generator)
        made = Networks(
            snt.LSTM(self.config.hidden_size, w_i_init=w_init, w_h_init=w_init),
            snt.Linear(spec.actions.num_values, w_init=w_init),
        )
        hidden, _ = made.core(
            tf.zeros((1, *spec.observations.shape)), made.core.initial_state(1)
        )
        made.head(hidden)
        return made

    def make_policy(
        self, networks: Networks, spec: specs.EnvironmentSpec, *, evaluation: bool
    ) -> core.Policy:
        """Samples to explore."""
        del spec
        return RecurrentPolicy(networks, evaluation=evaluation)

    def plan_replay(
        self, spec: specs.EnvironmentSpec, extras_spec: types.NestedSpec
    ) -> core.ReplayPlan:
        """One table of transitions with the core state before each."""
        return adders.plan_transitions(
            spec, self.config, sampler=replay.Uniform(), extras_spec=extras_spec
        )

    def make_rule(
        self, networks: Networks, spec: specs.EnvironmentSpec, *, seed: int
    ) -> core.UpdateRule:
        """The algorithm."""
        del spec, seed
        return Reinforce(networks, self.config)
