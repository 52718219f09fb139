"""The files of a run."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import importlib.metadata
import itertools
import json
import os
import pathlib
import platform
import shutil
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

        A field that the run's `config.json` does not have, because it was written
        before there was one, counts as having its default.

        Raises:
            DirectoryError: it holds another run, or what only a run writes without
                saying of which, or is no directory.
        """
        if self.path.exists() and not self.path.is_dir():
            raise experiment_config.DirectoryError(f"{self.path} is not a directory.")
        if not self._config.exists():
            self._check_free()
            return
        theirs = {**_defaults(experiment_config.ExperimentConfig), **self.read_config()}
        theirs["agent_config"] = {
            **_defaults(type(config.builder.config)),
            **theirs.get("agent_config", {}),
        }
        ours = _describe(config)
        for name in ours:
            if name != "versions" and theirs.get(name) != ours[name]:
                raise experiment_config.DirectoryError(
                    f"{self.path} holds another run: its {name} is "
                    f"{_difference(theirs.get(name), ours[name])}; name another "
                    "directory."
                )

    def _check_free(self) -> None:
        """Refuses a directory whose files a new run would overwrite."""
        kept = [self.metrics, self.events, self._result, *self._list_checkpoints()]
        for path in kept:
            if path.exists():
                raise experiment_config.DirectoryError(
                    f"{self.path} has {path.name} in it but no config.json, so it is not "
                    "known of which run; name another directory."
                )

    @contextlib.contextmanager
    def open(self, config: experiment_config.ExperimentConfig) -> Iterator[None]:
        """Makes the directory if need be and keeps other processes out of it.

        Raises:
            DirectoryError: another process is at this run, or the directory cannot be
                written.
        """
        with contextlib.ExitStack() as stack:
            try:
                self._checkpoints.mkdir(parents=True, exist_ok=True)
                lock = stack.enter_context(open(self.path / ".lock", "w"))
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if not self._config.exists():
                    write_json(self._config, _describe(config))
            except BlockingIOError as error:
                raise experiment_config.DirectoryError(
                    f"Another process is at the run in {self.path}; wait for it, or "
                    "name another directory."
                ) from error
            except OSError as error:
                raise experiment_config.DirectoryError(
                    f"The run directory {self.path} cannot be written "
                    f"({error.strerror}); name another directory."
                ) from error
            yield

    def read_config(self) -> dict[str, Any]:
        """The contents of `config.json`.

        Raises:
            DirectoryError: there is none, or it is damaged.
        """
        if not self._config.exists():
            raise experiment_config.DirectoryError(
                f"{self.path} holds no run: there is no config.json in it."
            )
        return _read_json(self._config)

    def read_result(self) -> dict[str, Any] | None:
        """The contents of `result.json`, or None while the run is unfinished.

        Raises:
            DirectoryError: it is damaged.
        """
        return _read_json(self._result) if self._result.exists() else None

    def write_result(self, result: Mapping[str, Any]) -> None:
        """Writes `result.json`."""
        write_json(self._result, result)

    def save(
        self, num_actor_steps: int, fill: Callable[[pathlib.Path], None], *, keep: int
    ) -> int:
        """Writes a checkpoint as of `num_actor_steps` and keeps the newest `keep`.

        Several checkpoints may be of one step: a reset is no step, but a new state.

        Returns:
            The bytes written.

        Raises:
            RunError: it cannot be written; the ones before it are intact.
        """
        path = self._free_name(num_actor_steps)
        try:
            num_bytes = checkpointing.write(path, fill)
            checkpointing.keep_newest(self._checkpoints, keep)
        except OSError as error:
            raise experiment_config.RunError(
                f"The checkpoint {path} could not be written "
                f"({os.strerror(error.errno or 0)}); make room, and the same command "
                "goes on from the one before it."
            ) from error
        return num_bytes

    def _free_name(self, num_actor_steps: int) -> pathlib.Path:
        """The name after those of this step's checkpoints, in their order."""
        name = _step_name(num_actor_steps)
        again = itertools.count(1)
        path = self._checkpoints / name
        while path.exists():
            path = self._checkpoints / f"{name}-{next(again):06d}"
        return path

    def latest_checkpoint(self) -> pathlib.Path | None:
        """The newest intact checkpoint; None where none was ever written.

        Raises:
            DirectoryError: there are checkpoints, but none that is intact and of a
                format that this release knows.
        """
        try:
            latest = checkpointing.latest_intact(self._checkpoints)
        except checkpointing.UnknownFormatError as error:
            raise experiment_config.DirectoryError(str(error)) from error
        if latest is None and (damaged := self._list_checkpoints()):
            raise experiment_config.DirectoryError(
                f"No checkpoint in {self._checkpoints} is intact ({len(damaged)} are "
                "damaged); name another directory to begin anew."
            )
        return latest

    def remove_checkpoints_after(self, checkpoint: pathlib.Path) -> None:
        """Removes what is newer than the newest intact checkpoint: the damaged ones."""
        for path in self._list_checkpoints():
            if path.name > checkpoint.name:
                shutil.rmtree(path)

    def _list_checkpoints(self) -> list[pathlib.Path]:
        return checkpointing.list_all(self._checkpoints)

    def restore_policy(self, policy: core.Policy) -> pathlib.Path:
        """Assigns a policy's variables from the newest checkpoint.

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
            checkpoint / "state.npz", "learner/policy", policy.variables
        )
        return checkpoint

    def snapshot(self, num_actor_steps: int) -> pathlib.Path:
        """Where the snapshot as of `num_actor_steps` is, or will be."""
        return self.path / "snapshots" / _step_name(num_actor_steps)

    def cut_metrics(self, num_bytes: int) -> None:
        """Takes back the rows written after a checkpoint."""
        if self.metrics.exists() and self.metrics.stat().st_size > num_bytes:
            os.truncate(self.metrics, num_bytes)


def flush(path: pathlib.Path) -> None:
    """Flushes a file to disk (fsync)."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def num_actor_steps(checkpoint: pathlib.Path) -> int:
    """The actor steps that a checkpoint is of, by its name."""
    return int(checkpoint.name.removeprefix(_STEP).partition("-")[0])


def _step_name(num_actor_steps: int) -> str:
    return f"{_STEP}{num_actor_steps:012d}"


def write_json(path: pathlib.Path, contents: Mapping[str, Any]) -> None:
    """Writes `contents` for people as much as for programs, whole or not at all."""
    unfinished = path.with_name(path.name + ".unfinished")
    with open(unfinished, "w") as file:
        file.write(json.dumps(contents, indent=2) + "\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(unfinished, path)


def _read_json(path: pathlib.Path) -> dict[str, Any]:
    try:
        contents: dict[str, Any] = json.loads(path.read_text())
    except ValueError as error:
        raise experiment_config.DirectoryError(
            f"{path} is damaged: it is no JSON; name another directory."
        ) from error
    return contents


def _defaults(config: type[Any]) -> dict[str, Any]:
    """The fields of a dataclass that have a default, as JSON would give them back."""
    defaults = {
        field.name: field.default
        for field in dataclasses.fields(config)
        if field.default is not dataclasses.MISSING
    }
    return _as_json(defaults)


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
    return _as_json(described)


def _as_json(values: Mapping[str, Any]) -> dict[str, Any]:
    as_json: dict[str, Any] = json.loads(json.dumps(values, default=_plain))
    return as_json


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else str(value)


def _difference(theirs: Any, ours: Any) -> str:
    """What is different, by the first field if it is a whole configuration."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        name = next(k for k in {**ours, **theirs} if theirs.get(k) != ours.get(k))
        return f"different in {name} ({theirs.get(name)}, not {ours.get(name)})"
    return f"{theirs}, not {ours}"
