"""Where steps are kept: compressed, or in a file; values are the same everywhere."""

from __future__ import annotations

import os
import pathlib
import resource
import shutil
import subprocess
import sys
import threading
from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from tfagents_core import replay

from . import helpers, saving

FRAME = (84, 84)


def make_frames(compression: str | None, **options: Any) -> replay.Replay:
    """Windows of five frames, that of a two-step item the last."""
    steps = {"frame": replay.Column(FRAME, np.uint8, compression=compression)}
    table = replay.Table(
        "frames",
        pattern=replay.NStep(n=1),
        outputs=replay.views.Row("frame", -1, stack=5),
        max_size=500,
        rate_limiter=replay.MinSize(1),
    )
    return replay.Replay(steps, [table], **options)


def append_frames(rb: replay.Replay, num_frames: int, *, noise: bool = False) -> None:
    rng = np.random.default_rng(0)
    for i in range(num_frames):
        frame = np.full(FRAME, i % 251, np.uint8)
        if noise:
            frame = rng.integers(0, 256, FRAME).astype(np.uint8)
        rb.append_one({"frame": frame}, first=i % 90 == 0)


@helpers.compressed
@hypothesis.given(
    seed=st.integers(0, 2**32),
    num_calls=st.integers(100, 800),
    sampler=st.sampled_from(saving.SELECTORS),
    max_bytes=st.integers(25_000, 50_000),
)
@hypothesis.settings(max_examples=25, deadline=None)
def test_a_restored_compressed_replay_goes_on_exactly_as_the_saved_one(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    num_calls: int,
    sampler: Any,
    max_bytes: int,
) -> None:
    path = tmp_path_factory.mktemp("checkpoints") / "replay-1"
    restored = saving.check_that_it_goes_on(
        lambda: saving.make_bounded(
            max_bytes, steps=saving.frame_steps(), sampler=sampler
        ),
        path,
        seed,
        num_calls,
    )
    assert restored.bytes_allocated <= max_bytes


@helpers.compressed
@hypothesis.given(seed=st.integers(0, 2**32), max_bytes=st.integers(25_000, 35_000))
@hypothesis.settings(max_examples=15, deadline=None)
def test_what_is_drawn_and_removed_does_not_depend_on_when_it_was_compressed(
    seed: int, max_bytes: int
) -> None:
    hasty, patient = (
        saving.make_bounded(max_bytes, steps=saving.frame_steps()) for _ in range(2)
    )
    driver, slow_driver = saving.Driver(hasty, seed), saving.Driver(patient, seed)
    for _ in range(900):
        patient.wait_until_compressed()
        assert driver.run(1) == slow_driver.run(1)
        assert hasty.bytes_allocated <= max_bytes
    assert hasty.tables["transitions"].stats().num_deleted > 0
    for rb in (hasty, patient):
        rb.wait_until_compressed()
        rb.check_valid()
    assert hasty.bytes_in_use == patient.bytes_in_use


@helpers.compressed
@pytest.mark.parametrize("seed", range(5))
def test_compressed_steps_are_drawn_as_others_are(seed: int) -> None:
    plain, packed = (
        saving.make_bounded(None, steps=saving.frame_steps(compression))
        for compression in (None, "lz4")
    )
    outcomes = [saving.Driver(rb, seed).run(800) for rb in (plain, packed)]
    assert outcomes[0] == outcomes[1]
    packed.wait_until_compressed()
    assert packed.bytes_in_use < 0.7 * plain.bytes_in_use
    assert saving.Driver(packed, 7).run(100) == saving.Driver(plain, 7).run(100)


@helpers.compressed
def test_frames_that_shrink_take_less_and_noise_takes_no_more() -> None:
    plain, packed, noise = (make_frames(how) for how in (None, "lz4", "lz4"))
    append_frames(plain, 600)
    append_frames(packed, 600)
    append_frames(noise, 600, noise=True)
    for rb in (packed, noise):
        rb.wait_until_compressed()
        rb.check_valid()
    assert packed.bytes_in_use < plain.bytes_in_use / 8
    assert noise.bytes_in_use <= 1.01 * plain.bytes_in_use
    np.testing.assert_array_equal(
        plain.tables["frames"].sample(64).data, packed.tables["frames"].sample(64).data
    )


@helpers.compressed
def test_every_view_reads_compressed_columns() -> None:
    columns: dict[str, Any] = {
        "x": replay.Column((50,), np.int16, compression="lz4"),
        "reward": replay.Column((), np.float32, compression="lz4"),
        "discount": replay.Column((2,), np.float64, compression="lz4"),
        "pair": replay.Column((2,), np.float64, compression="lz4"),
    }
    views = replay.views
    outputs = {
        "row": views.Row("x", -1),
        "rows": views.Rows("x", 1, 9),
        "stacks": views.Rows("x", 0, 9, stack=6),
        "return": views.NStepReturn("pair", "discount", 0.9),
        "discount": views.NStepDiscount("discount", 0.9),
        "mask": views.Mask(0, 9),
        "reward": views.Rows("reward", 0, 9),
    }
    drawn = []
    for how in (None, "lz4"):
        steps = {
            name: replay.Column(column.shape, column.dtype, compression=how)
            for name, column in columns.items()
        }
        for time_major in (False, True):
            table = helpers.make_table(
                pattern=replay.Sequence(length=9, period=2),
                outputs=outputs,
                time_major=time_major,
            )
            rb = replay.Replay(steps, [table], segment_rows=16)
            for i in range(400):
                row = {
                    name: np.full(column.shape, i % 11, column.dtype)
                    for name, column in columns.items()
                }
                rb.append_one(row, first=i % 37 == 0, last=i % 37 == 36)
            rb.wait_until_compressed()
            drawn.append(rb.tables["table"].sample(200).data)
    for name in outputs:
        for i in range(2):
            np.testing.assert_array_equal(drawn[i][name], drawn[i + 2][name])


@helpers.compressed
def test_a_checkpoint_is_the_same_compressed_or_not(tmp_path: pathlib.Path) -> None:
    replays = {how: make_frames(how) for how in ("lz4", None)}
    for how, rb in replays.items():
        append_frames(rb, 300)
        rb.save(tmp_path / str(how))
    packed, raw = (
        [path.read_bytes() for path in sorted((tmp_path / name).glob("rows-*.bin"))]
        for name in ("lz4", "None")
    )
    assert len(packed) == 1
    assert packed == raw
    for how, other in (("lz4", None), (None, "lz4")):
        rb = make_frames(how)
        rb.restore(tmp_path / str(other))
        rb.check_valid()
        if how == "lz4":  # at once, nothing is left to be done
            assert rb.bytes_in_use < replays[None].bytes_in_use / 6
        np.testing.assert_array_equal(
            rb.tables["frames"].sample(50).data,
            replays[how].tables["frames"].sample(50).data,
        )


@helpers.compressed
def test_a_budget_too_small_for_a_compressed_checkpoint_is_named(
    tmp_path: pathlib.Path,
) -> None:
    saved = make_frames("lz4", segment_rows=16)
    append_frames(saved, 600, noise=True)
    saved.save(tmp_path / "replay")
    small = make_frames("lz4", segment_rows=16, max_bytes=2_000_000)
    with pytest.raises(ValueError, match="more than this replay's max_bytes = 2000000"):
        small.restore(tmp_path / "replay")
    assert small.tables["frames"].size == 0
    small.check_valid()


@helpers.compressed
def test_saving_restoring_resetting_and_deleting_while_it_compresses(
    tmp_path: pathlib.Path,
) -> None:
    rb = make_frames("lz4")
    table = rb.tables["frames"]
    for number in range(8):
        append_frames(rb, 500)
        rb.save(tmp_path / f"replay-{number}")
        table.delete(table.sample(100).info.key)
        if number % 2:
            rb.restore(tmp_path / f"replay-{number}")
        if number % 3 == 0:
            rb.reset()
            assert table.size == 0
        rb.check_valid()
    append_frames(rb, 300)
    rb.wait_until_compressed()
    frames = table.sample(200).data
    assert (frames == frames[..., :1, :1]).all()


@helpers.compressed
@pytest.mark.skipif(sys.platform != "linux", reason="counts threads in /proc")
def test_the_compressing_thread_ends_with_the_replay() -> None:
    def num_threads() -> int:
        return len(os.listdir("/proc/self/task"))

    before = num_threads()
    make_frames(None)
    rb = make_frames("lz4")
    assert num_threads() == before + 1
    append_frames(rb, 400)
    rb.close()
    assert num_threads() == before
    with pytest.raises(replay.ClosedError):
        rb.wait_until_compressed()
    rb = make_frames("lz4")
    append_frames(rb, 400)
    del rb
    assert num_threads() == before


@helpers.compressed
def test_a_process_may_end_while_it_compresses() -> None:
    script = (
        "import sys; sys.path[:0] = sys.argv[1:]\n"
        "from tests.replay import test_storage\n"
        "kept = test_storage.make_frames('lz4')\n"
        "test_storage.append_frames(kept, 3000)\n"
        "sys.modules['kept'] = kept\n"
    )
    root = str(pathlib.Path(__file__).parent.parent.parent)
    subprocess.run(
        [sys.executable, "-c", script, root, *sys.path], check=True, timeout=60
    )


def test_another_compression_is_refused() -> None:
    with pytest.raises(ValueError, match="compression is 'zstd'; it must be 'lz4'"):
        replay.Column((2,), np.uint8, compression="zstd")


@helpers.compressed
def test_compression_and_a_file_exclude_each_other(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ValueError, match="'frame' asks for compression='lz4', .* or"):
        make_frames("lz4", storage_directory=tmp_path)


@hypothesis.given(seed=st.integers(0, 2**32), max_bytes=st.integers(4_000, 8_000))
@hypothesis.settings(max_examples=10, deadline=None)
def test_steps_in_a_file_are_as_in_memory(
    tmp_path_factory: pytest.TempPathFactory, seed: int, max_bytes: int
) -> None:
    directory = tmp_path_factory.mktemp("steps")
    in_ram = saving.make_bounded(max_bytes)
    in_file = saving.make_bounded(max_bytes, storage_directory=directory)
    drivers = [saving.Driver(rb, seed) for rb in (in_ram, in_file)]
    assert drivers[0].run(500) == drivers[1].run(500)
    assert in_file.bytes_allocated == in_ram.bytes_allocated <= max_bytes
    assert not list(directory.iterdir())  # it has no name
    for rb in (in_ram, in_file):
        rb.reset()
    assert in_file.bytes_in_use == 0
    in_file.check_valid()
    in_file.save(directory / "replay")
    in_file.restore(directory / "replay")
    fresh = [saving.Driver(rb, seed).run(200) for rb in (in_ram, in_file)]
    assert fresh[0] == fresh[1]


def test_a_checkpoint_fills_a_file_as_it_fills_memory(tmp_path: pathlib.Path) -> None:
    saved = make_frames(None)
    append_frames(saved, 400)
    saved.save(tmp_path / "replay")
    rb = make_frames(None, storage_directory=tmp_path)
    rb.restore(tmp_path / "replay")
    rb.check_valid()
    np.testing.assert_array_equal(
        rb.tables["frames"].sample(64).data, saved.tables["frames"].sample(64).data
    )


@pytest.mark.parametrize("name", ["missing", "a file"])
def test_what_is_no_directory_for_steps_is_named(
    tmp_path: pathlib.Path, name: str
) -> None:
    (tmp_path / "a file").write_text("")
    with pytest.raises(OSError, match=f"cannot keep steps in a file in '.*{name}'"):
        make_frames(None, storage_directory=tmp_path / name)


def fill_until_it_fails(rb: replay.Replay) -> str:
    """The error of the append that found no room; every frame says which it is."""
    for i in range(100_000):
        frame = np.full(FRAME, i % 251, np.uint8)
        before = rb.tables["frames"].stats(), rb.bytes_in_use
        try:
            rb.append_one({"frame": frame}, first=i == 0)
        except OSError as error:
            assert (rb.tables["frames"].stats(), rb.bytes_in_use) == before
            rb.check_valid()
            return str(error)
    raise AssertionError("there was always room")


@pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="mounts a small disk"
)
def test_a_full_disk_is_an_error_and_the_replay_goes_on(
    tmp_path: pathlib.Path,
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("may not mount")
    try:
        table = helpers.make_table(
            "frames", outputs=replay.views.Row("frame", -1), max_size=10**6
        )
        steps = {"frame": replay.Column(FRAME, np.uint8)}
        rb = replay.Replay(steps, [table], storage_directory=disk)
        (disk / "other").write_bytes(bytes(3 * 2**20))
        error = fill_until_it_fails(rb)
        assert "No space left" in error
        assert str(disk) in error
        drawn = rb.tables["frames"].sample(100).data
        assert (drawn == drawn[:, :1, :1]).all()
        (disk / "other").unlink()
        rb.append_one({"frame": np.zeros(FRAME, np.uint8)})  # now there is room
        rb.save(tmp_path / "replay")
        del rb
        assert shutil.disk_usage(disk).used == 0
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.skipif(sys.platform != "linux", reason="limits the size of files")
def test_a_file_that_may_not_grow_is_an_error_and_leaves_the_replay_as_it_was(
    tmp_path: pathlib.Path,
) -> None:
    table = helpers.make_table(
        "frames", outputs=replay.views.Row("frame", -1), max_size=10**6
    )
    steps = {"frame": replay.Column(FRAME, np.uint8)}
    rb = replay.Replay(steps, [table], storage_directory=tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**22, hard))
    try:
        error = fill_until_it_fails(rb)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "File too large" in error
    assert str(tmp_path) in error
    append_frames(rb, 2)


@pytest.mark.parametrize("where", ["compressed", "in a file"])
def test_threads_may_sample_meanwhile(tmp_path: pathlib.Path, where: str) -> None:
    if where == "in a file":
        rb = make_frames(None, storage_directory=tmp_path)
    elif helpers.can_compress():
        rb = make_frames("lz4", max_bytes=4_000_000)
    else:
        pytest.skip("built without LZ4")
    append_frames(rb, 50)
    stop = threading.Event()
    wrong: list[Any] = []

    def sample() -> None:
        while not stop.is_set():
            frames = rb.tables["frames"].sample(32).data
            if not (frames == frames[..., :1, :1]).all():
                wrong.append(frames)

    threads = [threading.Thread(target=sample) for _ in range(2)]
    for thread in threads:
        thread.start()
    append_frames(rb, 3000)
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong
    rb.check_valid()
