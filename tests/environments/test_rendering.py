"""Which renderer MuJoCo is given, and what is said where there is none."""

import os
import sys

import pytest

from tfagents_core import environments
from tfagents_core.environments import rendering


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    """A Linux machine without a display on which MuJoCo is still to be imported."""
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delitem(sys.modules, "mujoco", raising=False)
    for name in (rendering.VARIABLE, "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.setenv(name, "")  # So that it is restored even where it is not set.
        monkeypatch.delenv(name)


@pytest.fixture(name="tried")
def _tried(monkeypatch):
    """The renderers tried; only those in `tried.working` work."""

    class Tried(list):
        working = ()

    tried = Tried()

    def works(name):
        tried.append(name)
        return name in tried.working

    monkeypatch.setattr(rendering, "_works", works)
    return tried


@pytest.mark.parametrize("working", ["egl", "osmesa"])
def test_the_first_that_works_is_chosen(tried, working):
    tried.working = (working,)
    rendering.choose()
    assert os.environ[rendering.VARIABLE] == working


def test_a_display_is_tried_first(tried, monkeypatch):
    monkeypatch.setenv("DISPLAY", ":0")
    tried.working = ("osmesa",)
    rendering.choose()
    assert tried == ["glfw", "egl", "osmesa"]


def test_what_the_user_has_set_is_tried_alone(tried, monkeypatch):
    monkeypatch.setenv(rendering.VARIABLE, "osmesa")
    tried.working = ("egl",)
    with pytest.raises(environments.RenderingError, match="osmesa does not work"):
        rendering.choose()
    assert tried == ["osmesa"]


def test_where_nothing_works_one_sentence_says_what_to_install(tried):
    with pytest.raises(
        environments.RenderingError, match="egl and osmesa do not work.*libegl1"
    ) as caught:
        rendering.choose()
    assert "\n" not in str(caught.value)
    assert rendering.VARIABLE not in os.environ


@pytest.mark.parametrize("word", ["disable", "off"])
def test_what_the_user_has_turned_off_stays_off(tried, monkeypatch, word):
    monkeypatch.setenv(rendering.VARIABLE, word)
    with pytest.raises(environments.RenderingError, match=f"MUJOCO_GL={word} turns"):
        rendering.choose()
    assert tried == []


def test_where_mujoco_is_imported_already_nothing_is_tried(tried, monkeypatch):
    monkeypatch.setitem(sys.modules, "mujoco", os)
    rendering.choose()
    assert tried == []
    assert rendering.VARIABLE not in os.environ


@pytest.mark.parametrize("name", ["nothing", "glfw"])
def test_a_renderer_that_does_not_work_is_told_without_a_trace(
    tmp_path, monkeypatch, name
):
    monkeypatch.chdir(tmp_path)
    assert not rendering._works(name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", [None, "egl"])
def test_an_import_without_drawing_leaves_the_variable_as_it_was(monkeypatch, name):
    if name is not None:
        monkeypatch.setenv(rendering.VARIABLE, name)
    with rendering.not_needed():
        assert not rendering.is_set()
    assert os.environ.get(rendering.VARIABLE) == name
