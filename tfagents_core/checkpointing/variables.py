"""Restores a learner's variables from disk, and computes their digest."""

from __future__ import annotations

import hashlib
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf


def restore_group(
    path: pathlib.Path, group: str, variables: Sequence[tf.Variable]
) -> None:
    """Restores one group of variables from an `.npz` file.

    Args:
        path: the file, whose arrays are named `group/index/name`.
        group: name of the group.
        variables: the variables to assign, in the group's order.

    Raises:
        ValueError: the group in the file has another number of variables or other
            shapes; nothing has been assigned.
    """
    with np.load(path, allow_pickle=False) as values:
        prefix = f"{group}/"
        names = [name for name in values.files if name.startswith(prefix)]
        # By number: as text, index 10 would come before 2.
        names.sort(key=lambda name: int(name.removeprefix(prefix).split("/")[0]))
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
    """SHA-256 of all variables in hexadecimal: equal only for bit-identical values.

    Each variable contributes its name, dtype, shape and bytes, in the order of names.
    """
    sha256 = hashlib.sha256()
    for name in sorted(state):
        value = state[name].numpy()
        sha256.update(f"{name} {value.dtype} {value.shape}\n".encode())
        sha256.update(np.ascontiguousarray(value).tobytes())
    return sha256.hexdigest()
