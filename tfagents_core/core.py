"""The interfaces every agent is made of, and the records that pass between them.

An agent describes itself: its networks, how it acts (`Policy`), how it learns
(`UpdateRule`) and what its replay holds (`ReplayPlan`); a `Builder` gives the four
descriptions. The framework builds actors, replay and learner from them and runs one
tick after another:

    action = actor.select_action(timestep.observation)
    environments.send(action)
    while learner.can_step():             # inline; elsewhere the learner waits
        learner.step()
    timestep = environments.receive()
    actor.observe(action, timestep)
    actor.update()                        # fetches new variables

Axes: an actor serves K environments at once, so every array it takes or returns has a
leading axis K; one environment is K = 1.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar

import dm_env
import numpy as np
import tree

from tfagents_core import replay, specs, types

if TYPE_CHECKING:
    import tensorflow as tf

ConfigT = TypeVar("ConfigT", bound="LearnerConfig")
NetworksT = TypeVar("NetworksT")


class EnvironmentFactory(Protocol):
    """Makes an environment from a seed."""

    def __call__(self, *, seed: int, evaluation: bool = False) -> dm_env.Environment:
        """A new environment.

        Args:
            seed: all randomness of the environment follows from it.
            evaluation: whether scores are measured here, so that training aids such as
                clipped rewards are left out.
        """


class PolicyContext(NamedTuple):
    """What a policy may depend on beside observations and its state.

    Attributes:
        seed: int32 `[2]`, new at every call: the only source of randomness, through
            TensorFlow's stateless operations.
        num_steps: int64 `[]`, environment steps this actor has taken so far, over all
            its environments; exploration schedules follow it.
        stream: int32 `[K]`, the index of each environment among all environments of
            the run, in `[0, num_streams)`; exploration may differ between them.
        num_streams: environments of the whole run.
    """

    seed: tf.Tensor
    num_steps: tf.Tensor
    stream: tf.Tensor
    num_streams: int


class PolicyOutput(NamedTuple):
    """What a policy decides for K environments.

    Attributes:
        action: `[K, ...]`.
        state: `[K, ...]`, what the policy remembers until its next call.
        extras: `[K, ...]`, stored in the replay beside the action: log-probabilities,
            the core state before this step, search counts.
    """

    action: types.NestedTensor
    state: types.NestedTensor = ()
    extras: types.NestedTensor = ()


class Policy(abc.ABC):
    """How an agent acts: pure TensorFlow, batched over K environments.

    A policy keeps nothing between calls; all it remembers goes through `state`. So one
    object serves any number of environments, is compiled by whoever runs it, and is
    what a snapshot saves.

    Attributes:
        variables: all variables that a call reads, trainable or not (normalisation
            statistics too), in a fixed order. Actors fetch them, `tfagents evaluate`
            restores them, and a snapshot keeps them.
        extras_spec: nest of array specs of `PolicyOutput.extras`, without the axis K.
    """

    variables: Sequence[tf.Variable] = ()
    extras_spec: types.NestedSpec = ()

    def initial_state(self, batch_size: int) -> types.NestedTensor:
        """The state at the start of an episode, `[batch_size, ...]`; none by default.

        Args:
            batch_size: K; an `int`, or an `int32` scalar tensor in a snapshot.
        """
        del batch_size
        return ()

    @abc.abstractmethod
    def __call__(
        self,
        observation: types.NestedTensor,
        state: types.NestedTensor,
        context: PolicyContext,
    ) -> PolicyOutput:
        """Chooses the next actions.

        Args:
            observation: `[K, ...]`.
            state: `[K, ...]`, from the call before, or `initial_state` where an
                episode begins.
            context: seed, step count and indices of the environments.
        """


class Update(NamedTuple):
    """What one call of an `UpdateRule` returns.

    Attributes:
        metrics: scalars worth logging; all of them must stay finite.
        priorities: `[B]` float by table, new priorities of the batch's items; tables
            that are not named keep theirs.
    """

    metrics: Mapping[str, tf.Tensor]
    priorities: Mapping[str, tf.Tensor] = {}


class UpdateRule(abc.ABC):
    """An algorithm: its variables, and what a batch does to them.

    A rule draws no batch, writes no file and knows no launcher; `learning.Learner`
    drives it. A rule may hold another rule and change the batches that it sees
    (intrinsic rewards, augmentation) or add to what it does.

    Attributes:
        variables: every variable a resumed run needs, in groups by name. The group
            `"policy"` lists `Policy.variables`, in that order.
        num_sgd_steps: SGD steps that one call of `update` takes; rules that go over a
            batch several times take more than one.
    """

    variables: Mapping[str, Sequence[tf.Variable]]
    num_sgd_steps: int = 1

    @abc.abstractmethod
    def update(self, batch: Any, *, seed: tf.Tensor, num_steps: tf.Tensor) -> Update:
        """One update on one batch; compiled, so it must be pure TensorFlow.

        Args:
            batch: a `replay.Sample` of tensors; where the plan has several tables to
                sample from, a dict of them by table.
            seed: int32 `[2]`, new at every call: the only source of randomness.
            num_steps: int64 `[]`, calls of `update` before this one.
        """


@dataclasses.dataclass(frozen=True)
class ReplayPlan:
    """What an agent's replay holds and how it is sampled: plain data, for any backend.

    Attributes:
        rows: nest of array specs of a stored row, as `adders.row_spec` makes it.
        tables: tables that actors fill. A `replay.SampleToInsertRatio` without an
            error buffer gets it from the framework, which knows the batch size and the
            rows per append.
        batch_sizes: items that one update takes, by table.
        max_abs_reward: rewards are clipped to plus or minus this before they are
            stored; None stores them as they are.
    """

    rows: types.NestedSpec
    tables: Sequence[replay.Table]
    batch_sizes: Mapping[str, int]
    max_abs_reward: float | None = None

    def __post_init__(self) -> None:
        """Refuses batch sizes of tables that do not exist."""
        names = {table.name for table in self.tables}
        unknown = sorted(set(self.batch_sizes) - names)
        if unknown or not self.batch_sizes:
            raise ValueError(
                f"batch_sizes names {unknown or 'no table'}; the plan's tables are "
                f"{sorted(names)}."
            )


class Actor(abc.ABC):
    """Chooses actions in K environments and passes on what it observes."""

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
        and ignored `action[k]`, as dm_env specifies.
        """

    def update(self) -> None:
        """Fetches newer variables if it is time to; nothing by default."""

    def state(self) -> dict[str, np.ndarray]:
        """All that a resumed actor needs, except its variables."""
        return {}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Resumes from a `state`."""


class Observer(abc.ABC):
    """Computes per-episode metrics from the interaction.

    `EnvironmentLoop` calls it after the actor, with the same arguments, and asks for
    an environment's metrics when its episode has ended.
    """

    @abc.abstractmethod
    def observe_first(self, timestep: dm_env.TimeStep) -> None:
        """Takes what `Actor.observe_first` took."""

    @abc.abstractmethod
    def observe(
        self, action: types.NestedArray, next_timestep: dm_env.TimeStep
    ) -> None:
        """Takes what `Actor.observe` took."""

    @abc.abstractmethod
    def metrics(self, environment: int) -> Mapping[str, float]:
        """Metrics of the episode that environment `environment` has just ended."""


class Adder(abc.ABC):
    """Turns the timesteps of K environments into what the replay stores."""

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
        """Adds one tick.

        Args:
            action: `[K, ...]`, as `Actor.observe` took it.
            next_timestep: `[K, ...]`, as `Actor.observe` took it.
            extras: `[K, ...]`, additional policy outputs stored with the action, such
                as log-probabilities.
        """


class ReplayClient(Protocol):
    """The write-side replay interface that adders use.

    `replay.Replay` has it.
    """

    def append(
        self, rows: types.NestedArray, *, first: np.ndarray, last: np.ndarray
    ) -> object:
        """Appends one row `[K, ...]` to each of K streams.

        Args:
            rows: nest of arrays `[K, ...]`, as `adders.row_spec` describes.
            first: bool `[K]`, the row begins an episode.
            last: bool `[K]`, the row ends an episode.
        """


class BatchSource(abc.ABC):
    """Where a learner's batches come from and its priorities go.

    A batch is a `replay.Sample` of arrays or tensors with static shapes, or, from
    several tables, a dict of them by table. Its arrays are `[B, ...]` (`[T, B, ...]`
    where a table is time-major), with another axis in front where several updates are
    drawn at once.
    """

    @abc.abstractmethod
    def is_ready(self) -> bool:
        """Whether `next` would return without waiting."""

    @abc.abstractmethod
    def next(self) -> Any:
        """The next batch. A signal that arrives while this waits is handled at once.

        Raises:
            TimeoutError: the batch did not come in time; the message says why.
        """

    def batch_axes(self, batch: Any) -> Any:
        """The axis of the items in each array, to share a batch between devices.

        Args:
            batch: what one update takes.

        Returns:
            A nest like `batch` of ints; 0 everywhere by default.
        """
        return tree.map_structure(lambda _: 0, batch)

    @abc.abstractmethod
    def update_priorities(
        self, table: str, keys: np.ndarray, priorities: np.ndarray
    ) -> None:
        """Sets the priorities of items of `table`.

        Args:
            table: its name.
            keys: int64 `[B]`, as `SampleInfo.key` has them.
            priorities: float64 `[B]`, finite and not negative.
        """


class VariableClient(Protocol):
    """Keeps an actor's own variables as new as the learner's."""

    def update(self) -> None:
        """Called after every tick; fetches newer values if it is time to."""


class Learner(abc.ABC):
    """Improves an agent's variables from batches.

    Attributes:
        num_sgd_steps_per_step: SGD steps that one `step` takes.
    """

    num_sgd_steps_per_step: int = 1

    @abc.abstractmethod
    def can_step(self) -> bool:
        """Whether `step` would find its batches without waiting for them."""

    @abc.abstractmethod
    def step(self) -> Mapping[str, np.ndarray]:
        """One call of the compiled update; returns scalars worth logging."""

    @abc.abstractmethod
    def get_variables(self, names: Sequence[str]) -> list[list[np.ndarray]]:
        """The values of groups of variables, each in its own fixed order.

        Raises:
            KeyError: there is no group of that name.
        """

    @property
    @abc.abstractmethod
    def state(self) -> Mapping[str, tf.Variable]:
        """Every variable a resumed run needs, by a name that is stable across runs."""


class LearnerConfig(Protocol):
    """The fields of an agent's configuration that the framework reads.

    `learning.LearnerConfig` has them, with their checks.
    """

    @property
    def num_sgd_steps_per_step(self) -> int:
        """Updates in one call of the learner, on batches drawn together."""

    @property
    def jit_compile(self) -> bool:
        """Whether XLA compiles the update."""


class Builder(abc.ABC, Generic[ConfigT, NetworksT]):
    """Describes an agent; the framework builds and wires the parts.

    The command line finds builders through the entry point group
    `tfagents_core.agents`; the entry's name is the agent's. The methods up to
    `make_rule` describe the agent. The ones after it have defaults that suit nearly
    every agent, and are there for the one whose actor, adder or learner is its own.

    Attributes:
        summary: one line for `tfagents list`: what it is and whose.
        envs_per_actor: environments that an actor serves unless the user says
            otherwise.
        config: the frozen dataclass with every hyper-parameter, usually a subclass of
            `learning.LearnerConfig` or `learning.ReplayConfig`.
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
        """Refuses an environment the agent cannot act in; see `specs.require_*`.

        Raises:
            ValueError: one sentence that says what does not fit and what would.
        """

    @abc.abstractmethod
    def make_networks(self, spec: specs.EnvironmentSpec, *, seed: int) -> NetworksT:
        """Networks with variables created, initialised from `seed` alone."""

    @abc.abstractmethod
    def make_policy(
        self, networks: NetworksT, spec: specs.EnvironmentSpec, *, evaluation: bool
    ) -> Policy:
        """How the agent acts.

        Args:
            networks: whose variables the policy reads.
            spec: the environments' specs.
            evaluation: whether to play its best instead of exploring. Evaluations and
                snapshots use this policy; its variables are those of the other one.
        """

    @abc.abstractmethod
    def plan_replay(
        self, spec: specs.EnvironmentSpec, extras_spec: types.NestedSpec
    ) -> ReplayPlan:
        """What the replay holds.

        Args:
            spec: the environments' specs.
            extras_spec: `Policy.extras_spec` of the exploring policy.
        """

    @abc.abstractmethod
    def make_rule(
        self, networks: NetworksT, spec: specs.EnvironmentSpec, *, seed: int
    ) -> UpdateRule:
        """The algorithm, which changes the variables of `networks` in place.

        Args:
            networks: from `make_networks`.
            spec: the environments' specs.
            seed: for variables that the rule creates and initialises at random.
        """

    def make_adder(
        self, spec: specs.EnvironmentSpec, client: ReplayClient, *, plan: ReplayPlan
    ) -> Adder:
        """Turns timesteps into rows of the plan; appends every timestep by default."""
        from tfagents_core import adders

        return adders.RowAdder(
            spec,
            client,
            extras_spec=plan.rows.extras,
            max_abs_reward=plan.max_abs_reward,
        )

    def make_actor(
        self,
        policy: Policy,
        spec: specs.EnvironmentSpec,
        *,
        seed: int,
        environment_factory: EnvironmentFactory,
        **options: Any,
    ) -> Actor:
        """The actor that runs `policy`; `acting.PolicyActor` by default.

        Args:
            policy: from `make_policy`.
            spec: the environments' specs.
            seed: all randomness of the actor follows from it.
            environment_factory: makes environments, for actors that plan with one.
            **options: the other arguments of `acting.PolicyActor`: where its timesteps
                go, where its variables come from, which environments it serves.
        """
        from tfagents_core import acting

        del spec, environment_factory
        return acting.PolicyActor(policy, seed=seed, **options)

    def make_learner(
        self, rule: UpdateRule, source: BatchSource, *, seed: int
    ) -> Learner:
        """The learner that drives `rule`; `learning.Learner` by default.

        Args:
            rule: from `make_rule`.
            source: where batches come from and priorities go.
            seed: all randomness of the updates follows from it.
        """
        from tfagents_core import learning

        return learning.Learner(
            rule,
            source,
            seed=seed,
            num_updates_per_step=self.config.num_sgd_steps_per_step,
            jit_compile=self.config.jit_compile,
        )


class Logger(abc.ABC):
    """Takes rows of metrics."""

    @abc.abstractmethod
    def write(self, kind: str, values: Mapping[str, Any]) -> None:
        """Writes one row.

        Args:
            kind: `"train"` (an episode), `"eval"`, `"also_eval"` or `"learner"`.
            values: metrics by name; always among them `num_actor_steps`,
                `num_learner_steps` and `walltime_s`.
        """

    def close(self) -> None:
        """Flushes and closes; nothing may be written afterwards."""


def write_all(loggers: Iterable[Logger], kind: str, values: Mapping[str, Any]) -> None:
    """Writes one row to each of `loggers`."""
    for logger in loggers:
        logger.write(kind, values)
