"""Checkpoints of a replay: directories that appear only once they are complete.

`manifest.json` names every other file with its size and CRC-32C, and has a checksum of
itself. The files are little-endian binary: `rows-<id>.bin` hold the rows of segments,
`state-<id>.bin` parts of the items and selectors, and `state.bin` everything else, among
it what has changed in those parts since they were written. Nothing is pickled.

A checkpoint is written into `<name>.partial` beside its place; every file and the
directory are flushed to the disk before the directory is renamed. Nothing else is
touched, but for what a process that died left half written: an earlier checkpoint has
another name and stays as it is.

Files that hold what has not changed since an earlier checkpoint are hard links to that
one's. The `<id>` is random and never given again, so a file's name stands for what is in
it: replays that went on from the same checkpoint cannot take up each other's files.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pathlib
import re
import shutil
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from tfagents_core.replay import _core

_MANIFEST = "manifest.json"
_FORMAT = "tfagents_core.replay"
_VERSION = 1
_PARTIAL = ".partial"
_IS_OURS = re.compile(
    r"manifest\.json|state\.bin|(state|rows)-[0-9a-f]{32}\.bin"
    r"|episode_step\.bin|column-\d+\.bin"
).fullmatch

Path = str | os.PathLike[str]


def save(
    core: _core.Replay,
    directory: Path,
    *,
    base: Path | None = None,
    when_copied: Callable[[], object] | None = None,
) -> None:
    """Writes a replay into a new directory; see `Replay.save`."""
    target = pathlib.Path(directory).absolute()
    if target.exists():
        raise FileExistsError(
            f"'{target}' already exists; give each checkpoint a new name, and remove "
            "old ones yourself"
        )
    _make_directory(target.parent)
    _remove_leftovers(target.parent)
    partial = target.with_name(target.name + _PARTIAL)
    shared = _find_base(core, target.parent) if base is None else os.fspath(base)
    with _held(partial):
        try:
            files = core.save(str(partial), shared, when_copied)
            _write(partial / _MANIFEST, _encode_manifest(files))
            _flush_directory(partial)
            partial.rename(target)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
    _flush_directory(target.parent)


def _find_base(core: _core.Replay, parent: pathlib.Path) -> str:
    """The directory in `parent` with most of the files that a save may link, or ''."""
    names = set(core.saved_names())
    most, base = 0, ""
    for path in parent.iterdir() if names else ():
        with contextlib.suppress(OSError):  # No directory, or removed meanwhile.
            found = len(names.intersection(os.listdir(path)))
            if found > most:
                most, base = found, str(path)
    return base


def _make_directory(path: pathlib.Path) -> None:
    """Makes a directory and its parents, whose names then are on the disk."""
    missing = []
    while not path.exists():
        missing.append(path)
        path = path.parent
    for directory in reversed(missing):
        directory.mkdir(exist_ok=True)
        _flush_directory(directory.parent)


@contextlib.contextmanager
def _held(partial: pathlib.Path) -> Iterator[None]:
    """Makes a directory that other saves leave alone until this process lets it go."""
    while True:
        partial.mkdir()
        descriptor = os.open(partial, os.O_RDONLY)
        try:
            with contextlib.suppress(OSError):  # Not every file system has locks.
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            # Between the two, another save may have taken it for a leftover.
            if partial.exists() and os.path.samestat(
                os.fstat(descriptor), partial.stat()
            ):
                yield
                return
        finally:
            os.close(descriptor)


def _remove_leftovers(parent: pathlib.Path) -> None:
    """Removes what processes were writing when they died: nobody holds it."""
    for path in parent.glob("*" + _PARTIAL):
        if not path.is_dir() or not all(_IS_OURS(each.name) for each in path.iterdir()):
            continue
        descriptor = os.open(path, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
        except OSError:
            pass  # A save that is going on, or a file system without locks.
        finally:
            os.close(descriptor)


def restore(core: _core.Replay, directory: Path, epoch: int | None = None) -> None:
    """Fills a replay from a checkpoint; see `Replay.restore`."""
    source = pathlib.Path(directory).absolute()
    core.restore(str(source), _read_manifest(source), epoch)


def verify(directory: Path) -> None:
    """Reads a whole checkpoint and compares it with its manifest.

    Args:
        directory: of the checkpoint.

    Raises:
        FileNotFoundError: when there is no such directory.
        DamagedCheckpointError: when a file is missing, cut short or changed.
        OSError: when a file cannot be read.
    """
    source = pathlib.Path(directory).absolute()
    for expected in _read_manifest(source):
        _core.verify_file(str(source), expected)


def latest_intact(directory: Path) -> pathlib.Path | None:
    """The newest intact checkpoint in a directory.

    Newest is the one whose name has the highest last number: `replay-10` comes after
    `replay-9`. It is read completely; older ones are read only when newer ones turn out
    to be damaged.

    Args:
        directory: its subdirectories are searched; those that are no checkpoints, or
            are half written, are skipped. It need not exist.

    Returns:
        The checkpoint's path; None when there is none.

    Raises:
        OSError: when a file cannot be read.
    """
    parent = pathlib.Path(directory)
    if not parent.is_dir():
        return None
    found = [path for path in parent.iterdir() if path.is_dir()]
    for path in sorted(found, key=_age_key, reverse=True):
        if path.name.endswith(_PARTIAL):
            continue
        try:
            verify(path)
        except _core.DamagedCheckpointError:
            continue
        return path
    return None


def _age_key(path: pathlib.Path) -> tuple[int, str]:
    numbers = re.findall(r"\d+", path.name)
    return int(numbers[-1]) if numbers else -1, path.name


def _encode_manifest(files: list[_core.FileSum]) -> bytes:
    body = {
        "format": _FORMAT,
        "version": _VERSION,
        "files": {
            file.name: {"bytes": file.bytes, "crc32c": file.crc32c} for file in files
        },
    }
    document = {"crc32": _checksum(body), "manifest": body}
    return (json.dumps(document, indent=2) + "\n").encode()


def _checksum(body: Any) -> int:
    return zlib.crc32(json.dumps(body, sort_keys=True).encode())


def _read_manifest(directory: pathlib.Path) -> list[_core.FileSum]:
    path = directory / _MANIFEST
    if not directory.is_dir():
        raise FileNotFoundError(f"there is no checkpoint at '{directory}'")
    if not path.exists():
        raise _core.DamagedCheckpointError(
            f"'{directory}' has no {_MANIFEST}: it is not a replay's checkpoint, or "
            "was not written to its end"
        )
    try:
        document = json.loads(path.read_bytes())
        body = document["manifest"]
        intact = document["crc32"] == _checksum(body)
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise _damaged(path) from error
    if not intact:
        raise _damaged(path)
    if (body.get("format"), body.get("version")) != (_FORMAT, _VERSION):
        raise ValueError(
            f"'{path}' describes {body.get('format')} of version "
            f"{body.get('version')}; this release reads {_FORMAT} of version {_VERSION}"
        )
    return [
        _core.FileSum(name, entry["bytes"], entry["crc32c"])
        for name, entry in body["files"].items()
    ]


def _damaged(path: pathlib.Path) -> _core.DamagedCheckpointError:
    return _core.DamagedCheckpointError(
        f"'{path}' is damaged: its checksum does not match; restore an earlier "
        "checkpoint"
    )


def _write(path: pathlib.Path, data: bytes) -> None:
    with _naming(path), open(path, "xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _flush_directory(directory: pathlib.Path) -> None:
    with _naming(directory):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def _naming(path: pathlib.Path) -> Iterator[None]:
    """Adds the path to errors of an open file, which lack it."""
    try:
        yield
    except OSError as error:
        if error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error
