"""Summaries of agents, read without importing them."""

import sys

import pytest

from tfagents_core.cli import agents

_BUILDER = '''
raise RuntimeError("imported")

class Other:
    summary = "Not this one."

class Builder:
    """An agent."""

    summary: str = (
        "First words, "
        "last words."
    )

class Computed:
    summary = "a" + "b"
'''


@pytest.fixture(name="package", autouse=True)
def _package(tmp_path, monkeypatch):
    """A package whose every module fails if it is imported."""
    folder = tmp_path / "agents_for_tests"
    folder.mkdir()
    (folder / "builder.py").write_text(_BUILDER)
    (folder / "__init__.py").write_text(
        "from agents_for_tests.builder import Builder as Renamed\n" + _BUILDER[:35]
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield
    assert "agents_for_tests" not in sys.modules


def test_a_summary_is_read_from_the_class():
    found = agents.find_summary("agents_for_tests.builder", "Builder")
    assert found == "First words, last words."


def test_a_summary_is_followed_through_an_import():
    found = agents.find_summary("agents_for_tests", "Renamed")
    assert found == "First words, last words."


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("agents_for_tests.builder", "Computed"),
        ("agents_for_tests.builder", "Missing"),
        ("agents_for_tests.missing", "Builder"),
        ("sys", "Builder"),
    ],
)
def test_what_cannot_be_read_is_none(module, name):
    assert agents.find_summary(module, name) is None
