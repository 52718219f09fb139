"""Checkpoint directories: whole or not there, and damage is seen."""

import os
import pathlib
import random

import pytest

from tfagents_core import checkpointing


def write(path: pathlib.Path, text: str = "weights") -> None:
    def fill(directory: pathlib.Path) -> None:
        (directory / "state.bin").write_text(text)
        (directory / "replay").mkdir()
        (directory / "replay" / "rows.bin").write_bytes(bytes(range(256)))

    checkpointing.write(path, fill)


def test_a_written_checkpoint_is_intact_and_the_newest(tmp_path: pathlib.Path) -> None:
    assert checkpointing.latest_intact(tmp_path / "nowhere") is None
    assert checkpointing.latest_intact(tmp_path) is None
    for step in (5, 20, 100):
        write(tmp_path / f"step-{step:06d}")
    newest = tmp_path / "step-000100"
    assert checkpointing.latest_intact(tmp_path) == newest
    assert (newest / "replay" / "rows.bin").read_bytes() == bytes(range(256))


def test_every_flipped_bit_is_seen(tmp_path: pathlib.Path) -> None:
    write(tmp_path / "step-1")
    write(tmp_path / "step-2")
    generator = random.Random(0)
    files = [p for p in (tmp_path / "step-2").rglob("*") if p.is_file()]
    seen = 0
    for _ in range(200):
        file = generator.choice(files)
        content = file.read_bytes()
        damaged = bytearray(content)
        damaged[generator.randrange(len(content))] ^= 1 << generator.randrange(8)
        file.write_bytes(damaged)
        if file.name != "manifest.json":
            assert checkpointing.latest_intact(tmp_path) == tmp_path / "step-1"
            seen += 1
        file.write_bytes(content)
        assert checkpointing.latest_intact(tmp_path) == tmp_path / "step-2"
    assert seen > 50


@pytest.mark.parametrize("size", [0, 1, 100])
def test_a_file_cut_short_is_seen(tmp_path: pathlib.Path, size: int) -> None:
    write(tmp_path / "step-1")
    write(tmp_path / "step-2")
    os.truncate(tmp_path / "step-2" / "replay" / "rows.bin", size)
    assert checkpointing.latest_intact(tmp_path) == tmp_path / "step-1"


@pytest.mark.parametrize("name", ["manifest.json", "state.bin", "replay/rows.bin"])
def test_a_missing_file_is_seen(tmp_path: pathlib.Path, name: str) -> None:
    write(tmp_path / "step-1")
    (tmp_path / "step-1" / name).unlink()
    assert checkpointing.latest_intact(tmp_path) is None


def test_a_failed_write_leaves_the_old_one_and_nothing_else(
    tmp_path: pathlib.Path,
) -> None:
    write(tmp_path / "step-1")

    def fail(directory: pathlib.Path) -> None:
        (directory / "state.bin").write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        checkpointing.write(tmp_path / "step-2", fail)
    assert [p.name for p in tmp_path.iterdir()] == ["step-1"]
    write(tmp_path / "step-2")
    assert checkpointing.latest_intact(tmp_path) == tmp_path / "step-2"


def test_what_a_killed_process_left_half_done_is_passed_over(
    tmp_path: pathlib.Path,
) -> None:
    write(tmp_path / "step-1")
    (tmp_path / "step-2.unfinished").mkdir()
    assert checkpointing.latest_intact(tmp_path) == tmp_path / "step-1"
    write(tmp_path / "step-2")
    (tmp_path / "step-3.unfinished").mkdir()
    checkpointing.keep_newest(tmp_path, 1)
    assert [p.name for p in tmp_path.iterdir()] == ["step-2"]


def test_everything_is_flushed_before_the_directory_gets_its_name(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    real_fsync, real_rename = os.fsync, os.rename

    def fsync(descriptor: int) -> None:
        events.append(os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}")))
        real_fsync(descriptor)

    def rename(source: pathlib.Path, target: pathlib.Path) -> None:
        events.append("rename")
        real_rename(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "rename", rename)
    write(tmp_path / "step-1")
    before, after = events[: events.index("rename")], events[-1]
    flushed = {"manifest.json", "state.bin", "rows.bin", "replay", "step-1.unfinished"}
    assert set(before) == flushed
    assert after == tmp_path.name
