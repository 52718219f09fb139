"""The files of a run."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import pathlib
import platform
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

import tfagents_core
from tfagents_core import checkpointing, core
from tfagents_core.experiments import config as experiment_config

_PACKAGES = ("tensorflow", "dm-sonnet", "numpy", "dm-env")


class RunDirectory:
    """Where a run's files are, and how the small ones are written.

    Args:
        path: the directory.

    Attributes:
        path: the directory.
        metrics: one JSON object a line.
        events: TensorBoard events.
    """

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        self.metrics = path / "metrics.jsonl"
        self.events = path / "events"
        self._config = path / "config.json"
        self._result = path / "result.json"
        self._checkpoints = path / "checkpoints"

    def check_unused(self) -> None:
        """Raises RunError if the directory holds a run or is none."""
        if self._config.exists():
            raise experiment_config.RunError(
                f"{self.path} already holds a run; name another directory."
            )
        if self.path.exists() and not self.path.is_dir():
            raise experiment_config.RunError(f"{self.path} is not a directory.")

    def create(self, config: experiment_config.ExperimentConfig) -> None:
        """Makes the directory and writes `config.json`: all it takes to repeat it."""
        self._checkpoints.mkdir(parents=True, exist_ok=True)
        fields = {
            field.name: getattr(config, field.name)
            for field in dataclasses.fields(config)
            if field.name not in ("builder", "observers", "run_dir")
        }
        write_json(
            self._config,
            {
                **fields,
                "agent_config": dataclasses.asdict(config.builder.config),
                "versions": {
                    "python": platform.python_version(),
                    "tfagents-core": tfagents_core.__version__,
                    **{p: importlib.metadata.version(p) for p in _PACKAGES},
                },
            },
        )

    def read_config(self) -> dict[str, Any]:
        """The contents of `config.json`.

        Raises:
            RunError: there is none.
        """
        if not self._config.exists():
            raise experiment_config.RunError(
                f"{self.path} holds no run: there is no config.json in it."
            )
        contents: dict[str, Any] = json.loads(self._config.read_text())
        return contents

    def write_result(self, result: Mapping[str, Any]) -> None:
        """Writes `result.json`."""
        write_json(self._result, result)

    def save(self, state: Mapping[str, tf.Variable], num_actor_steps: int) -> None:
        """Saves the learner's variables as of `num_actor_steps`; keeps that one only."""
        checkpointing.save(
            self._checkpoints / f"variables-{num_actor_steps:012d}.npz", state
        )
        for old in sorted(self._checkpoints.glob("variables-*.npz"))[:-1]:
            old.unlink()

    def restore_policy(self, networks: core.Networks) -> None:
        """Gives a policy its newest saved variables.

        Raises:
            RunError: nothing has been saved.
            ValueError: what was saved is of other networks.
        """
        saved = sorted(self._checkpoints.glob("variables-*.npz"))
        if not saved:
            raise experiment_config.RunError(
                f"{self.path} has no checkpoint yet: the first is written at the "
                "first evaluation."
            )
        checkpointing.restore_group(saved[-1], "policy", networks.policy_variables)


def write_json(path: pathlib.Path, contents: Mapping[str, Any]) -> None:
    """Writes `contents` for people as much as for programs."""
    path.write_text(json.dumps(contents, indent=2) + "\n")
