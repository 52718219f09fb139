"""A learner's variables on disk, and their fingerprint."""

from __future__ import annotations

import hashlib
import os
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf


def save(path: pathlib.Path, state: Mapping[str, tf.Variable]) -> None:
    """Writes variables to one `.npz` file, whole or not at all.

    The file is written beside its place, flushed to the disk and then renamed, so
    that a reader finds the old file or the new one. No pickle.

    Args:
        path: where to write.
        state: variables by name, as `core.Learner.state` gives them.
    """
    unfinished = path.with_name(path.name + ".unfinished")
    with open(unfinished, "wb") as file:
        np.savez(file, **{name: v.numpy() for name, v in state.items()})
        file.flush()
        os.fsync(file.fileno())
    os.replace(unfinished, path)


def restore_group(
    path: pathlib.Path, group: str, variables: Sequence[tf.Variable]
) -> None:
    """Gives one group of variables the values in a file that `save` wrote.

    Args:
        path: the file.
        group: names the group; its variables are saved as `group/index/name`.
        variables: what to set, in the group's order.

    Raises:
        ValueError: the file's group has another number of variables or other shapes.
    """
    with np.load(path, allow_pickle=False) as values:
        names = [name for name in values.files if name.startswith(f"{group}/")]
        names.sort(key=lambda name: int(name.split("/")[1]))
        saved = [values[name] for name in names]
    shapes = [value.shape for value in saved], [tuple(v.shape) for v in variables]
    if shapes[0] != shapes[1]:
        raise ValueError(
            f"{path} does not fit these networks: its {group} has shapes {shapes[0]}, "
            f"theirs are {shapes[1]}."
        )
    for variable, value in zip(variables, saved, strict=True):
        variable.assign(value)


def digest(state: Mapping[str, tf.Variable]) -> str:
    """SHA-256 of all variables in the order of their names, in hexadecimal.

    Each contributes its name, dtype, shape and bytes.
    """
    sha256 = hashlib.sha256()
    for name in sorted(state):
        value = state[name].numpy()
        sha256.update(f"{name} {value.dtype} {value.shape}\n".encode())
        sha256.update(np.ascontiguousarray(value).tobytes())
    return sha256.hexdigest()
