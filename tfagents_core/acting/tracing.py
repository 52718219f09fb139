"""`tf.function` that says so when it is traced again."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tree


def function(python_function: Callable[..., Any], name: str, **options: Any) -> Any:
    """Compiles a function that is meant to be traced once.

    Each trace costs seconds, and inputs that keep changing their shapes or dtypes, or
    Python numbers among them, bring one each time. The first that is for other inputs
    gives a warning with both; later ones give none.

    Args:
        python_function: what to compile; takes positional arguments.
        name: what it is called in the warning.
        **options: those of `tf.function`.

    Returns:
        The compiled function.
    """
    seen: list[str] = []

    @tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
    def note(arguments: tuple[Any, ...]) -> None:
        inputs = _describe(arguments)
        if inputs in seen:
            return
        seen.append(inputs)
        if len(seen) == 2:
            warnings.warn(
                f"{name} is compiled again, which takes seconds: first for {seen[0]}, "
                f"now for {inputs}; give it the same shapes and dtypes every time.",
                stacklevel=2,
            )

    def traced(*arguments: Any) -> Any:
        note(arguments)
        return python_function(*arguments)

    return tf.function(traced, **options)


def _describe(arguments: tuple[Any, ...]) -> str:
    """Such as `float32 [1, 4], int32 [2]`; of what is no tensor, the value."""
    return ", ".join(_describe_leaf(leaf) for leaf in tree.flatten(arguments)) or "()"


def _describe_leaf(leaf: Any) -> str:
    if isinstance(leaf, tf.Tensor):
        return f"{leaf.dtype.name} {list(leaf.shape)}"
    return repr(leaf)
