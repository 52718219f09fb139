"""A run that was stopped ends exactly as one that was not."""

import dataclasses
import fcntl
import json
import os
import pathlib
import signal
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from tfagents_core import core, environment_loop, environments, experiments
from tfagents_core.agents import d4pg, dqn

AGENTS: dict[str, tuple[str, core.Builder[Any, Any], int]] = {
    "control:cartpole:swingup": (
        "dm_control",
        d4pg.D4PGBuilder(
            d4pg.D4PGConfig(
                policy_layer_sizes=(32,),
                critic_layer_sizes=(32,),
                min_replay_size=100,
                max_replay_size=300,
                samples_per_insert=64,
            )
        ),
        500,
    ),
    "gym:Pendulum-v1": (
        "gymnasium",
        d4pg.D4PGBuilder(
            d4pg.D4PGConfig(
                policy_layer_sizes=(32,),
                critic_layer_sizes=(32,),
                min_replay_size=100,
                max_replay_size=300,
                jit_compile=False,
            )
        ),
        500,
    ),
    "gym:CartPole-v1": (
        "gymnasium",
        dqn.DQNBuilder(
            dqn.DQNConfig(
                layer_sizes=(16,),
                min_replay_size=50,
                max_replay_size=200,
                num_sgd_steps_per_step=3,
            )
        ),
        400,
    ),
    "bsuite:catch/0": ("bsuite", dqn.DQNBuilder(dqn.DQNConfig.for_bsuite()), 400),
    "atari:Pong": (
        "ale_py",
        dqn.DQNBuilder(
            dataclasses.replace(dqn.DQNConfig.for_atari(), min_replay_size=100)
        ),
        140,
    ),
}


def make_config(run_dir: pathlib.Path, environment: str) -> Any:
    module, builder, num_steps = AGENTS[environment]
    pytest.importorskip(module)
    return experiments.ExperimentConfig(
        agent="agent",
        environment=environment,
        builder=builder,
        num_actor_steps=num_steps,
        run_dir=run_dir,
        envs_per_actor=2,
        eval_every=num_steps // 2,
        eval_episodes=1 if environment == "atari:Pong" else 2,
        learner_log_every=7,
        checkpoint_every=num_steps // 5,
    )


def rows(run_dir: pathlib.Path) -> list[dict[str, Any]]:
    lines = (run_dir / "metrics.jsonl").read_text().splitlines()
    return [
        {name: v for name, v in json.loads(line).items() if not name.endswith("_s")}
        for line in lines
    ]


class Killed(BaseException):
    """Stands in for a death between two instructions."""


@pytest.mark.parametrize("environment", AGENTS)
def test_a_run_killed_three_times_ends_with_the_same_bits(
    tmp_path: pathlib.Path, environment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = experiments.run_experiment(make_config(tmp_path / "whole", environment))

    config = make_config(tmp_path / "killed", environment)
    generator = np.random.default_rng(0)
    step = experiments.InlineExperiment.step
    for _ in range(3):
        left = int(generator.integers(10, config.num_actor_steps // 4))

        def dying(self: Any, deaths: list[int] = [left]) -> Any:  # noqa: B006
            deaths[0] -= 1
            if deaths[0] == 0:
                raise Killed
            return step(self)

        monkeypatch.setattr(experiments.InlineExperiment, "step", dying)
        with pytest.raises(Killed):
            experiments.run_experiment(config)
    monkeypatch.setattr(experiments.InlineExperiment, "step", step)
    resumed = experiments.run_experiment(config)

    assert resumed.variables_sha256 == whole.variables_sha256
    assert resumed.episode_returns == whole.episode_returns
    assert rows(tmp_path / "killed") == rows(tmp_path / "whole")


_TRAIN = """
import pathlib, sys
from tfagents_core import experiments
from tfagents_core.environments import batched
from tfagents_core.agents import dqn
config = dqn.DQNConfig(layer_sizes=(16,), min_replay_size=50, max_replay_size=200)
result = experiments.run_experiment(experiments.ExperimentConfig(
    agent="dqn", environment="gym:CartPole-v1", builder=dqn.DQNBuilder(config),
    num_actor_steps=int(sys.argv[2]), run_dir=pathlib.Path(sys.argv[1]), eval_every=0,
    eval_episodes=1, checkpoint_every=100))
print(result.variables_sha256)
"""


def start(run_dir: pathlib.Path, num_steps: int) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", _TRAIN, str(run_dir), str(num_steps)]
    return subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def stop(run_dir: pathlib.Path, number: int, num_steps: int) -> str:
    """Starts a run, stops it once it has a new checkpoint, and gives its stderr."""
    before = set((run_dir / "checkpoints").glob("step-*[0-9]"))
    process = start(run_dir, num_steps)
    while process.poll() is None:
        if set((run_dir / "checkpoints").glob("step-*[0-9]")) - before:
            process.send_signal(number)
            break
    _, errors = process.communicate(timeout=200)
    assert process.returncode != 0
    return errors


def test_a_process_that_is_stopped_goes_on(tmp_path: pathlib.Path) -> None:
    num_steps, run_dir = 2_500, tmp_path / "stopped"
    whole = start(tmp_path / "whole", num_steps)
    assert "goes on from the checkpoint" in stop(run_dir, signal.SIGTERM, num_steps)
    stop(run_dir, signal.SIGKILL, num_steps)
    resumed = start(run_dir, num_steps)
    digests = [p.communicate(timeout=200)[0].strip() for p in (whole, resumed)]
    assert digests[0] == digests[1] != ""
    assert rows(tmp_path / "whole") == rows(run_dir)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks the processes it kills")
@pytest.mark.parametrize(
    ("agent", "environment"),
    [
        ("d4pg", "control:cartpole:swingup"),
        ("dqn", "gym:CartPole-v1"),
        ("ppo", "gym:CartPole-v1"),
        ("sac", "gym:Pendulum-v1"),
    ],
)
def test_a_run_killed_at_random_moments_ends_with_the_same_bits(
    agent: str, environment: str
) -> None:
    script = pathlib.Path(__file__).parent.parent / "stress" / "run_torture.py"
    chosen = ["--agent", agent, "--environment", environment]
    result = subprocess.run(
        [sys.executable, str(script), "--kills", "3", "--steps", "400", *chosen],
        check=False,
        capture_output=True,
        text=True,
        timeout=280,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("3 kills")


def test_a_second_process_at_the_same_run_is_turned_away(
    tmp_path: pathlib.Path,
) -> None:
    config = make_config(tmp_path / "run", "gym:CartPole-v1")
    (tmp_path / "run").mkdir()
    with open(tmp_path / "run" / ".lock", "w") as lock:  # As another process would.
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(experiments.RunError, match="Another process is at the run"):
            experiments.run_experiment(config)
    assert not (tmp_path / "run" / "config.json").exists()
    assert experiments.run_experiment(config).num_actor_steps >= 400


def test_a_damaged_checkpoint_gives_way_to_the_one_before(
    tmp_path: pathlib.Path,
) -> None:
    whole = experiments.run_experiment(
        make_config(tmp_path / "whole", "gym:CartPole-v1")
    )
    run_dir = tmp_path / "run"
    experiments.run_experiment(make_config(run_dir, "gym:CartPole-v1"))
    checkpoints = sorted((run_dir / "checkpoints").iterdir())
    assert len(checkpoints) == 2
    os.truncate(checkpoints[-1] / "state.npz", 100)
    (run_dir / "result.json").unlink()
    resumed = experiments.run_experiment(make_config(run_dir, "gym:CartPole-v1"))
    assert resumed.variables_sha256 == whole.variables_sha256
    assert rows(run_dir) == rows(tmp_path / "whole")


def test_an_environment_that_is_not_deterministic_begins_a_new_episode() -> None:
    pytest.importorskip("gymnasium")

    class Actor(core.Actor):
        def select_action(self, observation: np.ndarray) -> np.ndarray:
            return np.zeros(len(observation), np.int32)

        def observe_first(self, timestep: Any) -> None:
            pass

        def observe(self, action: Any, next_timestep: Any) -> None:
            self.last = next_timestep

    loops = [
        environment_loop.EnvironmentLoop(
            environments.SerialEnvironments(
                [environments.make("gym:CartPole-v1", seed=seed) for seed in seeds]
            ),
            Actor(),
        )
        for seeds in ([0, 1], [0, 2])
    ]
    for _ in range(5):
        loops[0].step()
    assert loops[1].restore(loops[0].state()) == [1]
    loops[0].step()
    steps, _ = loops[1].step()
    assert steps == 1  # The second environment was reset.
    last = [loop._actor.last.observation for loop in loops]
    np.testing.assert_array_equal(last[0][0], last[1][0])
