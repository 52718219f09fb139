"""Redraws every picture and table of the results from the stored data.

    python -m benchmarks.pictures [--output DIRECTORY]

Pictures replace those of this repository, or go to the same paths under DIRECTORY.
"""

from __future__ import annotations

import argparse
import pathlib

from benchmarks import replay_figures, results

ROOT = pathlib.Path(__file__).parent.parent


def draw(output: pathlib.Path) -> None:
    """Draws everything to its path in the repository, with `output` as the root."""
    results.draw(output / results.RESULTS.relative_to(ROOT))
    replay_figures.draw(output / replay_figures.RESULTS.relative_to(ROOT))


def main() -> None:
    """Draws all pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=pathlib.Path, default=ROOT)
    draw(parser.parse_args().output)


if __name__ == "__main__":
    main()
