"""What cannot be done gets one sentence, and nothing is overwritten."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tfagents_core import checkpointing, experiments
from tfagents_core.agents import dqn

from . import small_runs

pytest.importorskip("gymnasium")


def contents(directory: pathlib.Path) -> dict[str, bytes | None]:
    """Every file and directory below `directory`."""
    return {
        str(path.relative_to(directory)): path.read_bytes() if path.is_file() else None
        for path in sorted(directory.rglob("*"))
    }


def assert_refused(config: experiments.ExperimentConfig, sentence: str) -> None:
    """Running raises `DirectoryError` and leaves the directory as it is."""
    before = contents(config.run_dir)
    with pytest.raises(experiments.DirectoryError, match=sentence):
        experiments.run_experiment(config)
    assert contents(config.run_dir) == before


@contextlib.contextmanager
def mounted(directory: pathlib.Path, size: str) -> Iterator[pathlib.Path]:
    """A small disk at `directory`; skips the test where none may be mounted."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("mounts a small disk")
    directory.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(directory)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("may not mount")
    try:
        yield directory
    finally:
        subprocess.run(["umount", str(directory)], check=True)


@pytest.fixture(name="unfinished", scope="module")
def _unfinished(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A run that lacks nothing but its result, with checkpoints of 200 and 300."""
    run_dir = tmp_path_factory.mktemp("runs") / "run"
    experiments.run_experiment(small_runs.make_config(run_dir))
    (run_dir / "result.json").rename(run_dir.parent / "result.json")
    assert len(small_runs.checkpoint_names(run_dir)) == 2
    return run_dir


@pytest.fixture(name="run_dir")
def _run_dir(unfinished: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    """A copy of it."""
    return pathlib.Path(shutil.copytree(unfinished, tmp_path / "run"))


def fill(disk: pathlib.Path, *, but_for: int) -> None:
    """Leaves `but_for` bytes on `disk`."""
    free = shutil.disk_usage(disk).free
    (disk / "other").write_bytes(bytes(free - but_for))


@pytest.mark.parametrize(
    ("checkpoint_every", "but_for", "sentence"),
    [
        (100, 24 * 1024, r"checkpoint .*step-000000000200 could not be written \(No"),
        (0, 0, r"run/(metrics|events).* could not be written \(No space left"),
    ],
)
def test_a_full_disk_ends_the_run_with_the_path_and_what_was_saved_stays(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    checkpoint_every: int,
    but_for: int,
    sentence: str,
) -> None:
    length: dict[str, Any] = {"num_actor_steps": 1_000, "learner_log_every": 5}
    step = experiments.InlineExperiment.step
    with mounted(tmp_path / "disk", "800k") as disk:

        def filling_step(self: experiments.InlineExperiment) -> Any:
            if self.counters.num_actor_steps == 150:
                fill(disk, but_for=but_for)
            return step(self)

        monkeypatch.setattr(experiments.InlineExperiment, "step", filling_step)
        config = small_runs.make_config(
            disk / "run", checkpoint_every=checkpoint_every, **length
        )
        with pytest.raises(experiments.RunError, match=sentence):
            experiments.run_experiment(config)
        saved = ["step-000000000100"] if checkpoint_every else []
        assert small_runs.checkpoint_names(disk / "run") == saved

        monkeypatch.undo()
        (disk / "other").unlink()
        resumed = experiments.run_experiment(config)
        rows = small_runs.rows(disk / "run")
    whole = experiments.run_experiment(
        small_runs.make_config(tmp_path / "whole", **length)
    )
    assert resumed.variables_sha256 == whole.variables_sha256
    assert rows == small_runs.rows(tmp_path / "whole")


def test_a_disk_that_may_only_be_read_is_refused(
    tmp_path: pathlib.Path, unfinished: pathlib.Path
) -> None:
    with mounted(tmp_path / "disk", "4m") as disk:
        shutil.copytree(unfinished, disk / "run")
        remount = ["mount", "-o", "remount,ro", str(disk)]
        subprocess.run(remount, check=True, capture_output=True)
        for name in ("run", "new"):
            assert_refused(
                small_runs.make_config(disk / name),
                rf"run directory .*/{name} cannot be written \(Read-only file system\)",
            )
        assert not (disk / "new").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_directory_that_may_only_be_read_is_refused(tmp_path: pathlib.Path) -> None:
    tmp_path.chmod(0o500)
    config = small_runs.make_config(tmp_path / "run")
    assert_refused(config, r"run cannot be written \(Permission denied\)")


def test_a_directory_of_another_agent_is_refused(run_dir: pathlib.Path) -> None:
    assert_refused(
        small_runs.make_config(run_dir, agent="d4pg"),
        r"holds another run: its agent is dqn, not d4pg; name another directory\.",
    )


def test_a_field_that_is_younger_than_the_run_has_its_default(
    run_dir: pathlib.Path,
) -> None:
    config = json.loads((run_dir / "config.json").read_text())
    del config["agent_config"]["huber_delta"], config["learner_log_every"]
    (run_dir / "config.json").write_text(json.dumps(config))
    builder = dqn.DQNBuilder(
        dqn.DQNConfig(
            layer_sizes=(16,), min_replay_size=50, max_replay_size=200, huber_delta=2.0
        )
    )
    assert_refused(
        small_runs.make_config(run_dir, builder=builder),
        r"different in huber_delta \(1\.0, not 2\.0\)",
    )
    assert_refused(
        small_runs.make_config(run_dir, learner_log_every=3),
        "its learner_log_every is 500, not 3",
    )
    result = experiments.run_experiment(small_runs.make_config(run_dir))
    assert result.num_actor_steps == 300


@pytest.mark.parametrize("name", ["metrics.jsonl", "events", "result.json"])
def test_files_of_an_unknown_run_are_not_overwritten(
    run_dir: pathlib.Path, unfinished: pathlib.Path, name: str
) -> None:
    for path in list(run_dir.iterdir()):
        if path.name != name:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    if name == "result.json":
        shutil.copy(unfinished.parent / name, run_dir)
    sentence = f"has {name} in it but no config.json"
    assert_refused(small_runs.make_config(run_dir), sentence)


def test_a_damaged_description_is_named(run_dir: pathlib.Path) -> None:
    os.truncate(run_dir / "config.json", 100)
    assert_refused(small_runs.make_config(run_dir), r"config\.json is damaged")


def test_without_an_intact_checkpoint_the_run_is_left_as_it_is(
    run_dir: pathlib.Path,
) -> None:
    for path in (run_dir / "checkpoints").iterdir():
        (path / "replay" / "state.bin").write_bytes(b"")
    assert_refused(
        small_runs.make_config(run_dir),
        r"No checkpoint in .*checkpoints is intact \(2 are damaged\); name another",
    )
    with pytest.raises(experiments.RunError, match="is intact"):
        experiments.evaluate(run_dir, num_episodes=1)


def test_a_checkpoint_of_a_later_format_is_not_passed_over(
    run_dir: pathlib.Path,
) -> None:
    newest = run_dir / "checkpoints" / small_runs.checkpoint_names(run_dir)[-1]
    manifest = json.loads((newest / "manifest.json").read_text())
    (newest / "manifest.json").write_text(json.dumps({**manifest, "format": 9}))
    assert_refused(
        small_runs.make_config(run_dir),
        "is of format 9, and this release knows format 1; go on with the release",
    )


def test_a_damaged_checkpoint_does_not_outlive_the_one_that_takes_its_place(
    run_dir: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = small_runs.checkpoint_names(run_dir)
    damaged = run_dir / "checkpoints" / names[-1]
    (damaged / "state.npz").unlink()
    step = experiments.InlineExperiment.step

    class Killed(BaseException):
        """Stands in for a death between two instructions."""

    def dying_step(self: experiments.InlineExperiment) -> Any:
        if self.counters.num_actor_steps == 260:
            raise Killed
        return step(self)

    monkeypatch.setattr(experiments.InlineExperiment, "step", dying_step)
    config = small_runs.make_config(
        run_dir, checkpoint_every=50, num_checkpoints_kept=1
    )
    with pytest.raises(Killed):
        experiments.run_experiment(config)
    assert small_runs.checkpoint_names(run_dir) == ["step-000000000250"]
    assert checkpointing.is_intact(run_dir / "checkpoints" / "step-000000000250")


def test_checkpoints_may_come_faster_than_every_second_but_not_at_once(
    tmp_path: pathlib.Path,
) -> None:
    assert small_runs.make_config(tmp_path, checkpoint_every_s=0.5).checkpoint_every_s
    for seconds in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match=f"checkpoint_every_s .* not {seconds}"):
            small_runs.make_config(tmp_path, checkpoint_every_s=seconds)
