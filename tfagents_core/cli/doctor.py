"""`tfagents doctor`: reports versions, extras and the machine."""

from __future__ import annotations

import importlib
import os
import pathlib
import platform
from collections.abc import Iterable
from importlib import metadata

import click

from tfagents_core.cli import tensorflow_import

_PACKAGES = (
    "tfagents-core",
    "numpy",
    "tensorflow",
    "dm-sonnet",
    "tensorflow-probability",
    "tf-keras",
    "trfl",
    "dm-env",
)
# The packages of each extra.
_EXTRAS = {
    "control": ("dm-control", "mujoco"),
    "atari": ("ale-py", "gymnasium"),
    "gym": ("gymnasium",),
    "bsuite": ("bsuite",),
    "plots": ("matplotlib",),
    "video": ("imageio", "imageio-ffmpeg"),
}
_CGROUP_LIMIT = pathlib.Path("/sys/fs/cgroup/memory.max")
_GIB = 2**30


@click.command()
def doctor() -> None:
    """Show installed versions and this machine's resources."""
    _section("Versions")
    _line("python", platform.python_version())
    for name in _PACKAGES:
        _line(name, _version(name) or "not installed: pip install 'tfagents-core[tf]'")
    _section("Extras")
    for extra, packages in _EXTRAS.items():
        _line(extra, _extra(extra, packages))
    _section("Machine")
    _line("platform", platform.platform())
    _line("compiled replay", _compiled_replay())
    _line("cores", str(_num_cores()))
    _line("memory", f"{_memory_bytes() / _GIB:.1f} GiB")
    _line("GPUs", _gpus())


def _section(title: str) -> None:
    click.echo(title)


def _line(name: str, value: str) -> None:
    click.echo(f"  {name:<24} {value}")


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _extra(extra: str, packages: Iterable[str]) -> str:
    """The versions of an extra's packages, or how to install it."""
    versions = {package: _version(package) for package in packages}
    if missing := [package for package, version in versions.items() if not version]:
        names = " and ".join(missing)
        return f"without {names}: pip install 'tfagents-core[{extra}]'"
    return ", ".join(f"{package} {version}" for package, version in versions.items())


def _compiled_replay() -> str:
    """Whether the compiled C++ replay can be imported."""
    try:
        importlib.import_module("tfagents_core.replay")
    except ImportError as error:
        return f"cannot be imported ({error}): build it with pip install -e ."
    return "works"


def _num_cores() -> int:
    """Cores that this process may use."""
    # A container or `taskset` may allow fewer than the machine has.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory_bytes() -> int:
    """Memory of the machine, or the container's limit if that is less."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if _CGROUP_LIMIT.exists():
        limit = _CGROUP_LIMIT.read_text().strip()
        physical = min(physical, int(limit)) if limit.isdigit() else physical
    return physical


def _gpus() -> str:
    """The GPUs that TensorFlow sees."""
    try:
        tensorflow_import.import_quietly()
    except ImportError as error:
        return f"unknown, for TensorFlow cannot be imported ({error})"
    import tensorflow as tf

    names = [
        tf.config.experimental.get_device_details(device).get(
            "device_name", device.name
        )
        for device in tf.config.list_physical_devices("GPU")
    ]
    return ", ".join(names) or "TensorFlow sees none"
