"""Policies on disk, for whoever has TensorFlow and not this package.

A snapshot is a directory that holds a SavedModel and `snapshot.json`, which says what
it is of. Loaded, it has one method, batched, without randomness or memory:

    snapshot = tf.saved_model.load("run/snapshots/step-000000100000")
    action = snapshot.policy(observation)  # [B, ...] to [B, ...], for any B

Observations are nested as the agent's are, of the shapes and dtypes in `snapshot.json`;
actions have the bounds and dtype of the task itself, not the agent's [-1, 1]. The
signature `serving_default` is the same for callers without Python: a named tensor for
each leaf, `observation` and `action` where there is one.
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
from tfagents_core import specs, types
from tfagents_core.checkpointing import directory

_DESCRIPTION = "snapshot.json"
_FORMAT = 1

Policy = Callable[[types.NestedTensor], types.NestedTensor]


@dataclasses.dataclass(frozen=True)
class Origin:
    """What a snapshot is of.

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

    def policy(self, observation: types.NestedTensor) -> types.NestedTensor:
        """Observations `[B, ...]` to actions `[B, ...]` in the task's own bounds."""
        return self.model.policy(observation)


def write(
    path: pathlib.Path,
    policy: Policy,
    *,
    observations: types.NestedSpec,
    actions: types.NestedSpec,
    origin: Origin,
) -> None:
    """Writes a snapshot, whole or not at all; replaces one that is there.

    Args:
        path: the directory to be.
        policy: as `core.Builder.make_policy` gives it: continuous actions are in
            [-1, 1]. The variables it uses are saved with their present values.
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
    """What is saved: `policy`, and the variables that it uses.

    Attributes:
        policy: the method of the SavedModel.
        serve: its signature for callers without Python.
    """

    def __init__(
        self, policy: Policy, observations: types.NestedSpec, actions: types.NestedSpec
    ) -> None:
        super().__init__()

        def act(observation: types.NestedTensor) -> types.NestedTensor:
            action = policy(observation)  # [B, ...]
            return tree.map_structure(_to_own_bounds, action, actions)

        signature = tree.map_structure_with_path(_batched, observations)
        self.policy = tf.function(act, input_signature=[signature])
        self.serve = _without_nests(self.policy, signature)
        # TensorFlow saves what hangs on the module, and refuses functions of the rest.
        self.variables_used = self.serve.variables


def _without_nests(
    policy: Policy, signature: types.Nest
) -> tf.types.experimental.ConcreteFunction:
    """`policy` from and to named tensors."""
    names = [
        _name(path, "observation") for path, _ in tree.flatten_with_path(signature)
    ]

    def act(**leaves: tf.Tensor) -> dict[str, tf.Tensor]:
        action = policy(tree.unflatten_as(signature, [leaves[name] for name in names]))
        return {
            _name(path, "action"): leaf for path, leaf in tree.flatten_with_path(action)
        }

    leaves = dict(zip(names, tree.flatten(signature), strict=True))
    return tf.function(act).get_concrete_function(**leaves)


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


def _name(path: tuple[Any, ...], root: str) -> str:
    """A leaf's name: its path, or `root` where it is all there is."""
    return "_".join(str(key) for key in path) or root


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
