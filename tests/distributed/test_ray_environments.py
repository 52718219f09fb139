"""Environments in Ray actors: the same bytes, whatever happens to an actor."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

import cloudpickle
import numpy as np
import pytest

ray = pytest.importorskip("ray", reason="Ray is not installed")

import tfagents_core
from tfagents_core import environments, experiments
from tfagents_core.distributed import ray_cluster, ray_environments

from ..environments import walks
from ..experiments import small_runs

# Workers cannot import this module by its name.
cloudpickle.register_pickle_by_value(sys.modules[__name__])


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    """One cluster for all tests of this file; environments use it where it is."""
    made = ray_cluster.Cluster(None, num_cpus=8)
    yield
    made.close()


@pytest.fixture(name="start")
def _start() -> Iterator[Callable[..., ray_environments.RayEnvironments]]:
    """Starts workers for three environments, and ends them after the test."""
    started: list[ray_environments.RayEnvironments] = []

    def start(make: Any = walks.make, **options: Any) -> Any:
        defaults: dict[str, Any] = {"num_environments": 3, "num_workers": 2}
        started.append(
            ray_environments.RayEnvironments(make, **{**defaults, **options})
        )
        return started[-1]

    yield start
    for one in started:
        one.close()


def process_of(batch: ray_environments.RayEnvironments, worker: int) -> int:
    call = batch._workers[worker].handle.__ray_call__
    return int(ray.get(call.remote(lambda _: os.getpid())))


def test_ray_gives_the_same_bytes_as_one_thread_and_goes_on_from_a_state(
    start: Any,
) -> None:
    expected, on_ray = walks.serial(3), start()
    steps = walks.play(expected, 40)
    walks.assert_same(walks.play(on_ray, 40), steps)
    assert {2} <= set(np.concatenate([s.step_type for s in steps]))  # Episodes ended.
    assert on_ray.spec == expected.spec
    walks.assert_same(on_ray.state(), expected.state())
    state = expected.state()
    walks.play(on_ray, 7)
    timestep, lost = on_ray.restore(state)
    assert lost == []
    walks.assert_same(timestep, walks.serial(3).restore(state)[0])
    after = walks.play(expected, 20, seed=1)
    walks.assert_same(walks.play(on_ray, 20, seed=1), after)


@pytest.mark.parametrize("when", ["between steps", "in a step"])
def test_a_killed_worker_is_replaced_without_a_trace(start: Any, when: str) -> None:
    on_ray = start()
    rng = np.random.default_rng(0)
    steps = [on_ray.reset()]
    for step in range(10):
        process = process_of(on_ray, 1) if step == 5 else None
        if process is not None and when == "between steps":
            os.kill(process, signal.SIGKILL)
        on_ray.send(walks.actions(rng))
        if process is not None and when == "in a step":
            os.kill(process, signal.SIGKILL)
        steps.append(on_ray.receive())
    walks.assert_same(steps, walks.play(walks.serial(3), 10))
    if when == "between steps":
        assert process_of(on_ray, 1) != process


@pytest.mark.parametrize(
    "mishap", [walks.raise_it, walks.return_nan, walks.sleep_for_ever]
)
def test_a_mishap_that_does_not_come_again_leaves_no_trace(
    start: Any, tmp_path: pathlib.Path, mishap: Any
) -> None:
    timeout_s = 10.0 if mishap is walks.sleep_for_ever else 100.0
    on_ray = start(walks.once(tmp_path / "happened", mishap), timeout_s=timeout_s)
    walks.assert_same(walks.play(on_ray, 20), walks.play(walks.serial(3), 20))
    assert (tmp_path / "happened").exists()


def test_what_fails_again_and_again_ends_with_the_first_traceback(start: Any) -> None:
    class UnknownHereError(Exception):
        def __init__(self, one: Any, two: Any) -> None:
            super().__init__(f"broken for good at {one}")

    def mishap(walk: walks.Walk) -> None:
        raise UnknownHereError(walk.index, None)

    on_ray = start(lambda k: walks.Adapted(walks.Walk(k, mishap)), max_restarts=1)
    on_ray.reset()
    rng = np.random.default_rng(0)
    with pytest.raises(environments.EnvironmentFailedError) as caught:
        for _ in range(9):  # New episodes fail at their first step, too.
            on_ray.step(walks.actions(rng))
    said = str(caught.value)
    assert "failed 2 times within 600 s, and may be restarted 1 times" in said
    assert "worker 0 (environments 0 to 1) raised" in said
    assert "in mishap" in said and "broken for good at 0" in said


def test_an_environment_that_cannot_be_made_says_why(start: Any) -> None:
    def make(index: int) -> Any:
        raise OSError(f"no licence for {index}")

    with pytest.raises(environments.EnvironmentFailedError, match="no licence for 0"):
        start(make)


def test_workers_import_no_tensorflow_and_end_when_closed(start: Any) -> None:
    on_ray = start(num_workers=1)
    (one,) = on_ray._workers

    def look(_: Any) -> tuple[bool, str | None]:
        return "tensorflow" in sys.modules, sys.modules["tfagents_core"].__file__

    found = ray.get(one.handle.__ray_call__.remote(look))
    assert found == (False, tfagents_core.__file__)
    on_ray.close()
    with pytest.raises(ray.exceptions.RayActorError):
        while True:  # Until the kill has arrived.
            ray.get(one.handle.__ray_call__.remote(look), timeout=60)
    with pytest.raises(environments.EnvironmentFailedError, match="were closed"):
        on_ray.reset()
    assert ray.is_initialized()  # Others use it.


@pytest.mark.parametrize("num_workers", [0, 4])
def test_each_worker_needs_an_environment(start: Any, num_workers: int) -> None:
    with pytest.raises(ValueError, match=f"3 environments for {num_workers} workers"):
        start(num_workers=num_workers)


def test_a_cluster_that_is_too_small_is_refused(tmp_path: pathlib.Path) -> None:
    config = small_runs.make_config(
        tmp_path, envs_per_actor=100, environment_workers=100, ray_address="local"
    )
    with pytest.raises(ValueError, match="has 8 CPUs and the run needs 100"):
        experiments.run_experiment(config)


class Killed(BaseException):
    """Stands in for a death between two instructions."""


def test_an_inline_run_learns_the_same_with_its_environments_on_ray_and_resumed(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes: dict[str, Any] = {"envs_per_actor": 3, "num_actor_steps": 400}
    whole = experiments.run_experiment(
        small_runs.make_config(tmp_path / "whole", **changes)
    )
    changes.update(environment_workers=2, ray_address="local")
    step = experiments.InlineExperiment.step
    batches: list[Any] = []

    def dying(self: experiments.InlineExperiment) -> Any:
        if self.counters.num_actor_steps > 150 and not batches:
            batches.append(self._environments)
            os.kill(process_of(batches[0], 0), signal.SIGKILL)
        if self.counters.num_actor_steps > 250:
            raise Killed
        return step(self)

    monkeypatch.setattr(experiments.InlineExperiment, "step", dying)
    with pytest.raises(Killed):
        experiments.run_experiment(small_runs.make_config(tmp_path / "run", **changes))
    assert isinstance(batches[0], ray_environments.RayEnvironments)
    monkeypatch.setattr(experiments.InlineExperiment, "step", step)
    result = experiments.run_experiment(
        small_runs.make_config(tmp_path / "run", **changes)
    )
    assert result.variables_sha256 == whole.variables_sha256
    assert result.episode_returns == whole.episode_returns


def test_threads_may_have_their_environments_on_ray(tmp_path: pathlib.Path) -> None:
    config = small_runs.make_config(
        tmp_path,
        launcher="threads",
        num_actors=2,
        envs_per_actor=2,
        environment_workers=2,
        ray_address="local",
    )
    assert experiments.run_experiment(config).num_actor_steps >= 300


def test_a_cluster_of_their_own_ends_with_the_last_of_them() -> None:
    """In a process that has no cluster yet."""
    script = """
        import sys
        sys.path.append(sys.argv[1])
        import ray
        from tests.environments import walks
        from tfagents_core import environments
        from tfagents_core.distributed import ray_environments

        def start(**options):
            return ray_environments.RayEnvironments(
                walks.make, num_environments=1, num_workers=1, **options
            )

        try:
            start(address="127.0.0.1:1")
        except environments.EnvironmentFailedError as error:
            print(error)
        assert not ray.is_initialized()
        one, other = [start(address="local", num_cpus=2) for _ in range(2)]
        one.reset()
        one.close()
        one.close()
        other.reset()
        other.close()
        assert not ray.is_initialized()
        try:
            start(num_cpus=1000)
        except ValueError:
            assert not ray.is_initialized()
        """
    root = pathlib.Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(root)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "There is no Ray cluster at 127.0.0.1:1 (" in done.stdout
