"""Checkpoints as directories that are written atomically.

A checkpoint is a directory with any files and a `manifest.json` that lists the size and
CRC-32 of each. It is written under a temporary name, flushed to disk and then renamed,
so a crash at any moment leaves the earlier checkpoints intact. A checkpoint that was
damaged later does not match its manifest; the one before it is then used.

The manifest's `format` is the version of all files inside; it increases with every
change that an earlier release could not read. Version 1 is a run's `state.npz`,
`run.json` and `replay/`; the tests load a stored checkpoint of it.
"""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import zlib
from collections.abc import Callable

_MANIFEST = "manifest.json"
_FORMAT = 1
_UNFINISHED = ".unfinished"
_CHUNK_BYTES = 1 << 20


class UnknownFormatError(RuntimeError):
    """A checkpoint has a format that this release does not know."""


def write(path: pathlib.Path, fill: Callable[[pathlib.Path], None]) -> int:
    """Writes one checkpoint atomically.

    Args:
        path: the checkpoint's directory; must not exist.
        fill: writes the checkpoint's files into the empty directory it is given.

    Returns:
        The total size of its files in bytes.

    Raises:
        OSError: the disk is full or not writable; no partial checkpoint is left behind.
    """
    unfinished = path.with_name(path.name + _UNFINISHED)
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        unfinished.mkdir(parents=True)
        fill(unfinished)
        files = {
            str(file.relative_to(unfinished)): _describe(file)
            for file in sorted(unfinished.rglob("*"))
            if file.is_file()
        }
        manifest = {"format": _FORMAT, "files": files}
        (unfinished / _MANIFEST).write_text(json.dumps(manifest, indent=1))
        # All content must be on disk before the rename, or a power cut could leave the
        # final name with empty files; flushing the parent makes the rename itself last.
        for entry in [*unfinished.rglob("*"), unfinished]:
            _flush(entry)
        os.rename(unfinished, path)
        _flush(path.parent)
        return sum(file["size"] for file in files.values())
    except BaseException:  # Ctrl-C too must leave nothing behind.
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def is_intact(path: pathlib.Path) -> bool:
    """Whether every file of a checkpoint matches its manifest.

    Raises:
        UnknownFormatError: it has a format that this release cannot check.
    """
    try:
        manifest = json.loads((path / _MANIFEST).read_bytes())
        if manifest["format"] != _FORMAT:
            raise UnknownFormatError(
                f"The checkpoint {path} is of format {manifest['format']}, and this "
                f"release knows format {_FORMAT}; go on with the release that wrote it."
            )
        return all(
            _describe(path / name) == described
            for name, described in manifest["files"].items()
        )
    # A damaged manifest may parse to anything.
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def latest_intact(parent: pathlib.Path) -> pathlib.Path | None:
    """The newest intact checkpoint in `parent` by name, or None.

    Raises:
        UnknownFormatError: the newest that is not damaged has an unknown format.
    """
    for path in reversed(list_all(parent)):
        if is_intact(path):
            return path
    return None


def keep_newest(parent: pathlib.Path, num_kept: int) -> None:
    """Removes all but the `num_kept` newest checkpoints, and unfinished ones."""
    for path in list_all(parent)[:-num_kept]:
        shutil.rmtree(path)
    for path in parent.glob(f"*{_UNFINISHED}"):
        shutil.rmtree(path)


def list_all(parent: pathlib.Path) -> list[pathlib.Path]:
    """All checkpoints in `parent`, intact or not, by name; it need not exist."""
    if not parent.is_dir():
        return []
    return sorted(
        path
        for path in parent.iterdir()
        if path.is_dir() and not path.name.endswith(_UNFINISHED)
    )


def _describe(path: pathlib.Path) -> dict[str, int]:
    checksum = size = 0
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            checksum = zlib.crc32(chunk, checksum)
            size += len(chunk)
    return {"size": size, "crc32": checksum}


def _flush(path: pathlib.Path) -> None:
    """Flushes a file or directory to disk (fsync)."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
