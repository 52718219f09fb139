"""Makes `python -m tfagents_core.cli` equivalent to `tfagents`."""

import sys

from tfagents_core import cli

if __name__ == "__main__":
    sys.exit(cli.main())
