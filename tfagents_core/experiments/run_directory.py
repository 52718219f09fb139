"""The files of a run."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import importlib.metadata
import json
import os
import pathlib
import platform
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

import tfagents_core
from tfagents_core import checkpointing, core
from tfagents_core.experiments import config as experiment_config

_PACKAGES = ("tensorflow", "dm-sonnet", "numpy", "dm-env")
_STEP = "step-"


class RunDirectory:
    """Where a run's files are, and how the small ones are read and written.

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

    def check(self, config: experiment_config.ExperimentConfig) -> None:
        """Makes sure that the directory is free, or holds this very run.

        Raises:
            DirectoryError: it holds another run, or is no directory.
        """
        if self.path.exists() and not self.path.is_dir():
            raise experiment_config.DirectoryError(f"{self.path} is not a directory.")
        if not self._config.exists():
            return
        theirs, ours = self.read_config(), _describe(config)
        for name in ours:
            if name != "versions" and theirs.get(name) != ours[name]:
                raise experiment_config.DirectoryError(
                    f"{self.path} holds another run: its {name} is "
                    f"{_difference(theirs.get(name), ours[name])}; name another "
                    "directory."
                )

    @contextlib.contextmanager
    def open(self, config: experiment_config.ExperimentConfig) -> Iterator[None]:
        """Makes the directory if need be and keeps other processes out of it.

        Raises:
            DirectoryError: another process is at this run.
        """
        self._checkpoints.mkdir(parents=True, exist_ok=True)
        with open(self.path / ".lock", "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise experiment_config.DirectoryError(
                    f"Another process is at the run in {self.path}; wait for it, or "
                    "name another directory."
                ) from error
            if not self._config.exists():
                write_json(self._config, _describe(config))
            yield

    def read_config(self) -> dict[str, Any]:
        """The contents of `config.json`.

        Raises:
            DirectoryError: there is none.
        """
        if not self._config.exists():
            raise experiment_config.DirectoryError(
                f"{self.path} holds no run: there is no config.json in it."
            )
        contents: dict[str, Any] = json.loads(self._config.read_text())
        return contents

    def read_result(self) -> dict[str, Any] | None:
        """The contents of `result.json`, or None while the run is unfinished."""
        if not self._result.exists():
            return None
        contents: dict[str, Any] = json.loads(self._result.read_text())
        return contents

    def write_result(self, result: Mapping[str, Any]) -> None:
        """Writes `result.json`."""
        write_json(self._result, result)

    def save(
        self, num_actor_steps: int, fill: Callable[[pathlib.Path], None], *, keep: int
    ) -> None:
        """Writes a checkpoint as of `num_actor_steps` and keeps the newest `keep`.

        Raises:
            RunError: it cannot be written; the ones before it are intact.
        """
        path = self._checkpoints / _step_name(num_actor_steps)
        if path.exists():
            return
        try:
            checkpointing.write(path, fill)
        except OSError as error:
            raise experiment_config.RunError(
                f"The checkpoint {path} could not be written ({error.strerror}); the "
                "one before it is intact."
            ) from error
        checkpointing.keep_newest(self._checkpoints, keep)

    def latest_checkpoint(self) -> pathlib.Path | None:
        """The newest intact checkpoint, if there is one."""
        return checkpointing.latest_intact(self._checkpoints)

    def restore_policy(self, networks: core.Networks) -> pathlib.Path:
        """Gives a policy the variables of the newest checkpoint.

        Returns:
            The checkpoint.

        Raises:
            RunError: there is no checkpoint yet.
            ValueError: it is of other networks.
        """
        checkpoint = self.latest_checkpoint()
        if checkpoint is None:
            raise experiment_config.RunError(
                f"{self.path} has no checkpoint yet; let the run go on for a while."
            )
        checkpointing.restore_group(
            checkpoint / "state.npz", "learner/policy", networks.policy_variables
        )
        return checkpoint

    def snapshot(self, num_actor_steps: int) -> pathlib.Path:
        """Where the snapshot as of `num_actor_steps` is, or will be."""
        return self.path / "snapshots" / _step_name(num_actor_steps)

    def cut_metrics(self, num_bytes: int) -> None:
        """Takes back the rows written after a checkpoint."""
        if self.metrics.exists():
            os.truncate(self.metrics, num_bytes)


def num_actor_steps(checkpoint: pathlib.Path) -> int:
    """As of how many steps a checkpoint is, by its name."""
    return int(checkpoint.name.removeprefix(_STEP))


def _step_name(num_actor_steps: int) -> str:
    return f"{_STEP}{num_actor_steps:012d}"


def write_json(path: pathlib.Path, contents: Mapping[str, Any]) -> None:
    """Writes `contents` for people as much as for programs, whole or not at all."""
    unfinished = path.with_name(path.name + ".unfinished")
    unfinished.write_text(json.dumps(contents, indent=2) + "\n")
    os.replace(unfinished, path)


def _describe(config: experiment_config.ExperimentConfig) -> dict[str, Any]:
    """All it takes to repeat the run, as JSON would give it back."""
    fields = {
        field.name: getattr(config, field.name)
        for field in dataclasses.fields(config)
        if field.name in experiment_config.REPEATED
    }
    described = {
        **fields,
        "agent_config": dataclasses.asdict(config.builder.config),
        "versions": {
            "python": platform.python_version(),
            "tfagents-core": tfagents_core.__version__,
            **{p: importlib.metadata.version(p) for p in _PACKAGES},
        },
    }
    as_json: dict[str, Any] = json.loads(json.dumps(described, default=_plain))
    return as_json


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else str(value)


def _difference(theirs: Any, ours: Any) -> str:
    """What is different, by the first field if it is a whole configuration."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        name = next(k for k in {**ours, **theirs} if theirs.get(k) != ours.get(k))
        return f"different in {name} ({theirs.get(name)}, not {ours.get(name)})"
    return f"{theirs}, not {ours}"
