"""Draws every picture of results anew, with its tables, from the data that is kept.

    python -m benchmarks.pictures [--output DIRECTORY]

Pictures go where they are in this repository, or to the same places under DIRECTORY.
"""

from __future__ import annotations

import argparse
import pathlib

from benchmarks import replay_figures, results

ROOT = pathlib.Path(__file__).parent.parent


def draw(output: pathlib.Path) -> None:
    """Draws everything under `output`, which stands for the repository's root."""
    results.draw(output / results.RESULTS.relative_to(ROOT))
    replay_figures.draw(output / replay_figures.RESULTS.relative_to(ROOT))


def main() -> None:
    """Draws where it is told to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=pathlib.Path, default=ROOT)
    draw(parser.parse_args().output)


if __name__ == "__main__":
    main()
