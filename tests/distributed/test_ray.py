"""Runs whose parts are processes of Ray, and what becomes of them when one dies."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

ray = pytest.importorskip("ray", reason="Ray is not installed")

from tfagents_core import experiments, learning, replay
from tfagents_core.agents import dqn, ppo
from tfagents_core.distributed import (
    client,
    ray_cluster,
    ray_launcher,
    ray_shards,
)

from ..experiments import small_runs
from . import toys

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    """One cluster for all tests of this file; runs use it where it is."""
    made = ray_cluster.Cluster(None, num_cpus=8)
    yield
    made.close()


def make_config(run_dir: pathlib.Path, **changes: Any) -> experiments.ExperimentConfig:
    given = {"launcher": "ray", "num_actors": 2, "envs_per_actor": 2, **changes}
    return small_runs.make_config(run_dir, **given)


@contextlib.contextmanager
def running(
    run_dir: pathlib.Path, **changes: Any
) -> Iterator[ray_launcher.RayExperiment]:
    run_dir.mkdir(exist_ok=True)
    config = make_config(run_dir, **{"num_actor_steps": 10**9, **changes})
    with contextlib.closing(ray_launcher.RayExperiment(config)) as experiment:
        yield experiment


def step_until(
    experiment: ray_launcher.RayExperiment, is_there: Callable[[], bool]
) -> None:
    """Bounded by the test's time limit alone."""
    while not is_there():
        experiment.step()


def process_of(handle: Any) -> int:
    return int(ray.get(handle.__ray_call__.remote(lambda _: os.getpid())))


def status(run_dir: pathlib.Path) -> dict[str, dict[str, Any]]:
    lines = json.loads((run_dir / "status.json").read_text())["roles"]
    return {line["role"]: line for line in lines}


def start_shard(directory: pathlib.Path) -> Any:
    table = replay.Table(
        "t",
        pattern=replay.NStep(1),
        outputs={"value": replay.views.Row("value", -1)},
        max_size=100_000,
        rate_limiter=replay.MinSize(1),
    )
    return ray_shards.start(
        toys.STEPS,
        [table],
        options={"num_streams": 2},
        directory=directory,
        batch_sizes={"t": 4},
    )


def values(shard: Any) -> list[int]:
    def read(host: Any) -> list[int]:
        table = host._service._buffer.tables["t"]
        return sorted(table.get(table.keys()).data["value"].tolist())

    read_values: list[int] = ray.get(shard.__ray_call__.remote(read))
    return read_values


def test_a_run_ends_with_all_that_a_run_leaves(tmp_path: pathlib.Path) -> None:
    config = make_config(
        tmp_path, num_actor_steps=1_000, eval_every=400, learner_log_every=50
    )
    result = experiments.run_experiment(config)
    assert result.num_actor_steps >= 1_000 and result.num_learner_steps > 0
    assert experiments.run_experiment(config) == result
    rows = small_runs.rows(tmp_path)
    assert {row["kind"] for row in rows} == {"train", "eval", "learner"}
    assert len(experiments.evaluate(tmp_path, num_episodes=2).episode_returns) == 2
    totals = json.loads((tmp_path / "status.json").read_text())
    ratio = totals["samples_per_insert"]["transitions"]
    assert 0 < ratio["now"] and ratio["target"] == 32.0
    assert set(status(tmp_path)) == {
        "learner",
        "evaluator",
        "actor 0",
        "actor 1",
        "replay shard 0",
    }


def test_a_killed_shard_loses_and_doubles_nothing(tmp_path: pathlib.Path) -> None:
    shard = start_shard(tmp_path)
    writer = toys.make_client(ray_shards.RayShard(shard), retry_s=0.05)
    for tick in range(120):
        if tick in (30, 70):
            os.kill(process_of(shard), signal.SIGKILL)
        toys.append(writer, tick)
    assert values(shard) == toys.expected(120)
    assert not ray.get(shard.__ray_call__.remote(lambda _: "tensorflow" in sys.modules))
    ray.kill(shard)


def test_a_killed_actor_loses_and_doubles_nothing_acknowledged(
    tmp_path: pathlib.Path,
) -> None:
    """Each life writes values of its own; what it wrote is there up to a chunk."""
    shard = start_shard(tmp_path / "shard")
    steps, play = toys.STEPS, toys.EPISODE

    class Writer:
        def play(self, life: int, calls: Any, acknowledged: str) -> None:
            mine = client.ChunkClient(
                calls, steps, actor="a", num_streams=2, chunk_ticks=4
            )
            for tick in range(10**9):
                value = np.full(2, 1_000_000 * life + tick)
                mine.append(
                    {"value": value},
                    first=np.full(2, tick % play == 0),
                    last=np.full(2, tick % play == play - 1),
                )
                pathlib.Path(acknowledged).write_text(str(mine.num_acknowledged))

    expected: list[int] = []
    for life in range(3):
        noted = tmp_path / f"life-{life}"
        writer = ray.remote(num_cpus=0)(Writer).remote()
        process = process_of(writer)
        call = writer.play.remote(life, ray_shards.RayShard(shard), str(noted))
        while not noted.exists() or (noted.read_text() or "0") < "3":
            ray.wait([call], timeout=0.05)
        os.kill(process, signal.SIGKILL)
        with pytest.raises(ray.exceptions.RayActorError):
            ray.get(call)
        found = [v - 1_000_000 * life for v in values(shard) if v >= 1_000_000 * life]
        last = max(found)
        # What it heard of and perhaps one chunk more; each row twice, of two streams.
        assert int(noted.read_text() or 0) * 4 - 1 <= last
        ticks = [tick for tick in range(last + 1) if tick % play]
        expected += [1_000_000 * life + tick for tick in ticks for _ in range(2)]
        assert values(shard) == expected
    ray.kill(shard)


def test_a_killed_actor_is_back_with_its_exploration(tmp_path: pathlib.Path) -> None:
    with running(tmp_path) as experiment:
        step_until(experiment, lambda: experiment.counters.num_actor_steps > 200)
        killed = next(iter(experiment._actors))
        before = int(experiment._actor_steps[0])
        os.kill(process_of(killed.handle), signal.SIGKILL)
        step_until(experiment, lambda: killed.budget.num_restarts == 1)
        step_until(experiment, lambda: experiment._actor_steps[0] > before + 10)
        assert experiment._lives.tolist() == [2, 1]
        steps = ray.get(
            killed.handle.__ray_call__.remote(
                lambda role: int(role._loop._actor.state()["num_steps"])
            )
        )
        assert steps > before
        experiment.halt()
        assert status(tmp_path)["actor 0"]["restarts"] == 1


def test_a_killed_learner_goes_on_from_its_checkpoint(tmp_path: pathlib.Path) -> None:
    with running(tmp_path) as experiment:
        step_until(experiment, lambda: experiment.counters.num_learner_steps > 100)
        (tmp_path / "checkpoint").mkdir()
        experiment.begin_save()(tmp_path / "checkpoint", lambda: None)
        state = experiment._learner_state
        assert state is not None
        (name,) = (name for name in state if name.startswith("num_learner_steps"))
        saved, learner = int(state[name]), experiment._learner
        assert saved > 100 and learner is not None
        os.kill(process_of(learner.handle), signal.SIGKILL)
        step_until(experiment, lambda: learner.budget.num_restarts == 1)
        counted = experiment.counters.num_learner_steps
        step_until(experiment, lambda: experiment.counters.num_learner_steps > counted)
        experiment.halt()
        state = experiment._learner_state
        learned = experiment.counters.num_learner_steps - counted
        assert state is not None and int(state[name]) == saved + learned


def test_a_run_goes_on_from_what_every_role_saved(tmp_path: pathlib.Path) -> None:
    (tmp_path / "checkpoint").mkdir()
    with running(tmp_path) as experiment:
        step_until(experiment, lambda: experiment.counters.num_learner_steps > 50)
        experiment.halt()
        counters, state = experiment.counters, experiment._learner_state
        inserts = experiment.replay_metrics()["replay_inserts"]
        experiment.begin_save()(tmp_path / "checkpoint", lambda: None)
    with running(tmp_path) as again:
        again.restore(tmp_path / "checkpoint")
        assert again.counters == counters
        before = counters.num_actor_steps
        learner = again._start_learner()
        restored = ray.get(learner.state.remote())
        assert state is not None
        for name, value in state.items():
            np.testing.assert_array_equal(restored[name], value)
        ray.kill(learner)
        step_until(again, lambda: again.counters.num_actor_steps > before)
        again.halt()
        assert again.replay_metrics()["replay_inserts"] > inserts
        assert again._lives.tolist() == [2, 2]


def test_a_loss_that_breaks_down_ends_the_run_at_once(tmp_path: pathlib.Path) -> None:
    """Restarting would only repeat it."""
    config = dqn.DQNConfig(
        layer_sizes=(16,), min_replay_size=50, max_replay_size=200, learning_rate=1e30
    )
    builder = dqn.DQNBuilder(config)
    with (
        running(tmp_path, builder=builder, num_actors=1) as experiment,
        pytest.raises(learning.NotFiniteError, match="broke down at learner step"),
    ):
        step_until(experiment, lambda: False)


def test_an_on_policy_agent_learns_from_each_step_once(tmp_path: pathlib.Path) -> None:
    config = ppo.PPOConfig(num_unrolls=4, unroll_length=8, num_minibatches=2)
    with running(tmp_path, agent="ppo", builder=ppo.PPOBuilder(config)) as experiment:
        step_until(experiment, lambda: experiment.counters.num_learner_steps > 50)
        experiment.halt()
        (stats,) = experiment._shards[0].stats.tables.values()
        assert 0 < stats.num_sampled <= stats.num_inserted


def test_several_shards_share_actors_and_items(tmp_path: pathlib.Path) -> None:
    with running(tmp_path, num_replay_shards=2) as experiment:
        step_until(experiment, lambda: experiment.counters.num_learner_steps > 50)
        experiment.halt()
        stats = [shard.stats for shard in experiment._shards]
        assert all(each.tables["transitions"].num_sampled for each in stats)
        assert all(each.tables["transitions"].max_size == 100 for each in stats)


def test_an_environment_that_always_fails_ends_the_run_with_its_traceback(
    tmp_path: pathlib.Path,
) -> None:
    def make(*, seed: int, evaluation: bool = False) -> Any:
        import gymnasium

        class Broken(gymnasium.make("CartPole-v1").unwrapped.__class__):
            def step(self, action: Any) -> Any:
                raise RuntimeError("the pole is broken")

        return Broken()

    changes = {"environment_factory": make, "max_environment_restarts": 1}
    with (
        running(tmp_path, num_actors=1, **changes) as experiment,
        pytest.raises(experiments.RunError, match="the pole is broken"),
    ):
        step_until(experiment, lambda: False)


def test_an_actor_that_always_fails_ends_the_run_with_its_traceback(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tfagents_core.distributed.ray_crew.MAX_RESTARTS", 1)

    def observe(spec: Any) -> Any:
        raise RuntimeError("nothing can be seen")

    with (
        running(tmp_path, num_actors=1, observers=[observe]) as experiment,
        pytest.raises(experiments.RunError) as caught,
    ):
        step_until(experiment, lambda: False)
    assert "actor 0 failed 2 times" in str(caught.value)
    assert "nothing can be seen" in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_a_cluster_that_is_too_small_is_refused(tmp_path: pathlib.Path) -> None:
    config = make_config(tmp_path, num_actors=100)
    with pytest.raises(ValueError, match="has 8 CPUs and the run needs 101"):
        ray_launcher.RayExperiment(config)


def run_alone(script: str, *arguments: Any) -> str:
    """In a process that has no cluster yet."""
    code = f"import sys\nsys.path.append({str(ROOT)!r})\n" + textwrap.dedent(script)
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_cluster_of_its_own_listens_on_loopback_alone() -> None:
    printed = run_alone(
        """
        import ray, psutil
        from tfagents_core.distributed import ray_cluster
        cluster = ray_cluster.Cluster(None, num_cpus=1)
        ray.get(ray.remote(lambda: None).remote())
        for child in psutil.Process().children(recursive=True):
            for connection in child.net_connections("inet"):
                if connection.status == "LISTEN":
                    print(connection.laddr.ip)
        cluster.close()
        """
    )
    assert set(printed.split()) <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}
    assert printed.split()


def test_actors_of_a_run_are_on_both_nodes_of_a_cluster(tmp_path: pathlib.Path) -> None:
    run_alone(
        """
        import pathlib
        from ray import cluster_utils
        from tests.experiments import small_runs
        from tfagents_core import experiments
        nodes = cluster_utils.Cluster(
            initialize_head=True, head_node_args={"num_cpus": 2}
        )
        nodes.add_node(num_cpus=2)
        experiments.run_experiment(small_runs.make_config(
            pathlib.Path(sys.argv[1]), launcher="ray", num_actors=3,
            num_actor_steps=600, ray_address=nodes.address,
        ))
        nodes.shutdown()
        """,
        tmp_path,
    )
    lines = status(tmp_path)
    assert len({lines[f"actor {index}"]["node"] for index in range(3)}) == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_all_processes_ends_a_run_with_a_checkpoint(
    tmp_path: pathlib.Path, number: signal.Signals
) -> None:
    script = f"""
import sys, pathlib
sys.path.append({str(ROOT)!r})
from tests.experiments import small_runs
from tfagents_core import experiments
config = small_runs.make_config(
    pathlib.Path(sys.argv[1]), launcher="ray", num_actors=2,
    num_actor_steps=int(sys.argv[2]), checkpoint_every=10**9,
)
try:
    print(experiments.run_experiment(config).num_actor_steps)
except experiments.Interrupted as interrupted:
    print("interrupted", interrupted.signal)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path), str(10**9)],
        stdout=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    metrics = tmp_path / "metrics.jsonl"
    while process.poll() is None and not (metrics.exists() and metrics.read_text()):
        threading.Event().wait(0.1)
    os.killpg(process.pid, number)
    printed, _ = process.communicate()
    assert f"interrupted {int(number)}" in printed
    (name,) = small_runs.checkpoint_names(tmp_path)
    with np.load(tmp_path / "checkpoints" / name / "state.npz") as saved:
        assert any(each.startswith("learner/") for each in saved.files)
