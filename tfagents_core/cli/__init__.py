"""The `tfagents` command."""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit code.

    Exit codes: 0, success; 1, the run failed; 2, the user's mistake; 128 + n, stopped
    by signal n (130 for Ctrl-C). Unexpected exceptions are not caught.

    Args:
        argv: the arguments after `tfagents`; by default those of this process.
    """
    try:
        from tfagents_core.cli import app
    except ModuleNotFoundError as error:
        if error.name != "click":
            raise
        print(
            "Error: the tfagents command needs 'click', which is not installed: "
            "pip install 'tfagents-core[tf]'.",
            file=sys.stderr,
        )
        return 2
    return app.run(argv)
