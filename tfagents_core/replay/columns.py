"""Columns, and nests of them: how structured steps map to flat arrays and back."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import operator
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import tree

# Any nest of dicts, lists, tuples and NamedTuples.
Nest = Any
Path = str | int | tuple[Hashable, ...]
_T = TypeVar("_T")

_MAX_AXES = 16


@dataclasses.dataclass(frozen=True)
class Column:
    """One field of every step: a fixed shape and a NumPy dtype.

    Attributes:
        shape: extents, all known; `()` for a scalar.
        dtype: bool, an integer or a float of at most 64 bits, native byte order; also
            `ml_dtypes.bfloat16`, that of TensorFlow and JAX, or its name.
        compression: "lz4" compresses rows once their block of memory is full; it is
            meant for images. None stores them uncompressed. Sampled values are the same
            either way.

    Raises:
        ValueError: when the shape or dtype cannot be stored, or the compression is not
            known.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    compression: str | None = None

    def __init__(
        self,
        shape: Sequence[int],
        dtype: npt.DTypeLike,
        *,
        compression: str | None = None,
    ) -> None:
        extents = tuple(_extent(n, shape) for n in shape)
        if len(extents) > _MAX_AXES:
            raise ValueError(f"shape {extents} has more than {_MAX_AXES} axes")
        numpy_dtype = _numpy_dtype(dtype)
        known = numpy_dtype.kind in "biuf" and numpy_dtype.itemsize <= 8
        if not known and numpy_dtype.name != "bfloat16":
            raise ValueError(
                f"dtype {numpy_dtype} cannot be stored; use bool, an integer or a "
                "float of at most 64 bits, or bfloat16"
            )
        if not numpy_dtype.isnative:
            raise ValueError(f"dtype {numpy_dtype} is not in native byte order")
        if compression not in (None, "lz4"):
            raise ValueError(
                f"compression is {compression!r}; it must be 'lz4' or None"
            )
        object.__setattr__(self, "shape", extents)
        object.__setattr__(self, "dtype", numpy_dtype)
        object.__setattr__(self, "compression", compression)

    def __repr__(self) -> str:
        how = f", compression={self.compression!r}" if self.compression else ""
        return f"Column({self.shape}, {self.dtype.name}{how})"


def _numpy_dtype(dtype: npt.DTypeLike) -> np.dtype[Any]:
    if isinstance(dtype, str) and dtype == "bfloat16":
        try:
            import ml_dtypes  # Only bfloat16 needs it.
        except ImportError:
            raise ValueError(
                "NumPy has bfloat16 by way of ml_dtypes only: pip install ml_dtypes"
            ) from None
        dtype = ml_dtypes.bfloat16
    return np.dtype(dtype)


def _extent(n: Any, shape: Any) -> int:
    try:
        extent = operator.index(n)
    except TypeError:
        extent = -1
    if extent < 0:
        raise ValueError(f"shape {shape} has an extent that is not a known size >= 0")
    return extent


def path_name(path: Path) -> str:
    """`("observation", "position")` as "observation/position"."""
    return "/".join(str(part) for part in as_path(path)) or "step"


def as_path(path: Path) -> tuple[Hashable, ...]:
    """A path as a tuple of keys."""
    return path if isinstance(path, tuple) else (path,)


def to_columns(steps: Nest) -> Nest:
    """`steps` with each leaf converted to a `Column` by its shape and dtype.

    A leaf that is a `Column` keeps its compression; other leaves get none.

    Raises:
        ValueError: naming a leaf that has no shape or dtype, or cannot be stored.
    """

    def convert(path: tuple[Hashable, ...], leaf: Any) -> Column:
        shape, dtype = getattr(leaf, "shape", None), getattr(leaf, "dtype", None)
        if shape is None or dtype is None:
            raise ValueError(
                f"column '{path_name(path)}' is {leaf!r}; it must have a shape and a "
                "dtype, such as replay.Column(shape, dtype)"
            )
        if isinstance(leaf, Column):
            return leaf
        try:
            return Column(shape, getattr(dtype, "as_numpy_dtype", dtype))
        except (TypeError, ValueError) as error:
            raise ValueError(f"column '{path_name(path)}': {error}") from error

    return tree.map_structure_with_path(convert, steps)


def select(nest: Nest, path: Path) -> Nest:
    """The part of `nest` at `path`.

    Raises:
        ValueError: naming what there is, when there is no such part.
    """
    at = nest
    for part in as_path(path):
        children = _children(at)
        if children is None or part not in children:
            known = ", ".join(repr(name) for name in children or ())
            raise ValueError(
                f"there is no column '{path_name(path)}': {part!r} is not among "
                f"({known})"
            )
        at = children[part]
    return at


def children(nest: Nest) -> Iterable[Nest]:
    """The parts of a dict, list, tuple or NamedTuple; none of a leaf."""
    return (_children(nest) or {}).values()


def _children(nest: Nest) -> Mapping[Hashable, Nest] | None:
    if isinstance(nest, Mapping):
        return nest
    if isinstance(nest, tuple) and hasattr(nest, "_fields"):
        return dict(zip(nest._fields, nest))
    if isinstance(nest, (tuple, list)):
        return dict(enumerate(nest))
    return None


def make_flatten(structure: Nest) -> Callable[[Nest], list[Any]]:
    """A fast `tree.flatten_up_to(structure, ...)` for one structure.

    Returns:
        A function from a nest of that structure to the list of its leaves, in the order
        of `tree.flatten`. It raises ValueError when the structure differs.
    """
    visit = _make_visit(structure)

    def flatten(nest: Nest) -> list[Any]:
        leaves: list[Any] = []
        try:
            visit(nest, leaves)
        except (LookupError, TypeError) as error:
            raise _structure_error(structure, error) from error
        return leaves

    return flatten


def _structure_error(structure: Nest, error: Exception) -> ValueError:
    names = [path_name(path) for path, _ in tree.flatten_with_path(structure)]
    detail = f"missing {error}" if isinstance(error, KeyError) else str(error)
    return ValueError(
        f"the structure is not that of the declared one, whose leaves are {names}: "
        f"{detail}"
    )


_Visit = Callable[[Nest, list[Any]], None]


def _make_visit(structure: Nest) -> _Visit:
    if isinstance(structure, Mapping):
        return _visit_mapping(structure)
    if isinstance(structure, (tuple, list)):
        return _visit_sequence(structure)
    if tree.is_nested(structure):
        return lambda nest, leaves: leaves.extend(tree.flatten_up_to(structure, nest))
    return lambda nest, leaves: leaves.append(nest)


def _visit_mapping(structure: Mapping[Any, Nest]) -> _Visit:
    keys = sorted(structure)
    flat = len(keys) > 1 and not any(tree.is_nested(structure[key]) for key in keys)
    getter = operator.itemgetter(*keys) if flat else None
    visits = [(key, _make_visit(structure[key])) for key in keys]

    def visit(nest: Nest, leaves: list[Any]) -> None:
        if len(nest) != len(visits):
            raise TypeError(f"expected the keys {keys}, got {list(nest)}")
        if getter is not None:
            leaves.extend(getter(nest))
            return
        for key, visit_child in visits:
            visit_child(nest[key], leaves)

    return visit


def _visit_sequence(structure: Sequence[Nest]) -> _Visit:
    visits = [_make_visit(child) for child in structure]
    flat = not any(tree.is_nested(child) for child in structure)

    def visit(nest: Nest, leaves: list[Any]) -> None:
        if not isinstance(nest, (tuple, list)) or len(nest) != len(visits):
            raise TypeError(f"expected a tuple of {len(visits)}, got {type(nest)}")
        if flat:
            leaves.extend(nest)
            return
        for child, visit_child in zip(nest, visits):
            visit_child(child, leaves)

    return visit


def make_unflatten(structure: Nest) -> Callable[[Sequence[Any]], Nest]:
    """A fast `tree.unflatten_as(structure, ...)` for one structure.

    Returns:
        A function from the list of leaves, in the order of `tree.flatten`, to the nest.
    """
    if not _is_plain(structure):
        return lambda leaves: tree.unflatten_as(structure, leaves)
    return _make_build(structure, itertools.count())


def _is_plain(structure: Nest) -> bool:
    """Whether all inner nodes are dicts, lists, tuples or NamedTuples."""
    if type(structure) is dict:
        return all(_is_plain(child) for child in structure.values())
    if isinstance(structure, (tuple, list)):
        known = type(structure) in (tuple, list) or hasattr(structure, "_fields")
        return known and all(_is_plain(child) for child in structure)
    return not tree.is_nested(structure)


def _make_build(
    structure: Nest, indices: Iterator[int]
) -> Callable[[Sequence[Any]], Nest]:
    if isinstance(structure, dict):
        keys = sorted(structure)
        build_all = _make_build_all([structure[key] for key in keys], indices)
        return lambda leaves: dict(zip(keys, build_all(leaves), strict=True))
    if isinstance(structure, (tuple, list)):
        build_all = _make_build_all(structure, indices)
        make = make_tuple(type(structure)) if isinstance(structure, tuple) else list
        return lambda leaves: make(build_all(leaves))
    return operator.itemgetter(next(indices))


def _make_build_all(
    structures: Sequence[Nest], indices: Iterator[int]
) -> Callable[[Sequence[Any]], Sequence[Nest]]:
    """What builds several nests of successive leaves."""
    if structures and not any(tree.is_nested(structure) for structure in structures):
        first, *_ = (next(indices) for _ in structures)
        return operator.itemgetter(slice(first, first + len(structures)))
    builds = [_make_build(structure, indices) for structure in structures]
    return lambda leaves: [build(leaves) for build in builds]


def make_tuple(kind: type[_T]) -> Callable[[Iterable[Any]], _T]:
    """What makes a tuple of this type, which may be a NamedTuple's, of its fields.

    A third of the time that a NamedTuple's own constructor takes.
    """
    return functools.partial(tuple.__new__, kind)  # type: ignore[type-var]
