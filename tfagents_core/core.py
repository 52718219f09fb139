"""The interfaces every agent is made of.

One tick of an agent, whatever the launcher:

    action = actor.select_action(timestep.observation)
    timestep = environments.step(action)
    actor.observe(action, timestep)
    actor.update()                        # fetches new variables
    while learner.can_step():             # inline; elsewhere the table blocks
        learner.step()

Axes: an actor serves K environments at once, so every array it sees or gives has a
leading axis K; one environment is K = 1.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

import dm_env
import numpy as np

from tfagents_core import replay, specs, types

if TYPE_CHECKING:
    import tensorflow as tf

ConfigT = TypeVar("ConfigT")
NetworksT = TypeVar("NetworksT", bound="Networks")


class Actor(abc.ABC):
    """Chooses actions in K environments and hands on what came of them."""

    @abc.abstractmethod
    def select_action(self, observation: types.NestedArray) -> types.NestedArray:
        """Actions `[K, ...]` for observations `[K, ...]`."""

    @abc.abstractmethod
    def observe_first(self, timestep: dm_env.TimeStep) -> None:
        """Takes the first timesteps, `[K, ...]`, all of them `StepType.FIRST`."""

    @abc.abstractmethod
    def observe(
        self, action: types.NestedArray, next_timestep: dm_env.TimeStep
    ) -> None:
        """Takes `action` `[K, ...]` and the timesteps `[K, ...]` it led to.

        Where `next_timestep.step_type[k]` is FIRST, environment k began a new episode
        and `action[k]` was ignored, as dm_env has it.
        """

    def update(self) -> None:
        """Fetches newer variables if it is time to; nothing by default."""

    def state(self) -> dict[str, np.ndarray]:
        """What an actor needs to go on as if never stopped, but for variables."""
        return {}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Goes on from a `state`."""


class Observer(abc.ABC):
    """Makes figures of what passes between an actor and its environments.

    `EnvironmentLoop` calls it after the actor, with the same arguments, and asks for
    an environment's figures when its episode has ended.
    """

    @abc.abstractmethod
    def observe_first(self, timestep: dm_env.TimeStep) -> None:
        """Sees what `Actor.observe_first` saw."""

    @abc.abstractmethod
    def observe(
        self, action: types.NestedArray, next_timestep: dm_env.TimeStep
    ) -> None:
        """Sees what `Actor.observe` saw."""

    @abc.abstractmethod
    def metrics(self, environment: int) -> Mapping[str, float]:
        """Figures of the episode that environment `environment` has just ended."""


class Adder(abc.ABC):
    """Turns the streams of K environments into what the replay stores."""

    @abc.abstractmethod
    def add_first(self, timestep: dm_env.TimeStep) -> None:
        """Begins K episodes with timesteps `[K, ...]`."""

    @abc.abstractmethod
    def add(
        self,
        action: types.NestedArray,
        next_timestep: dm_env.TimeStep,
        extras: types.NestedArray = (),
    ) -> None:
        """Adds what `Actor.observe` saw; `extras` are what the policy said besides."""


class ReplayClient(Protocol):
    """The little of a replay that adders need, so that they serve any backend.

    `replay.Replay` is one as it stands.
    """

    def append(
        self, rows: types.NestedArray, *, first: np.ndarray, last: np.ndarray
    ) -> None:
        """Appends one row `[K, ...]` to each of K streams.

        Args:
            rows: nest of arrays `[K, ...]`, as `adders.row_spec` describes.
            first: bool `[K]`, the row begins an episode.
            last: bool `[K]`, the row ends an episode.
        """


class Networks(Protocol):
    """An agent's networks, as far as those who do not know the agent need them."""

    @property
    def policy_variables(self) -> Sequence[tf.Variable]:
        """What acting needs, in the order of the learner's group `"policy"`."""


class VariableSource(abc.ABC):
    """Gives the present values of named groups of variables."""

    @abc.abstractmethod
    def get_variables(self, names: Sequence[str]) -> list[list[np.ndarray]]:
        """One list of arrays for each name, in the group's own fixed order.

        Raises:
            KeyError: there is no group of that name.
        """


class Learner(VariableSource):
    """Improves an agent's variables from a dataset.

    Attributes:
        num_sgd_steps_per_step: SGD steps that one `step` takes.
    """

    num_sgd_steps_per_step: int = 1

    @abc.abstractmethod
    def can_step(self) -> bool:
        """Whether `step` would find its batches without waiting for them."""

    @abc.abstractmethod
    def step(self) -> Mapping[str, tf.Tensor]:
        """One call of the compiled update; returns scalars worth logging."""

    @property
    @abc.abstractmethod
    def state(self) -> Mapping[str, tf.Variable]:
        """Every variable a resumed run needs, by a name that is stable across runs."""


class Builder(abc.ABC, Generic[ConfigT, NetworksT]):
    """An agent: which tables, adder, dataset, policy and learner belong together.

    The command line finds builders through the entry point group
    `tfagents_core.agents`; the entry's name is the agent's.

    Attributes:
        summary: one line for `tfagents list`: what it is and whose.
        envs_per_actor: environments that an actor serves unless the user says
            otherwise.
        config: the frozen dataclass with every hyper-parameter.
    """

    summary: ClassVar[str]
    envs_per_actor: ClassVar[int] = 1

    def __init__(self, config: ConfigT) -> None:
        self.config = config

    @classmethod
    @abc.abstractmethod
    def default_config(cls, environment_id: str) -> ConfigT:
        """The configuration this agent is published with for such environments."""

    @abc.abstractmethod
    def check(self, spec: specs.EnvironmentSpec) -> None:
        """Refuses an environment the agent cannot act in.

        Raises:
            ValueError: one sentence that says what does not fit and what would.
        """

    @abc.abstractmethod
    def make_networks(self, spec: specs.EnvironmentSpec, seed: int) -> NetworksT:
        """Networks with variables created, initialised from `seed` alone."""

    @abc.abstractmethod
    def make_replay(
        self, spec: specs.EnvironmentSpec, *, num_streams: int, seed: int
    ) -> replay.Replay:
        """The step storage and its tables, for `num_streams` environments."""

    @abc.abstractmethod
    def make_adder(self, spec: specs.EnvironmentSpec, client: ReplayClient) -> Adder:
        """What turns timesteps into rows of `make_replay`'s storage."""

    @abc.abstractmethod
    def make_dataset(self, buffer: replay.Replay, *, prefetch: int) -> tf.data.Dataset:
        """Each element is what a learner step takes; `prefetch` are drawn ahead."""

    @abc.abstractmethod
    def make_policy(
        self, networks: NetworksT, spec: specs.EnvironmentSpec
    ) -> Callable[[types.NestedTensor], types.NestedTensor]:
        """The best action the agent knows: what a snapshot of it does.

        Returns:
            A function of observations `[B, ...]`, for any B, that gives actions
            `[B, ...]`. It holds TensorFlow operations on the networks' variables and
            nothing random, so that it can be saved without this package.
        """

    @abc.abstractmethod
    def make_actor(
        self,
        networks: NetworksT,
        spec: specs.EnvironmentSpec,
        *,
        seed: int,
        adder: Adder | None = None,
        evaluation: bool = False,
    ) -> Actor:
        """An actor that explores, or with `evaluation` one that plays its best."""

    @abc.abstractmethod
    def make_learner(
        self,
        networks: NetworksT,
        spec: specs.EnvironmentSpec,
        *,
        dataset: tf.data.Dataset,
        buffer: replay.Replay | None = None,
    ) -> Learner:
        """The learner, which changes the variables of `networks` in place.

        `buffer` is where new priorities go and what `Learner.can_step` asks; without
        one, as with recorded data, the dataset is always ready.
        """


class Logger(abc.ABC):
    """Takes rows of figures."""

    @abc.abstractmethod
    def write(self, kind: str, values: Mapping[str, Any]) -> None:
        """Writes one row.

        Args:
            kind: `"train"` (an episode), `"eval"` or `"learner"`.
            values: figures by name; always among them `num_actor_steps`,
                `num_learner_steps` and `walltime_s`.
        """

    def close(self) -> None:
        """Writes out what is held back; nothing may be written afterwards."""


def write_all(loggers: Iterable[Logger], kind: str, values: Mapping[str, Any]) -> None:
    """Writes one row to each of `loggers`."""
    for logger in loggers:
        logger.write(kind, values)
