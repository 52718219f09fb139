"""The doctor: always an answer, always exit code 0."""

import platform

from tfagents_core import cli
from tfagents_core.cli import doctor


def test_it_tells_versions_extras_and_the_machine(capsys):
    assert cli.main(["doctor"]) == 0
    out = capsys.readouterr().out
    for words in (platform.python_version(), "tensorflow", "plots", "cores", "GPUs"):
        assert words in out


def test_what_is_missing_comes_with_its_pip_line(capsys, monkeypatch):
    monkeypatch.setattr(doctor, "_version", lambda package: None)
    assert cli.main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "without dm-control and mujoco: pip install 'tfagents-core[control]'" in out
    assert "not installed: pip install 'tfagents-core[tf]'" in out


def test_a_container_has_no_more_memory_than_its_limit(tmp_path, monkeypatch):
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(doctor, "_CGROUP_LIMIT", limit)
    machine = doctor._memory_bytes()
    limit.write_text("1000000\n")
    assert doctor._memory_bytes() == 1_000_000
    limit.write_text("max\n")
    assert doctor._memory_bytes() == machine
