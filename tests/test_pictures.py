"""The committed pictures come from the committed data."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent
FOLDERS = ("benchmarks/results", "docs")
COMMAND = "python -m benchmarks.pictures"


def drawn(root: pathlib.Path, pattern: str) -> dict[pathlib.Path, bytes]:
    """The contents of what is drawn or written, by its place under `root`."""
    paths = [path for folder in FOLDERS for path in (root / folder).rglob(pattern)]
    return {path.relative_to(root): path.read_bytes() for path in paths}


def test_one_command_draws_every_picture_and_table_anew(tmp_path: pathlib.Path) -> None:
    pytest.importorskip("matplotlib")
    assert f"\n\t$(BIN)/{COMMAND}\n" in (ROOT / "Makefile").read_text()
    subprocess.run(
        [sys.executable, *COMMAND.split()[1:], "--output", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
        timeout=200,
    )
    pictures = drawn(tmp_path, "*.png")
    assert set(pictures) == set(drawn(ROOT, "*.png"))
    assert all(picture.startswith(b"\x89PNG") for picture in pictures.values())
    assert drawn(tmp_path, "*.csv") == drawn(ROOT, "*.csv")
    readme = pathlib.Path("benchmarks/results/README.md")
    assert (tmp_path / readme).read_text() == (ROOT / readme).read_text()
