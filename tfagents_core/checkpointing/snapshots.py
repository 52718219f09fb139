"""Policies on disk, for whoever has TensorFlow and not this package.

A snapshot is a directory that holds a SavedModel and `snapshot.json`, which says which
run and step it is of. Loaded, it acts as the agent does in evaluations, on batches of
any size B:

    snapshot = tf.saved_model.load("run/snapshots/step-000000100000")
    action = snapshot.policy(observation)  # [B, ...] to [B, ...]

A policy with memory takes its state and returns the next one:

    state = snapshot.initial_state(batch_size)  # where an episode begins
    action, state = snapshot.policy(observation, state)

Where the evaluation policy is random, the number of calls since loading seeds it.
Observations are nested as the agent's are, of the shapes and dtypes in `snapshot.json`;
actions have the bounds and dtype of the task itself, not the agent's [-1, 1]. The
signature `serving_default` is the same for callers without Python: a named tensor for
each leaf, `observation` and `action` where there is one; leaves of a state are named
`state`, or `state_<path>`.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import shutil
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
import tree

import tfagents_core
from tfagents_core import core, specs, types
from tfagents_core.checkpointing import directory

_DESCRIPTION = "snapshot.json"
_FORMAT = 1


@dataclasses.dataclass(frozen=True)
class Origin:
    """The run and step that a snapshot is of.

    Attributes:
        agent: the agent's name.
        environment: the environment's id.
        seed: the run's.
        num_actor_steps: environment steps the policy was trained on.
    """

    agent: str
    environment: str
    seed: int
    num_actor_steps: int


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """A snapshot, loaded.

    Attributes:
        origin: what it is of.
        model: as TensorFlow loads it; it owns the variables.
    """

    origin: Origin
    model: Any


class SnapshotPolicy(core.Policy):
    """A loaded snapshot as a policy. It gives actions in the task's own bounds.

    Args:
        snapshot: from `load`.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._model = snapshot.model
        self._has_state = hasattr(snapshot.model, "initial_state")

    def initial_state(self, batch_size: int) -> types.NestedTensor:
        """The state at the start of an episode."""
        return self._model.initial_state(batch_size) if self._has_state else ()

    def __call__(
        self,
        observation: types.NestedTensor,
        state: types.NestedTensor,
        context: core.PolicyContext,
    ) -> core.PolicyOutput:
        """The model's actions."""
        del context  # The model counts its own calls.
        if self._has_state:
            return core.PolicyOutput(*self._model.policy(observation, state))
        return core.PolicyOutput(self._model.policy(observation))


def write(
    path: pathlib.Path,
    policy: core.Policy,
    *,
    observations: types.NestedSpec,
    actions: types.NestedSpec,
    origin: Origin,
) -> None:
    """Writes a snapshot, whole or not at all; replaces one that is there.

    Args:
        path: the directory to be.
        policy: of `core.Builder.make_policy` for evaluation: continuous actions are in
            [-1, 1]. Its variables are saved with their current values.
        observations: spec of what `policy` takes, without the batch's axis.
        actions: spec of the task's own actions, without the batch's axis.
        origin: what it is of.

    Raises:
        OSError: the disk is full or cannot be written; nothing is left behind.
    """
    observations, actions = _plain(observations), _plain(actions)
    module = _Module(policy, observations, actions)
    description = {
        "format": _FORMAT,
        "tfagents-core": tfagents_core.__version__,
        **dataclasses.asdict(origin),
        "observation": tree.map_structure(_describe, observations),
        "action": tree.map_structure(_describe, actions),
    }

    def fill(unfinished: pathlib.Path) -> None:
        try:
            tf.saved_model.save(module, str(unfinished), module.serve)
        except tf.errors.OpError as error:
            raise OSError(error.message) from error
        (unfinished / _DESCRIPTION).write_text(json.dumps(description, indent=2) + "\n")

    if path.exists():
        shutil.rmtree(path)
    directory.write(path, fill)


def load(path: pathlib.Path) -> Snapshot:
    """Loads what `write` wrote.

    Raises:
        ValueError: it is damaged, or of a later version.
    """
    description = _read(path)
    if description["format"] != _FORMAT:
        raise ValueError(
            f"The snapshot {path} has format {description['format']}, and this version "
            f"reads {_FORMAT}: it is of tfagents-core {description['tfagents-core']}."
        )
    names = [field.name for field in dataclasses.fields(Origin)]
    return Snapshot(
        origin=Origin(**{name: description[name] for name in names}),
        model=tf.saved_model.load(str(path)),
    )


def is_snapshot(path: pathlib.Path) -> bool:
    """Whether there is a snapshot at `path`, intact or not."""
    return (path / _DESCRIPTION).is_file()


def _read(path: pathlib.Path) -> dict[str, Any]:
    if not directory.is_intact(path):
        raise ValueError(
            f"The snapshot {path} is damaged: its files are not as they were written; "
            "use another."
        )
    description: dict[str, Any] = json.loads((path / _DESCRIPTION).read_text())
    return description


class _Module(tf.Module):
    """What is saved: the policy and its variables.

    Attributes:
        policy: the method of the SavedModel.
        initial_state: where the policy has memory, the method that begins an episode.
        serve: `policy` as a signature for callers without Python.
    """

    def __init__(
        self,
        policy: core.Policy,
        observations: types.NestedSpec,
        actions: types.NestedSpec,
    ) -> None:
        super().__init__()
        self._num_calls = tf.Variable(0, trainable=False, name="num_calls")
        call = _Call(policy, actions, self._num_calls)
        signature = [tree.map_structure_with_path(_batched, observations)]
        self.policy = tf.function(call.without_state, input_signature=signature)
        first = policy.initial_state(1)
        if tree.flatten(first):
            self.initial_state = tf.function(
                policy.initial_state, input_signature=[tf.TensorSpec((), tf.int32)]
            )
            signature.append(tree.map_structure_with_path(_batched_state, first))
            self.policy = tf.function(call.with_state, input_signature=signature)
        self.serve = _without_nests(self.policy, signature)
        # TensorFlow saves what hangs on the module, and refuses functions of the rest.
        # `initial_state` may read variables that a call does not.
        self.variables_used = [*self.serve.variables, *policy.variables]


class _Call:
    """One call of a policy outside a run."""

    def __init__(
        self, policy: core.Policy, actions: types.NestedSpec, num_calls: tf.Variable
    ) -> None:
        self._policy = policy
        self._actions = actions
        self._num_calls = num_calls

    def with_state(
        self, observation: types.NestedTensor, state: types.NestedTensor
    ) -> tuple[types.NestedTensor, types.NestedTensor]:
        """Actions in the task's own bounds, and the next state."""
        size = tf.shape(tree.flatten(observation)[0])[0]
        context = core.PolicyContext(
            seed=tf.stack([0, self._num_calls.assign_add(1)]),
            num_steps=tf.zeros((), tf.int64),
            stream=tf.range(size),
            num_streams=size,
        )
        output = self._policy(observation, state, context)
        action = tree.map_structure(_to_own_bounds, output.action, self._actions)
        return action, output.state

    def without_state(self, observation: types.NestedTensor) -> types.NestedTensor:
        """Actions in the task's own bounds."""
        action, _ = self.with_state(observation, ())
        return action


def _without_nests(
    policy: Callable[..., types.NestedTensor], signature: list[types.Nest]
) -> tf.types.experimental.ConcreteFunction:
    """`policy` from and to named tensors."""
    roots = ("observation", "state")[: len(signature)]
    names = [
        [_name(path, root) for path, _ in tree.flatten_with_path(nest)]
        for root, nest in zip(roots, signature, strict=True)
    ]

    def act(**leaves: tf.Tensor) -> dict[str, tf.Tensor]:
        arguments = [
            tree.unflatten_as(nest, [leaves[name] for name in own])
            for nest, own in zip(signature, names, strict=True)
        ]
        outputs = policy(*arguments)
        nests = outputs if len(roots) > 1 else (outputs,)
        return {
            _name(path, root): leaf
            for root, nest in zip(("action", "state"), nests, strict=False)
            for path, leaf in tree.flatten_with_path(nest)
        }

    inputs = dict(zip(tree.flatten(names), tree.flatten(signature), strict=True))
    return tf.function(act).get_concrete_function(**inputs)


def _to_own_bounds(action: tf.Tensor, spec: specs.Array) -> tf.Tensor:
    """As `environments.wrappers.CanonicalActions` has it, operation by operation."""
    if isinstance(spec, specs.DiscreteArray):
        return tf.cast(action, spec.dtype)
    middle, half_range = specs.middle_and_half_range(spec)
    scaled = middle + half_range * tf.cast(action, tf.float64)  # [B, ...]
    clipped = tf.minimum(
        tf.maximum(scaled, np.float64(spec.minimum)), np.float64(spec.maximum)
    )
    return tf.cast(clipped, spec.dtype)


def _batched(path: tuple[Any, ...], spec: specs.Array) -> tf.TensorSpec:
    return tf.TensorSpec((None, *spec.shape), spec.dtype, _name(path, "observation"))


def _batched_state(path: tuple[Any, ...], leaf: tf.Tensor) -> tf.TensorSpec:
    return tf.TensorSpec((None, *leaf.shape[1:]), leaf.dtype, _name(path, "state"))


def _name(path: tuple[Any, ...], root: str) -> str:
    """A leaf's name: its path, or `root` where it is all there is.

    Names of a state begin with `state`, as those of observations may be the same.
    """
    prefix = ["state"] if root == "state" else []
    return "_".join([*prefix, *map(str, path)]) or root


def _plain(spec: types.NestedSpec) -> types.NestedSpec:
    """The same nest with dictionaries for mappings, which load without their class."""
    if isinstance(spec, Mapping):
        return {key: _plain(inner) for key, inner in spec.items()}
    if isinstance(spec, (tuple, list)):
        return tuple(_plain(inner) for inner in spec)
    return spec


def _describe(spec: specs.Array) -> dict[str, Any]:
    """A leaf as JSON has it; bounds only where they are finite."""
    described: dict[str, Any] = {"shape": list(spec.shape), "dtype": str(spec.dtype)}
    if isinstance(spec, specs.DiscreteArray):
        return {**described, "num_values": int(spec.num_values)}
    if isinstance(spec, specs.BoundedArray):
        bounds = {"minimum": spec.minimum, "maximum": spec.maximum}
        described.update(
            {k: v.tolist() for k, v in bounds.items() if np.all(np.isfinite(v))}
        )
    return described
