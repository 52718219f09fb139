"""Imports TensorFlow without the noise."""

from __future__ import annotations

import importlib
import os
import sys
import tempfile

_LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"


def import_quietly() -> None:
    """Imports TensorFlow with its C++ logs silenced, unless the user asked for them.

    `TF_CPP_MIN_LOG_LEVEL` is set where the user has not set it, and at 0 all is shown.
    What TensorFlow's libraries print while they are loaded heeds no level and goes
    past Python to the process's own standard error, which is therefore kept aside
    meanwhile; if the import fails, it is shown after all.

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
