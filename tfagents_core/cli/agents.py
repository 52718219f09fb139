"""What each agent is, in one line, without importing it.

Importing a builder imports TensorFlow, which takes seconds and has no place in a list.
"""

from __future__ import annotations

import ast
import importlib.machinery
import pathlib
import sys
from collections.abc import Sequence
from importlib import metadata

from tfagents_core import registry


def summaries() -> dict[str, str]:
    """`core.Builder.summary` of every agent installed, by name.

    It is read from the builder's source; a builder whose source cannot be read so is
    imported after all.
    """
    entries = metadata.entry_points(group="tfagents_core.agents")
    modules = {entry.name: (entry.module, entry.attr) for entry in entries}
    return {
        name: find_summary(*modules[name]) or registry.find(name).summary
        for name in registry.names()
    }


def find_summary(module: str, class_name: str) -> str | None:
    """The `summary` of a class in `module`, or in where `module` imports it from."""
    spec = _find_spec(module)
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return None
    for node in ast.parse(pathlib.Path(spec.origin).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef) and node.name == class_name:
            return _summary_of(node)
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            imported = {alias.asname or alias.name: alias.name for alias in node.names}
            if class_name in imported:
                return find_summary(node.module, imported[class_name])
    return None


def _summary_of(node: ast.ClassDef) -> str | None:
    """The text assigned to `summary` in a class's body."""
    for statement in node.body:
        target, value = _assignment(statement)
        if isinstance(target, ast.Name) and target.id == "summary":
            text = value.value if isinstance(value, ast.Constant) else None
            return text if isinstance(text, str) else None
    return None


def _assignment(statement: ast.stmt) -> tuple[ast.expr | None, ast.expr | None]:
    """What `statement` assigns to what, annotated or not."""
    if isinstance(statement, ast.Assign):
        return statement.targets[0], statement.value
    if isinstance(statement, ast.AnnAssign):
        return statement.target, statement.value
    return None, None


def _find_spec(module: str) -> importlib.machinery.ModuleSpec | None:
    """Where `module` is, without importing the packages above it."""
    path: Sequence[str] | None = None
    spec = None
    parts = module.split(".")
    for end in range(1, len(parts) + 1):
        spec = _search(".".join(parts[:end]), path)
        if spec is None:
            return None
        path = spec.submodule_search_locations
    return spec


def _search(
    name: str, path: Sequence[str] | None
) -> importlib.machinery.ModuleSpec | None:
    """What the first of the interpreter's finders that knows `name` says of it."""
    for finder in sys.meta_path:
        spec = finder.find_spec(name, path)
        if spec is not None:
            return spec
    return None
