"""Environments in worker processes: the same bytes, whatever happens to a process."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import cloudpickle
import dm_env
import numpy as np
import pytest
import tree

from tfagents_core import environments, specs

from .walks import (
    Adapted,
    Walk,
    actions,
    assert_same,
    make,
    once,
    play,
    raise_it,
    return_nan,
    serial,
    sleep_for_ever,
)

# Workers cannot import this module by its name.
cloudpickle.register_pickle_by_value(sys.modules[__name__])


@pytest.fixture(name="start")
def _start() -> Iterator[Callable[..., environments.WorkerEnvironments]]:
    """Starts workers for three environments, and ends them after the test."""
    started: list[environments.WorkerEnvironments] = []

    def start(make: Any = make, **options: Any) -> environments.WorkerEnvironments:
        defaults: dict[str, Any] = {"num_environments": 3, "num_workers": 2}
        started.append(environments.WorkerEnvironments(make, **{**defaults, **options}))
        return started[-1]

    yield start
    for one in started:
        one.close()


def start_serial(
    make: Any, *, max_restarts: int = 10, **_: Any
) -> environments.SerialEnvironments:
    """In one thread, what `start` starts in workers."""
    return environments.SerialEnvironments(
        [make(k) for k in range(3)], make=make, max_restarts=max_restarts
    )


@pytest.mark.parametrize("num_workers", [1, 2, 3])
def test_workers_give_the_same_bytes_as_one_thread(
    start: Any, num_workers: int
) -> None:
    expected, workers = serial(3), start(num_workers=num_workers)
    steps = play(expected, 40)
    assert_same(play(workers, 40), steps)
    assert {2} <= set(np.concatenate([s.step_type for s in steps]))  # Episodes ended.
    assert_same(workers.state(), expected.state())
    assert workers.spec == expected.spec


def test_workers_tell_of_stacks_of_frames(start: Any) -> None:
    """Of which the replay stores each frame once."""

    class Stacking(Walk):
        def observation_spec(self) -> Any:
            image = specs.StackedArray((3, 3), np.uint8, 0, 255)
            return {**super().observation_spec(), "image": image}

    spec = start(lambda k: Adapted(Stacking(k))).spec.observations["image"]
    assert isinstance(spec, specs.StackedArray)


def test_steps_do_not_share_memory_with_later_ones(start: Any) -> None:
    workers = start()
    first = workers.reset()
    before = tree.map_structure(np.copy, first)
    play(workers, 3)
    assert_same(first, before)


def test_workers_go_on_from_a_state_to_the_bit(start: Any) -> None:
    expected, resumed = serial(3), start()
    play(expected, 11)
    timestep, lost = resumed.restore(expected.state())
    assert lost == []
    assert_same(timestep, serial(3).restore(expected.state())[0])
    assert_same(play(resumed, 20, seed=1), play(expected, 20, seed=1))


@pytest.mark.parametrize("at", [1, 2, 3, 4, 5, 6])
def test_a_killed_worker_is_replaced_without_a_trace(start: Any, at: int) -> None:
    """At the beginnings and ends of episodes, too."""
    workers = start(num_workers=1)
    rng = np.random.default_rng(0)
    steps = [workers.reset()]
    for step in range(20):
        if step == at:
            os.kill(workers.pids[0], signal.SIGKILL)
        steps.append(workers.step(actions(rng)))
    assert_same(steps, play(serial(3), 20))


def test_a_worker_killed_while_it_steps_is_replaced_without_a_trace(start: Any) -> None:
    workers = start(num_workers=1)
    rng = np.random.default_rng(0)
    steps = [workers.reset()]
    for step in range(10):
        workers.send(actions(rng))
        if step == 5:
            os.kill(workers.pids[0], signal.SIGKILL)
        steps.append(workers.receive())
    assert_same(steps, play(serial(3), 10))


@pytest.mark.parametrize("mishap", [raise_it, return_nan, sleep_for_ever])
def test_a_mishap_that_does_not_come_again_leaves_no_trace(
    start: Any, tmp_path: pathlib.Path, mishap: Any
) -> None:
    timeout_s = 2.0 if mishap is sleep_for_ever else 60.0
    workers = start(once(tmp_path / "happened", mishap), timeout_s=timeout_s)
    assert_same(play(workers, 20), play(serial(3), 20))
    assert (tmp_path / "happened").exists()


@pytest.mark.parametrize("mishap", [raise_it, return_nan])
def test_nor_does_it_in_one_thread(tmp_path: pathlib.Path, mishap: Any) -> None:
    batch = start_serial(once(tmp_path / "happened", mishap))
    assert_same(play(batch, 20), play(serial(3), 20))
    assert (tmp_path / "happened").exists()


def test_in_one_thread_errors_come_through_where_nothing_can_be_made_anew(
    tmp_path: pathlib.Path,
) -> None:
    make = once(tmp_path / "happened", raise_it)
    with pytest.raises(OSError, match="fell over"):
        play(environments.SerialEnvironments([make(k) for k in range(3)]), 20)
    make = once(tmp_path / "again", return_nan)
    with pytest.raises(environments.NotFiniteError, match="Environment 1 returned the"):
        play(environments.SerialEnvironments([make(k) for k in range(3)]), 20)


@pytest.mark.parametrize("where", ["workers", "one thread"])
def test_an_episode_that_always_fails_is_given_up_for_a_new_one(
    start: Any, where: str
) -> None:
    def mishap(walk: Walk) -> None:
        if walk.steps == 1 and walk.index == 1 and walk._length == first_length:
            raise OSError("stuck here")

    probe = Walk(1)
    probe.seed(environments.episode_seed(1, 0))
    probe.reset()
    first_length = probe._length
    begin = start if where == "workers" else start_serial
    workers = begin(lambda k: Adapted(Walk(k, mishap)))
    steps = play(workers, 3)
    is_first = np.array([step.step_type == dm_env.StepType.FIRST for step in steps])
    assert is_first[:3, 1].tolist() == [True, False, True]
    assert workers.state()["1/episode_number"] == 2
    # The others had nothing to do with it.
    assert not is_first[1:2, [0, 2]].any()
    expected = serial(3)
    expected.continue_after([1, 1, 1])
    np.testing.assert_array_equal(
        steps[2].observation["place"][1], expected.reset().observation["place"][1]
    )


@pytest.mark.parametrize("where", ["workers", "one thread"])
def test_what_fails_again_and_again_ends_with_the_first_traceback(
    start: Any, where: str
) -> None:
    def mishap(walk: Walk) -> None:
        raise OSError(f"broken for good at {walk.index}")

    begin = start if where == "workers" else start_serial
    workers = begin(lambda k: Adapted(Walk(k, mishap)), num_workers=3, max_restarts=2)
    workers.reset()
    rng = np.random.default_rng(0)
    with pytest.raises(environments.EnvironmentFailedError) as caught:
        for _ in range(9):  # New episodes fail at their first step, too.
            workers.step(actions(rng))
    assert "failed 3 times within 600 s, and may be restarted 2 times" in str(
        caught.value
    )
    if where == "workers":
        assert "worker 0 (environments 0 to 0) raised" in str(caught.value)
    assert "in mishap" in str(caught.value)  # From the traceback.
    assert "broken for good at 0" in str(caught.value)


def test_episodes_are_counted_on_from_where_a_run_was_saved(start: Any) -> None:
    one, other = serial(3), start()
    play(one, 20)
    numbers = one.episode_numbers
    assert min(numbers) > 1
    other.continue_after(numbers)
    assert_same(other.reset(), one.reset())
    assert other.episode_numbers == [number + 1 for number in numbers]


def test_no_restart_is_forgiven_where_none_is_allowed(start: Any) -> None:
    workers = start(num_workers=1, max_restarts=0)
    workers.reset()
    os.kill(workers.pids[0], signal.SIGKILL)
    with pytest.raises(environments.EnvironmentFailedError, match="signal 9"):
        workers.step(actions(np.random.default_rng(0)))


def test_an_environment_that_cannot_be_made_says_why(start: Any) -> None:
    def make(index: int) -> dm_env.Environment:
        raise OSError(f"no licence for {index}")

    with pytest.raises(environments.EnvironmentFailedError, match="no licence for 0"):
        start(make)


def test_a_value_of_another_dtype_than_its_spec_is_refused(start: Any) -> None:
    class Wrong(Walk):
        def _observation(self) -> Any:
            return {**super()._observation(), "image": np.zeros((3, 3), np.int16)}

    with pytest.raises(
        environments.EnvironmentFailedError,
        match=r"observation of int16 \[3, 3\], and its spec says uint8 \[3, 3\]",
    ):
        start(lambda k: Adapted(Wrong(k)), max_restarts=0).reset()


def test_workers_import_no_tensorflow(start: Any) -> None:
    class Telling(Walk):
        def _observation(self) -> Any:
            found = "tensorflow" in sys.modules
            return {**super()._observation(), "image": np.full((3, 3), found, np.uint8)}

    timestep = start(lambda k: Adapted(Telling(k))).reset()
    assert not timestep.observation["image"].any()


@pytest.mark.parametrize("num_workers", [0, 4])
def test_each_worker_needs_an_environment(start: Any, num_workers: int) -> None:
    with pytest.raises(ValueError, match=f"3 environments for {num_workers} workers"):
        start(num_workers=num_workers)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = pathlib.Path(f"/proc/{pid}/stat")
    return not stat.exists() or ") Z" not in stat.read_text()


def wait_for_end(pids: list[int]) -> None:
    for _ in range(600):
        if not any(map(is_running, pids)):
            return
        time.sleep(0.1)
    pytest.fail(f"of {pids} some are still running")


def test_closing_ends_the_processes(start: Any) -> None:
    workers = start()
    pids = workers.pids
    workers.close()
    wait_for_end(pids)


def test_workers_end_with_the_process_that_started_them(tmp_path: pathlib.Path) -> None:
    """Killed, it closes nothing; one of its environments is asleep."""
    (tmp_path / "sleeping.py").write_text(
        "import time\n"
        "from tfagents_core import environments\n"
        "def make(index):\n"
        "    made = environments.make('gym:CartPole-v1', seed=index)\n"
        "    if index == 1: made.reset = lambda: time.sleep(3600)\n"
        "    return made\n"
    )
    program = (
        "import sleeping\n"
        "from tfagents_core import environments\n"
        "workers = environments.WorkerEnvironments(\n"
        "    sleeping.make, num_environments=2, num_workers=2)\n"
        "workers.send(None)\n"
        "print(*workers.pids, flush=True)\n"
        "workers.receive()\n"
    )
    pytest.importorskip("gymnasium")
    root = pathlib.Path(__file__).parents[2]
    path = os.pathsep.join([str(tmp_path), str(root), *sys.path])
    parent = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert parent.stdout is not None
    with parent.stdout:
        pids = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(pids) == 2
    assert all(map(is_running, pids))
    parent.kill()
    parent.wait()
    wait_for_end(pids)
