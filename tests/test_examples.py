"""The examples of the replay learn what they say."""

import importlib.util
import pathlib
import types

import numpy as np
import pytest

EXAMPLES = pathlib.Path(__file__).parent.parent / "examples"


def load(name: str) -> types.ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_numpy_example_finds_the_values_of_the_chain() -> None:
    q = load("replay_numpy").main()
    np.testing.assert_allclose(q[:-1, 1], 0.9 ** np.arange(8, -1, -1), atol=0.05)


def test_the_pytorch_example_balances_the_pole() -> None:
    pytest.importorskip("torch")
    random_play = 22
    assert load("replay_pytorch").main() > 3 * random_play


def test_the_example_of_prioritized_replay_balances_the_pole() -> None:
    pytest.importorskip("torch")
    pytest.importorskip("gymnasium")
    random_play = 22
    assert load("replay_dqn").main() > 3 * random_play


def test_a_loop_with_prioritized_replay_takes_twelve_lines() -> None:
    """And the document shows those of the example."""
    example = (EXAMPLES / "replay_dqn.py").read_text()
    document = (EXAMPLES.parent / "docs" / "replay.md").read_text()
    words = ("spaces", "buffer", "info")
    lines, shown = (
        {line.strip() for line in text.splitlines() if any(w in line for w in words)}
        for text in (example, document)
    )
    assert 5 < len(lines) <= 12
    assert lines <= shown


def test_the_tensorflow_example_catches_the_ball() -> None:
    pytest.importorskip("tensorflow")
    assert load("replay_tensorflow").main() > 0.8
