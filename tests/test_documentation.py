"""What the documents show works: commands, code and the example."""

import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent
BIN = pathlib.Path(sys.executable).parent
MARKDOWN = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])

# Runs shown at their full length are run here at this one.
SHORT = {
    r"--steps [\d_]+": "--steps 300",
    r"--frames [\d_]+": "--frames 6000",
    r"step-\d{12}": "step-000000000300",
}
# Its code needs what its commands make, and nothing of ours.
EVALUATION = ROOT / "docs" / "evaluation.md"
# Installing is what made this test possible; the other two would never end.
NOT_RUN_HERE = ("pip install '", "make demo", "make test", "make results", "make setup")


def blocks(path: pathlib.Path, language: str) -> list[str]:
    pattern = rf"^```{language}\n(.*?)^```"
    return re.findall(pattern, path.read_text(), re.DOTALL | re.MULTILINE)


def commands(path: pathlib.Path) -> list[str]:
    lines = [line for block in blocks(path, "sh") for line in block.splitlines()]
    stripped = (line.partition("  #")[0].strip() for line in lines)
    return [line for line in stripped if line]


def shorten(text: str) -> str:
    for pattern, short in SHORT.items():
        text = re.sub(pattern, short, text)
    return text


def install(example: str, directory: pathlib.Path) -> None:
    """Installs a copy of `example`, a package, where `run` in `directory` finds it."""
    copy = directory / "copy"
    shutil.copytree(ROOT / example, copy)
    options = ["--no-deps", "--no-build-isolation", "--target", str(directory / "site")]
    run([sys.executable, "-m", "pip", "install", *options, str(copy)], directory)


def run(words: list[str], directory: pathlib.Path) -> None:
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    python_path = f"{ROOT}{os.pathsep}{directory / 'site'}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": python_path}
    done = subprocess.run(
        words,
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, f"{shlex.join(words)}\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("path", MARKDOWN, ids=lambda path: path.name)
def test_the_commands_shown_work(path: pathlib.Path, tmp_path: pathlib.Path) -> None:
    for command in commands(path):
        if command.startswith(NOT_RUN_HERE):
            continue
        if command.startswith("pip install ./"):
            install(command.split()[-1], tmp_path)
            continue
        run(shlex.split(shorten(command)), tmp_path)
    if path == EVALUATION:
        (code,) = blocks(path, "python")
        alone = "import sys; assert not {'tfagents_core', 'sonnet'} & set(sys.modules)"
        run([sys.executable, "-I", "-c", f"{shorten(code)}\n{alone}"], tmp_path)


@pytest.mark.parametrize("path", MARKDOWN, ids=lambda path: path.name)
def test_the_code_shown_works(path: pathlib.Path) -> None:
    for block in blocks(path, "python") if path != EVALUATION else ():
        exec(compile(block, str(path), "exec"), {})  # noqa: S102


@pytest.mark.parametrize("path", MARKDOWN, ids=lambda path: path.name)
def test_what_the_documents_point_to_exists(path: pathlib.Path) -> None:
    for target in re.findall(r"\]\(([^)#]+?)\)", path.read_text()):
        if "://" not in target:
            assert (path.parent / target).exists(), f"{path.name} points to {target}"


def test_the_example_agent_passes_its_own_tests(tmp_path: pathlib.Path) -> None:
    """From outside the repository, installed as its author would."""
    install("examples/q_learning", tmp_path)
    shutil.rmtree(tmp_path / "copy")
    test = ROOT / "examples" / "q_learning" / "test_q_learning.py"
    shutil.copy(test, tmp_path)
    run([sys.executable, "-m", "pytest", "-q", test.name], tmp_path)


def test_every_make_target_shown_exists() -> None:
    targets = set(
        re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    )
    for path in MARKDOWN:
        for command in commands(path):
            if command.startswith("make "):
                assert command.split()[1] in targets
