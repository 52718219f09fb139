"""An agent and an environment that exist for these tests alone."""

import dataclasses
import sys
import types
from importlib import metadata

import dm_env
import numpy as np
import pytest
from dm_env import specs

_GROUP = "tfagents_core.agents"
_ENVIRONMENT = "python:environments_for_tests:make"


class _Environment(dm_env.Environment):
    """Two actions, one step."""

    def reset(self):
        return dm_env.restart(np.zeros(1, np.float32))

    def step(self, action):
        return dm_env.termination(1.0, np.zeros(1, np.float32))

    def observation_spec(self):
        return specs.Array((1,), np.float32)

    def action_spec(self):
        return specs.DiscreteArray(2)


@dataclasses.dataclass(frozen=True)
class Config:
    """What `--set` may change."""

    batch_size: int = 256
    layers: tuple[int, ...] = (64,)

    def __post_init__(self):
        """Refuses impossible values."""
        if self.batch_size < 1:
            raise ValueError(f"batch_size must be positive, not {self.batch_size}.")


class Builder:
    """As much of an agent as the command line touches."""

    summary = "For tests."
    envs_per_actor = 2

    def __init__(self, config):
        self.config = config

    @classmethod
    def default_config(cls, environment_id):
        """The same everywhere."""
        return Config()

    def check(self, spec):
        """Fits no environment."""
        raise ValueError("fake does not fit this environment; nothing would.")


@pytest.fixture(autouse=True)
def _installed(monkeypatch, tmp_path):
    """Offers the agent `fake` alone and the environment above, in an empty folder."""
    real_entry_points = metadata.entry_points
    fake = metadata.EntryPoint("fake", "agents_for_cli_tests:Builder", _GROUP)

    def entry_points(**wanted):
        return [fake] if wanted == {"group": _GROUP} else real_entry_points(**wanted)

    monkeypatch.setattr(metadata, "entry_points", entry_points)
    _add_module(monkeypatch, "agents_for_cli_tests", Builder=Builder)
    _add_module(monkeypatch, "environments_for_tests", make=_Environment)
    monkeypatch.chdir(tmp_path)


def _add_module(monkeypatch, name, **contents):
    module = types.ModuleType(name)
    vars(module).update(contents)
    monkeypatch.setitem(sys.modules, name, module)


@pytest.fixture(name="environment_id")
def _environment_id():
    return _ENVIRONMENT
