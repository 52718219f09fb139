"""`--set field=value`: changes to an agent's configuration."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from tfagents_core.cli import numbers
from tfagents_core.environments import errors

ConfigT = TypeVar("ConfigT")

_WORDS = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}


def override(config: ConfigT, settings: Iterable[str]) -> ConfigT:
    """A copy of `config` with the fields that `settings` name changed.

    Values are read as the field's annotated type: `int` (also `1e6` and `1_000`),
    `float`, `bool` (`true` or `false`), `str`, `Literal`, `tuple[int, ...]` and the
    like (`256,256`), and any of them `| None` (`none`). A field of a nested dataclass
    is named with dots: `optimizer.learning_rate=1e-4`.

    Args:
        config: a dataclass.
        settings: each `field=value`; of two for one field the later one counts.

    Raises:
        ValueError: a setting has no `=`, names no field, holds a value of another
            type, or is refused by `config` itself.
    """
    # All changes are made at once: the checks of a configuration are of several fields.
    changes: dict[str, Any] = {}
    for setting in settings:
        path, equals, text = (part.strip() for part in setting.partition("="))
        if not equals or not path:
            raise ValueError(f"--set {setting} is not of the form field=value.")
        *outer, name = path.split(".")
        inner, inner_changes = config, changes
        for part in outer:
            _check_field(inner, part, setting)
            inner = getattr(inner, part)
            inner_changes = inner_changes.setdefault(part, {})
        hint = _check_field(inner, name, setting)
        inner_changes[name] = _parse(name, text, hint, setting=setting)
    return typing.cast(ConfigT, _replace(config, changes))


def _replace(config: Any, changes: dict[str, Any]) -> Any:
    """A copy of the dataclass `config` with `changes`, nested where it is."""
    values = {
        name: _replace(getattr(config, name), value)
        if dataclasses.is_dataclass(getattr(config, name))
        else value
        for name, value in changes.items()
    }
    return dataclasses.replace(config, **values)


def _check_field(config: Any, name: str, setting: str) -> Any:
    """The type of the field `name`; ValueError if `config` has no such field."""
    if not dataclasses.is_dataclass(config):
        raise ValueError(
            f"--set {setting}: only a field of fields has a dot after its name, and "
            f"there is no {name!r} in {config!r}."
        )
    hints = typing.get_type_hints(type(config))
    fields = {f.name: hints[f.name] for f in dataclasses.fields(config) if f.init}
    if name not in fields:
        guess = errors.did_you_mean(name, fields)
        raise ValueError(f"--set {setting}: the agent has no field {name!r}: {guess}")
    return fields[name]


def _parse(name: str, text: str, hint: Any, *, setting: str) -> Any:
    """The value of the field `name`, whose type is `hint`."""
    try:
        return _read(text, hint)
    except ValueError:
        raise ValueError(
            f"--set {setting}: {name} must be {_describe(hint)}, not {text!r}."
        ) from None


def _read(text: str, hint: Any) -> Any:
    """`text` as a value of the type `hint`; ValueError if it is none."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return _read_union(text, arguments)
    if origin is typing.Literal:
        return _read_literal(text, arguments)
    if origin is tuple:
        return _read_tuple(text, arguments)
    return _READERS.get(hint, _unreadable)(text)


def _read_union(text: str, arms: tuple[Any, ...]) -> Any:
    """`text` as the first of `arms` that takes it; None is written `none`."""
    if type(None) in arms and text.lower() == "none":
        return None
    for arm in arms:
        try:
            return _read(text, arm)
        except ValueError:
            continue
    raise ValueError(text)


def _read_literal(text: str, choices: tuple[Any, ...]) -> Any:
    by_text = {str(choice): choice for choice in choices}
    if text not in by_text:
        raise ValueError(text)
    return by_text[text]


def _read_tuple(text: str, kinds: tuple[Any, ...]) -> tuple[Any, ...]:
    """Comma-separated values, in round brackets or without."""
    text = text.removeprefix("(").removesuffix(")").strip().removesuffix(",")
    parts = [part.strip() for part in text.split(",")] if text else []
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        return tuple(_read(part, kinds[0]) for part in parts)
    if len(parts) != len(kinds):
        raise ValueError(text)
    return tuple(_read(part, kind) for part, kind in zip(parts, kinds, strict=True))


def _read_bool(text: str) -> bool:
    if text.lower() not in _WORDS:
        raise ValueError(text)
    return _WORDS[text.lower()]


def _unreadable(text: str) -> Any:
    raise ValueError(text)


_READERS: dict[Any, Callable[[str], Any]] = {
    bool: _read_bool,
    int: numbers.parse_whole,
    float: float,
    str: str,
}
_DESCRIPTIONS: dict[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    type(None): "none",
}


def _describe(hint: Any) -> str:
    """The type `hint` in words, for an error."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return " or ".join(_describe(arm) for arm in arguments)
    if origin is typing.Literal:
        return "one of " + ", ".join(str(choice) for choice in arguments)
    if origin is tuple:
        return _describe_tuple(arguments)
    return _DESCRIPTIONS.get(hint, f"a {getattr(hint, '__name__', hint)} set in code")


def _describe_tuple(kinds: tuple[Any, ...]) -> str:
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        return f"{_describe(kinds[0]).removeprefix('a ')}s with commas between"
    return " and ".join(_describe(kind) for kind in kinds) + " with commas between"
