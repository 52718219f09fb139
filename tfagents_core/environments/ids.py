"""Environment ids: `suite:task?option=value&option=value`.

A suite declares its options as a dataclass with fields of type `bool`, `int`, `float`
or `str`, or one of these `| None`; a value in an id is parsed as its field's type.
"""

from __future__ import annotations

import dataclasses
import types
import typing
import urllib.parse
from collections.abc import Callable
from typing import Any, TypeVar

from tfagents_core.environments import errors

_Options = TypeVar("_Options")
_EXAMPLES = "'control:cartpole:swingup', 'atari:Pong', 'gym:CartPole-v1'"


@dataclasses.dataclass(frozen=True)
class EnvironmentId:
    """A parsed environment id, whose suite, task and options may not exist.

    Attributes:
        text: the whole id, as the user wrote it.
        suite: the part before the first colon.
        task: the part between that colon and the question mark.
        options: values by name, not yet parsed.
    """

    text: str
    suite: str
    task: str
    options: dict[str, str]


def parse(text: str) -> EnvironmentId:
    """Splits an environment id into suite, task and options.

    Args:
        text: such as `control:cartpole:swingup` or `atari:Pong?sticky_actions=false`.
            Options are percent-encoded, as in a URL.

    Raises:
        errors.EnvironmentIdError: if `text` is not of this form.
    """
    name, has_query, query = text.partition("?")
    suite, _, task = name.partition(":")
    if not suite or not task:
        raise errors.EnvironmentIdError(
            f"Environment id {text!r} is not of the form 'suite:task', such as "
            f"{_EXAMPLES}."
        )
    return EnvironmentId(text, suite, task, _parse_query(text, query, has_query))


def _parse_query(text: str, query: str, has_query: str) -> dict[str, str]:
    if not has_query:
        return {}
    try:
        pairs = urllib.parse.parse_qsl(query, strict_parsing=True)
    except ValueError:
        pairs = []
    if not pairs or any(not name for name, _ in pairs):
        raise errors.EnvironmentIdError(
            f"The options of environment id {text!r} are not of the form "
            "'?option=value&option=value'."
        )
    options = dict(pairs)
    if len(options) < len(pairs):
        raise errors.EnvironmentIdError(
            f"Environment id {text!r} gives an option more than once."
        )
    return options


def read_options(environment_id: EnvironmentId, declared: type[_Options]) -> _Options:
    """Parses the options of an id into an instance of `declared`.

    Args:
        environment_id: the parsed id.
        declared: the suite's dataclass of options; a field that the id does not set
            keeps its default.

    Raises:
        errors.EnvironmentIdError: if an option is not declared, cannot be parsed as its
            field's type, or is refused by `declared` itself.
    """
    hints = typing.get_type_hints(declared)
    values = {}
    for name, word in environment_id.options.items():
        if name not in hints:
            raise errors.EnvironmentIdError(
                _unknown_option(environment_id, name, hints)
            )
        values[name] = _read_value(environment_id, name, word, hint=hints[name])
    try:
        return declared(**values)
    except ValueError as error:
        raise errors.EnvironmentIdError(
            f"Environment id {environment_id.text!r}: {error}"
        ) from error


def _unknown_option(
    environment_id: EnvironmentId, name: str, known: dict[str, Any]
) -> str:
    if not known:
        return f"Suite {environment_id.suite!r} takes no options, but got {name!r}."
    return (
        f"Suite {environment_id.suite!r} has no option {name!r}: "
        + errors.did_you_mean(name, known)
    )


def _read_bool(word: str) -> bool:
    if word not in ("true", "false"):
        raise ValueError
    return word == "true"


_READERS: dict[type, tuple[Callable[[str], Any], str]] = {
    bool: (_read_bool, "true or false"),
    int: (int, "an integer"),
    float: (float, "a number"),
    str: (str, "a word"),
}


def _read_value(
    environment_id: EnvironmentId, name: str, word: str, *, hint: Any
) -> Any:
    if isinstance(hint, types.UnionType):  # `int | None`; an id cannot say None.
        hint = next(arm for arm in typing.get_args(hint) if arm is not type(None))
    reader, what = _READERS[hint]
    try:
        return reader(word)
    except ValueError:
        raise errors.EnvironmentIdError(
            f"Option {name!r} of environment id {environment_id.text!r} must be "
            f"{what}, not {word!r}."
        ) from None
