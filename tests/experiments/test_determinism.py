"""The same command twice gives the same run, on every suite."""

import dataclasses
import json
import pathlib
from typing import Any

import pytest

from tfagents_core import checkpointing, core, experiments
from tfagents_core.agents import d4pg, dqn, sac

SMALL: dict[str, tuple[str, core.Builder[Any, Any], int]] = {
    "control:cartpole:swingup": (
        "dm_control",
        d4pg.D4PGBuilder(
            d4pg.D4PGConfig(
                policy_layer_sizes=(64, 64),
                critic_layer_sizes=(64, 64),
                min_replay_size=100,
                samples_per_insert=128,
            )
        ),
        400,
    ),
    # Several updates of a learner step, whose batches and priorities go together.
    "gym:CartPole-v1": (
        "gymnasium",
        dqn.DQNBuilder(
            dqn.DQNConfig(
                layer_sizes=(16,), min_replay_size=100, num_sgd_steps_per_step=5
            )
        ),
        300,
    ),
    "gym:Pendulum-v1": (
        "gymnasium",
        sac.SACBuilder(
            sac.SACConfig(
                policy_layer_sizes=(16,),
                critic_layer_sizes=(16,),
                min_replay_size=100,
                batch_size=32,
                samples_per_insert=32,
                num_random_steps=50,
                num_sgd_steps_per_step=4,
            )
        ),
        300,
    ),
    "bsuite:catch/0": ("bsuite", dqn.DQNBuilder(dqn.DQNConfig.for_bsuite()), 300),
    "atari:Pong": (
        "ale_py",
        dqn.DQNBuilder(
            dataclasses.replace(
                dqn.DQNConfig.for_atari(), min_replay_size=100, max_replay_size=1_000
            )
        ),
        160,
    ),
}


@pytest.mark.parametrize("envs_per_actor", [1, 2])
@pytest.mark.parametrize("environment", SMALL)
def test_a_run_repeats_bit_for_bit(
    tmp_path: pathlib.Path, environment: str, envs_per_actor: int
) -> None:
    module, builder, num_steps = SMALL[environment]
    pytest.importorskip(module)

    def run(name: str) -> tuple[str, list[dict[str, Any]]]:
        result = experiments.run_experiment(
            experiments.ExperimentConfig(
                agent="agent",
                environment=environment,
                builder=builder,
                num_actor_steps=num_steps,
                run_dir=tmp_path / name,
                envs_per_actor=envs_per_actor,
                eval_every=0,
                eval_episodes=1,
                learner_log_every=5,
            )
        )
        assert result.num_learner_steps > 0
        lines = (tmp_path / name / "metrics.jsonl").read_text().splitlines()
        rows = [json.loads(line) for line in lines]
        for row in rows:
            del row["walltime_s"]
        return result.variables_sha256, rows

    assert run("one") == run("two")


def test_compressed_frames_change_nothing_but_their_size(
    tmp_path: pathlib.Path,
) -> None:
    pytest.importorskip("ale_py")
    config = dataclasses.replace(
        dqn.DQNConfig.for_atari(), min_replay_size=100, max_replay_size=300
    )

    def run(compress: bool) -> tuple[str, int]:
        builder = dqn.DQNBuilder(dataclasses.replace(config, compress_frames=compress))
        experiment = experiments.InlineExperiment(
            experiments.ExperimentConfig(
                agent="dqn",
                environment="atari:Pong",
                builder=builder,
                num_actor_steps=200,
                run_dir=tmp_path,
            )
        )
        while experiment.counters.num_actor_steps < 200:
            experiment.step()
        assert experiment.counters.num_learner_steps > 0
        experiment.buffer.wait_until_compressed()
        digest = checkpointing.digest(experiment.learner.state)
        return digest, experiment.buffer.bytes_in_use

    digest, size = run(False)
    try:
        other, compressed_size = run(True)
    except RuntimeError as error:
        pytest.skip(str(error))  # Built without LZ4.
    assert digest == other
    assert compressed_size < size
