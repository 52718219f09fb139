"""Runs of an agent that remembers: evaluated, snapshotted, resumed."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import shutil
import subprocess
import sys
import types
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tfagents_core import core, experiments, registry, replay
from tfagents_core.checkpointing import snapshots

from .. import toys
from . import small_runs

MODULE = "recalling_environment"


@pytest.fixture(autouse=True, scope="module")
def _installed() -> Iterator[None]:
    """The agent and its environment, as an installed package would offer them."""
    module = types.ModuleType(MODULE)
    vars(module)["make"] = toys.Recall
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, MODULE, module)
        patch.setattr(registry, "find", {toys.NAME: toys.Builder}.__getitem__)
        yield


def make_config(run_dir: pathlib.Path, **changes: Any) -> experiments.ExperimentConfig:
    # Learns fast enough to tell in a few hundred steps that the bit matters.
    optimizer = toys.OptimizerConfig(learning_rate=0.1, clip_norm=None)
    agent = toys.Config(samples_per_insert=8, discount=0.0, optimizer=optimizer)
    defaults: dict[str, Any] = {
        "agent": toys.NAME,
        "environment": f"python:{MODULE}:make",
        "builder": toys.Builder(agent),
        "num_actor_steps": 400,
        "run_dir": run_dir,
        "envs_per_actor": 2,
        "eval_every": 200,
        "eval_episodes": 12,
        "learner_log_every": 7,
    }
    return experiments.ExperimentConfig(**{**defaults, **changes})


@pytest.fixture(scope="module", name="trained")
def _trained(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    run_dir = tmp_path_factory.mktemp("runs") / "run"
    experiments.run_experiment(make_config(run_dir, eval_every=0))
    return run_dir


@pytest.fixture(name="run_dir")
def _run_dir(trained: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    """A copy of it, of the test's own."""
    return pathlib.Path(shutil.copytree(trained, tmp_path / "run"))


def load_snapshot(run_dir: pathlib.Path) -> Any:
    (path,) = (run_dir / "snapshots").iterdir()
    return snapshots.load(path).model


def recall(model: Any, bits: np.ndarray, *, num_steps: int = 4) -> np.ndarray:
    """What a snapshot does after it was shown `bits`, `[num_steps, B]`."""
    state = model.initial_state(len(bits))
    actions = []
    observation = np.stack([np.ones(len(bits)), bits], axis=1).astype(np.float32)
    for _ in range(num_steps):
        action, state = model.policy(observation, state)
        actions.append(action.numpy())
        observation = np.zeros_like(observation)
    return np.stack(actions)


def test_the_run_is_of_an_agent_whose_memory_matters(trained: pathlib.Path) -> None:
    """Without it none of what follows would tell anything."""
    model = load_snapshot(trained)
    actions = recall(model, np.array([0, 1]))
    assert (actions[1:, 0] != actions[1:, 1]).any()


def test_an_evaluation_plays_the_episodes_of_the_runs_own(
    run_dir: pathlib.Path,
) -> None:
    result = json.loads((run_dir / "result.json").read_text())
    evaluation = experiments.evaluate(run_dir, num_episodes=12)
    assert evaluation.episode_returns == result["episode_returns"]
    assert len(set(evaluation.episode_lengths)) > 1
    assert len(set(evaluation.episode_returns)) > 1


def test_a_snapshot_plays_the_same_episodes(run_dir: pathlib.Path) -> None:
    of_run = experiments.evaluate(run_dir, num_episodes=12)
    (snapshot,) = (run_dir / "snapshots").iterdir()
    of_snapshot = experiments.evaluate(snapshot, num_episodes=12)
    assert dataclasses.replace(of_snapshot, policy=of_run.policy) == of_run


_ALONE = """
import sys
import numpy as np
import tensorflow as tf

path, answers = sys.argv[1:]
snapshot = tf.saved_model.load(path)
serve = snapshot.signatures["serving_default"]
state = snapshot.initial_state(2)
hidden, cell = state
served = {"state_hidden": tf.zeros((2, 3)), "state_cell": tf.zeros((2, 3))}
observation = tf.constant([[1.0, 0.0], [1.0, 1.0]])
actions = []
for _ in range(4):
    action, state = snapshot.policy(observation, state)
    served = serve(observation=observation, **served)
    assert action.numpy().tobytes() == served.pop("action").numpy().tobytes()
    actions.append(action.numpy())
    observation = tf.zeros((2, 2))
assert not {"tfagents_core", "sonnet", "tree"} & set(sys.modules)
np.save(answers, np.stack(actions))
"""


def test_tensorflow_alone_can_remember(
    trained: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    (snapshot,) = (trained / "snapshots").iterdir()
    answers = tmp_path / "answers.npy"
    command = [sys.executable, "-I", "-c", _ALONE, str(snapshot), str(answers)]
    subprocess.run(command, check=True, timeout=250)
    expected = recall(load_snapshot(trained), np.array([0, 1]))
    np.testing.assert_array_equal(np.load(answers), expected)


def test_the_signature_names_the_state(trained: pathlib.Path) -> None:
    serve = load_snapshot(trained).signatures["serving_default"]
    _, inputs = serve.structured_input_signature
    state = {"state_hidden": [None, 3], "state_cell": [None, 3]}
    shapes = {name: spec.shape.as_list() for name, spec in inputs.items()}
    assert shapes == {"observation": [None, 2], **state}
    outputs = serve.structured_outputs
    shapes = {name: spec.shape.as_list() for name, spec in outputs.items()}
    assert shapes == {"action": [None], **state}


class Killed(BaseException):
    """Stands in for a death between two instructions."""


@pytest.mark.parametrize("deaths", [(67, 31, 90), (45, 60)])
def test_a_run_that_was_killed_ends_with_the_same_bits(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, deaths: tuple[int, ...]
) -> None:
    length = {"num_actor_steps": 300, "eval_every": 100, "checkpoint_every": 25}
    whole = experiments.run_experiment(make_config(tmp_path / "whole", **length))
    config = make_config(tmp_path / "killed", **length)
    step = experiments.InlineExperiment.step
    for death in deaths:
        num_ticks = 0

        def dying(self: Any, death: int = death) -> Any:
            nonlocal num_ticks
            num_ticks += 1
            if num_ticks == death:
                raise Killed
            return step(self)

        monkeypatch.setattr(experiments.InlineExperiment, "step", dying)
        with pytest.raises(Killed):
            experiments.run_experiment(config)
    monkeypatch.undo()
    resumed = experiments.run_experiment(config)
    assert resumed.variables_sha256 == whole.variables_sha256
    assert resumed.episode_returns == whole.episode_returns
    assert small_runs.rows(tmp_path / "killed") == small_runs.rows(tmp_path / "whole")


class Watching(core.BatchSource):
    """Keeps the batches of another source."""

    def __init__(self, source: core.BatchSource) -> None:
        self._source = source
        self.batches: list[replay.Sample] = []

    def is_ready(self) -> bool:
        return self._source.is_ready()

    def next(self) -> replay.Sample:
        self.batches.append(self._source.next())
        return self.batches[-1]

    def update_priorities(self, *arguments: Any) -> None:
        self._source.update_priorities(*arguments)


def test_what_the_policy_says_beside_the_action_reaches_the_rule(
    tmp_path: pathlib.Path,
) -> None:
    sources = []

    class Builder(toys.Builder):
        """Watches what its rule gets."""

        def make_learner(
            self, rule: core.UpdateRule, source: core.BatchSource, *, seed: int
        ) -> core.Learner:
            """Of a source that is watched."""
            sources.append(Watching(source))
            return super().make_learner(rule, sources[-1], seed=seed)

    config = make_config(tmp_path, builder=Builder(toys.Config()))
    experiment = experiments.InlineExperiment(config)
    while experiment.counters.num_learner_steps < 20:
        experiment.step()
    (source,) = sources
    data = [batch.data for batch in source.batches]
    begins = np.concatenate([d.observation[:, 0] == 1 for d in data])
    assert 0 < begins.sum() < len(begins)
    for leaves in zip(*(d.extras["core"] for d in data), strict=True):
        state = np.concatenate(leaves)
        assert state.shape == (len(begins), 3)
        assert (state[begins] == 0).all()  # The initial state.
        assert (state[~begins] != 0).any(axis=1).all()
