"""The agents that installed packages offer.

A package offers an agent by an entry point of the group `tfagents_core.agents`: the
entry's name is the agent's, its object a subclass of `core.Builder`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from importlib import metadata
from typing import Any

from tfagents_core import core
from tfagents_core.environments import errors

_GROUP = "tfagents_core.agents"


def names() -> list[str]:
    """The names of the agents installed, sorted; imports none of them."""
    return sorted(_entry_points())


def check(name: str) -> None:
    """Refuses a name that is no agent's, without importing any.

    Raises:
        ValueError: there is no such agent.
    """
    known = names()
    if not known:
        raise ValueError(
            f"Unknown agent {name!r}: no agents are installed; pip install "
            "'tfagents-core[tf]' brings ours."
        )
    if name not in known:
        raise ValueError(f"Unknown agent {name!r}: {errors.did_you_mean(name, known)}")


def find(name: str) -> type[core.Builder[Any, Any]]:
    """The builder of an agent, imported.

    Raises:
        ValueError: there is no such agent.
    """
    check(name)
    builder: type[core.Builder[Any, Any]] = _entry_points()[name].load()
    return builder


def make_builder(
    name: str, environment_id: str, fields: Mapping[str, Any]
) -> core.Builder[Any, Any]:
    """An agent as a run's `config.json` describes it.

    Args:
        name: the agent's.
        environment_id: the run's environment.
        fields: of the agent's configuration, lists where it has tuples.

    Raises:
        ValueError: there is no such agent, or its configuration has other fields.
    """
    builder = find(name)
    return builder(_replace(builder.default_config(environment_id), fields, name))


def _replace(config: Any, fields: Mapping[str, Any], agent: str) -> Any:
    """`config`, a dataclass that may hold others, with values as JSON has them."""
    unknown = set(fields) - {field.name for field in dataclasses.fields(config)}
    if unknown:
        raise ValueError(
            f"{agent}'s configuration has no field {min(unknown)!r}; the run is of "
            "another version."
        )
    values = {}
    for name, value in fields.items():
        default = getattr(config, name)
        if dataclasses.is_dataclass(default) and isinstance(value, dict):
            value = _replace(default, value, agent)
        values[name] = tuple(value) if isinstance(value, list) else value
    return dataclasses.replace(config, **values)


def _entry_points() -> dict[str, metadata.EntryPoint]:
    return {entry.name: entry for entry in metadata.entry_points(group=_GROUP)}
