"""MuJoCo's renderer, which must be chosen before MuJoCo is imported.

MuJoCo and the suites built on it read the environment variable MUJOCO_GL once, on
import. Where images are needed, `choose` sets it to a renderer that works; everywhere
else `not_needed` imports them without OpenGL, whatever the variable says.

OpenGL is left out because Mesa, which renders on machines without a graphics card, and
TensorFlow each contain a copy of LLVM and crash in one process. So
`filming` renders in a process of its own.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator

from tfagents_core.environments import errors

VARIABLE = "MUJOCO_GL"
# The values by which dm_control turns rendering off.
_DISABLED = ("disable", "disabled", "off", "false", "0")

# EGL renders without a display; OSMesa needs no graphics driver either.
_WITHOUT_DISPLAY = ("egl", "osmesa")
_WITH_DISPLAY = ("glfw", *_WITHOUT_DISPLAY)
_PROBE = """
import mujoco
context = mujoco.GLContext(64, 64)
context.make_current()
model = mujoco.MjModel.from_xml_string("<mujoco/>")
mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100)
"""
_PROBE_TIMEOUT_S = 60


def is_set() -> bool:
    """Whether MUJOCO_GL names a renderer."""
    return os.environ.get(VARIABLE, _DISABLED[0]) not in _DISABLED


@contextlib.contextmanager
def not_needed() -> Iterator[None]:
    """A context in which an import of MuJoCo leaves OpenGL out."""
    by_user = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = _DISABLED[0]
    try:
        yield
    finally:
        del os.environ[VARIABLE]
        if by_user is not None:
            os.environ[VARIABLE] = by_user


def choose() -> None:
    """Sets MUJOCO_GL to a renderer that works here, unless MuJoCo is imported already.

    Each candidate is tried in a process of its own, for half a second, because a failed
    import of OpenGL cannot be undone.

    Raises:
        errors.RenderingError: if no renderer works, or MUJOCO_GL turns rendering off.
    """
    by_user = os.environ.get(VARIABLE)
    if by_user in _DISABLED:
        raise errors.RenderingError(
            f"{VARIABLE}={by_user} turns MuJoCo's drawing off: set "
            f"{VARIABLE}=egl (or osmesa), or leave it unset."
        )
    if "mujoco" in sys.modules or not sys.platform.startswith("linux"):
        return
    if by_user is not None:
        candidates: tuple[str, ...] = (by_user,)
    else:
        candidates = _WITHOUT_DISPLAY if _is_headless() else _WITH_DISPLAY
    working = next((name for name in candidates if _works(name)), None)
    if working is None:
        raise errors.RenderingError(
            f"MuJoCo cannot draw on this machine: {' and '.join(candidates)} "
            f"{'does' if len(candidates) == 1 else 'do'} not work; install EGL (Debian: "
            f"libegl1) or OSMesa (libosmesa6), or leave {VARIABLE} unset."
        )
    os.environ[VARIABLE] = working


def _is_headless() -> bool:
    """Whether this is Linux without a display; other systems always have one."""
    has_display = any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
    return sys.platform.startswith("linux") and not has_display


def _works(name: str) -> bool:
    """Whether MuJoCo can render with `name`."""
    # MuJoCo logs failures to a file in its working directory.
    with tempfile.TemporaryDirectory() as directory:
        try:
            subprocess.run(
                [sys.executable, "-c", _PROBE],
                cwd=directory,
                env={**os.environ, VARIABLE: name},
                capture_output=True,
                timeout=_PROBE_TIMEOUT_S,
                check=True,
            )
        except subprocess.SubprocessError:
            return False
    return True
