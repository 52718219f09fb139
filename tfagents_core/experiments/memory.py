"""How much memory a replay will take, and how much there is."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterator

from tfagents_core import replay

_ITEM_BYTES = 100  # What the replay keeps of an item beside its steps.


def check_replay(buffer: replay.Replay) -> str:
    """Makes sure that the memory will do for the replay once it is full.

    Returns:
        What it will take, in words.

    Raises:
        ValueError: it will take more than there is; one sentence.
    """
    num_items = sum(table.config.max_size for table in buffer.tables.values())
    # Tables share their steps: together they hold about what the largest holds.
    steps = max(buffer.projected_bytes(name) for name in buffer.tables)
    if buffer.max_bytes is not None:
        steps = min(steps, buffer.max_bytes)
    projected, limit = steps + _ITEM_BYTES * num_items, limit_bytes()
    if projected > limit:
        raise ValueError(
            f"The replay would grow to {_gib(projected)} with {num_items:,} items, and "
            f"the memory here is {_gib(limit)}; lower max_replay_size."
        )
    return f"replay: up to {_gib(projected)} at {num_items:,} items"


def limit_bytes(root: pathlib.Path = pathlib.Path("/")) -> int:
    """Bytes of memory that this process may use.

    The machine's, or less where a control group (that of a container, say) allows less.

    Args:
        root: of the file system in which control groups are looked up.
    """
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([machine, *_group_limits(root)])


def _group_limits(root: pathlib.Path) -> Iterator[int]:
    """The limits of this process's control groups and of those around them."""
    groups = root / "proc/self/cgroup"
    if not groups.exists():
        return
    mounts = root / "sys/fs/cgroup"
    for line in groups.read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":  # Version 2.
            mount, name = mounts, "memory.max"
        elif "memory" in controllers.split(","):
            mount, name = mounts / "memory", "memory.limit_in_bytes"
        else:
            continue
        group = pathlib.PurePosixPath(path.lstrip("/"))
        for directory in (group, *group.parents):
            yield from _read_limit(mount / directory / name)


def _read_limit(path: pathlib.Path) -> Iterator[int]:
    """The number in `path`; none where there is no limit or no such file."""
    try:
        text = path.read_text().strip()
    except OSError:
        return
    if text.isdigit():
        yield int(text)


def _gib(num_bytes: int) -> str:
    gib = num_bytes / 2**30
    return f"{gib:,.1f} GiB" if gib >= 1 else f"{num_bytes / 2**20:,.1f} MiB"
