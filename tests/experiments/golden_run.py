"""The run whose checkpoint of format 1 is kept in `golden/run-1`, and how it was made.

Its environment computes with whole numbers alone, so that an episode can be played
again exactly on every machine. `make` writes the directory; it is to be called anew
only for a new format, with a name of its own.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import shutil
from typing import Any

import dm_env
import numpy as np
from dm_env import specs

from tfagents_core import adders, core, experiments
from tfagents_core.agents import dqn
from tfagents_core.experiments import roles

PATH = pathlib.Path(__file__).parent / "golden"
ENVIRONMENT_ID = "python:golden_run_environment:make"
NUM_STEPS = 60
SAVED_AT = 40


class Walk(dm_env.Environment):
    """Ten steps, each 1 or 2 far as the action says, from a place the seed gives."""

    def seed(self, seed: int) -> None:
        """Chooses where the next episode begins."""
        self._start = seed % 100

    def reset(self) -> dm_env.TimeStep:
        """Begins at the start."""
        self._place, self._num_steps = self._start, 0
        return dm_env.restart(self._observation())

    def step(self, action: Any) -> dm_env.TimeStep:
        """Goes on; the reward is how far."""
        distance = 1 + int(action)
        self._place, self._num_steps = self._place + distance, self._num_steps + 1
        end = dm_env.termination if self._num_steps == 10 else dm_env.transition
        return end(float(distance), self._observation())

    def observation_spec(self) -> specs.Array:
        """Place and time."""
        return specs.Array((2,), np.float32)

    def action_spec(self) -> specs.DiscreteArray:
        """Two."""
        return specs.DiscreteArray(2)

    def _observation(self) -> np.ndarray:
        return np.array([self._place, self._num_steps], np.float32)


def make_config(
    run_dir: pathlib.Path, builder: core.Builder[Any, Any]
) -> experiments.ExperimentConfig:
    """The run in `run_dir`."""
    return experiments.ExperimentConfig(
        agent="dqn",
        environment=ENVIRONMENT_ID,
        builder=builder,
        num_actor_steps=NUM_STEPS,
        run_dir=run_dir,
        envs_per_actor=2,
        eval_every=20,
        eval_episodes=2,
        learner_log_every=5,
        checkpoint_every=SAVED_AT,
    )


def describe(config: experiments.ExperimentConfig, path: pathlib.Path) -> Any:
    """Restores the checkpoint at `path` and says what came back, as JSON would.

    Of the variables these are the sums of absolute values.
    """
    experiment = experiments.InlineExperiment(config)
    lost = experiment.restore(path)
    stats = experiment.buffer.tables[adders.TRANSITIONS].stats()
    return {
        "lost": lost,
        "counters": vars(experiment.counters),
        "num_inserted": stats.num_inserted,
        "num_sampled": stats.num_sampled,
        "max_priority": stats.max_priority,
        "size": stats.size,
        "transitions": _transitions(config, path / "replay"),
        "variables": {
            name: float(np.abs(variable.numpy()).astype(np.float64).sum())
            for name, variable in experiment.learner.state.items()
        },
    }


def _transitions(
    config: experiments.ExperimentConfig, path: pathlib.Path
) -> dict[str, list[Any]]:
    """Every item of the replay at `path` in the order of keys, drawn without limits."""
    agent_config = dataclasses.replace(config.builder.config, samples_per_insert=1e9)
    without_limits = dataclasses.replace(config, builder=dqn.DQNBuilder(agent_config))
    agent = roles.make_agent(without_limits, roles.make_environments(config))
    buffer = roles.make_replay(agent, num_streams=2, rows_per_append=2)
    buffer.restore(path)
    info, data = buffer.tables[adders.TRANSITIONS].sample(1_000)
    _, once = np.unique(info.key, return_index=True)
    names = ("o_tm1", "a_tm1", "r_t", "discount_t", "o_t")
    return {name: values[once].tolist() for name, values in zip(names, data[:5])}


def make(name: str) -> None:
    """Writes the run `golden/<name>`, and what is in it into `golden/<name>.json`."""
    agent_config = dqn.DQNConfig(
        layer_sizes=(4,), n_step=2, min_replay_size=20, max_replay_size=30, batch_size=4
    )
    run_dir = PATH / name
    config = make_config(run_dir, dqn.DQNBuilder(agent_config))
    experiments.run_experiment(config)
    (run_dir / "result.json").unlink()
    (run_dir / ".lock").unlink()
    shutil.rmtree(run_dir / "events")
    checkpoint, last = sorted((run_dir / "checkpoints").iterdir())
    shutil.rmtree(last)
    described = json.dumps(describe(config, checkpoint), indent=1)
    (PATH / f"{name}.json").write_text(described + "\n")
