"""Imports TensorFlow without its log messages."""

from __future__ import annotations

import importlib
import os
import sys
import tempfile

_LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"


def import_quietly() -> None:
    """Imports TensorFlow with its C++ logs silenced, unless the user asked for them.

    `TF_CPP_MIN_LOG_LEVEL` is set to 3 unless the user has set it; at 0 everything is
    shown. What TensorFlow's libraries print while they are loaded ignores that level
    and bypasses Python's `sys.stderr`, so file descriptor 2 is redirected to a
    temporary file during the import; if the import fails, the file's contents are
    printed.

    Raises:
        ImportError: TensorFlow is not installed, or cannot be loaded.
    """
    level = os.environ.setdefault(_LOG_LEVEL, "3")
    if level == "0" or "tensorflow" in sys.modules:
        importlib.import_module("tensorflow")
        return
    sys.stderr.flush()
    with tempfile.TemporaryFile() as aside:
        stderr = os.dup(2)
        os.dup2(aside.fileno(), 2)
        try:
            importlib.import_module("tensorflow")
        except BaseException:
            aside.seek(0)
            os.write(stderr, aside.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
