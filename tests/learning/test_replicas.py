"""Learning on several devices."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import pytest
import tensorflow as tf

from tfagents_core import learning

TESTS = pathlib.Path(__file__).parents[1]


def test_two_devices_learn_as_one_does_from_the_joint_batch() -> None:
    modules = ("learning/replicas.py", "experiments/two_devices.py")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        + [str(TESTS / module) for module in modules],
        cwd=TESTS.parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stdout[-5_000:] + done.stderr[-1_000:]


@pytest.mark.parametrize(
    ("devices", "words"),
    [
        ("GPU:0,GPU:7", "there is no 'GPU:7'; there are CPU:0, GPU:0, GPU:1"),
        ("GPU:1", "must be at least two; .* by CUDA_VISIBLE_DEVICES"),
        ("GPU:0, gpu:0", "name each device once"),
        ("CPU:0,GPU:0", "name GPUs alone or CPUs alone"),
        ("", "devices are '', and there is no ''"),
    ],
)
def test_devices_that_cannot_learn_together_are_refused(
    devices: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = [
        tf.config.LogicalDevice(f"/device:{name}", name[:3])
        for name in ("CPU:0", "GPU:0", "GPU:1")
    ]
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda: there)
    with pytest.raises(ValueError, match=words):
        learning.on_devices(devices)
