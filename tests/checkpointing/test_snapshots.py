"""A snapshot does what the agent does, where there is only TensorFlow."""

import collections
import dataclasses
import json
import pathlib
import subprocess
import sys
from typing import Any

import dm_env
import numpy as np
import pytest
import tensorflow as tf

from tfagents_core import acting, core, environments, experiments, registry, specs
from tfagents_core.checkpointing import snapshots
from tfagents_core.environments import wrappers
from tfagents_core.experiments import run_directory

pytest.importorskip("gymnasium")

# For agents of continuous actions, with bounds other than [-1, 1], and of discrete ones.
ENVIRONMENTS = ("gym:Pendulum-v1", "gym:CartPole-v1")

# Whatever of this an agent's configuration has, to learn at once and play its best.
SMALL = {
    "min_replay_size": 40,
    "max_replay_size": 1_000,
    "batch_size": 8,
    "evaluation_epsilon": 0.0,
    "jit_compile": False,
    "num_unrolls": 2,
    "unroll_length": 4,
    "num_minibatches": 2,
}

ALONE = """
import sys
import numpy as np
import tensorflow as tf

path, batches, answers = sys.argv[1:]
snapshot = tf.saved_model.load(path)
actions = {}
for name, observation in np.load(batches).items():
    action = snapshot.policy(observation).numpy()
    served = snapshot.signatures["serving_default"](observation=tf.constant(observation))
    assert action.tobytes() == served["action"].numpy().tobytes()
    actions[name] = action
assert not {"tfagents_core", "sonnet", "tree"} & set(sys.modules)
np.savez(answers, **actions)
"""

ORIGIN = snapshots.Origin("none", "gym:CartPole-v1", seed=0, num_actor_steps=5)


def make_builder(agent: str, environment_id: str) -> Any:
    builder = registry.find(agent)
    config = builder.default_config(environment_id)
    fields = {field.name for field in dataclasses.fields(config)}
    small = {name: value for name, value in SMALL.items() if name in fields}
    return builder(dataclasses.replace(config, **small))


def choose_environment(agent: str) -> str:
    """One that `agent` can act in."""
    for environment_id in ENVIRONMENTS:
        environment = environments.make(environment_id, seed=0)
        try:
            make_builder(agent, environment_id).check(
                specs.make_environment_spec(environment)
            )
        except ValueError:
            continue
        return environment_id
    return pytest.fail(f"{agent} can act in none of {ENVIRONMENTS}: add one.")


def train(
    agent: str, environment_id: str, run_dir: pathlib.Path, **changes: Any
) -> experiments.Result:
    config = experiments.ExperimentConfig(
        agent=agent,
        environment=environment_id,
        builder=make_builder(agent, environment_id),
        run_dir=run_dir,
        **{"num_actor_steps": 60, "eval_every": 0, "eval_episodes": 1, **changes},
    )
    return experiments.run_experiment(config)


class Recorder(wrappers.EnvironmentWrapper):
    """Keeps the actions that reach a task and takes none of them."""

    def __init__(self, environment: dm_env.Environment) -> None:
        super().__init__(environment)
        self.actions: list[Any] = []

    def step(self, action: Any) -> dm_env.TimeStep:
        self.actions.append(action)
        return dm_env.transition(0.0, None)


def actors_actions(
    agent: str, environment_id: str, run_dir: pathlib.Path, observation: np.ndarray
) -> np.ndarray:
    """What the trained actor does, as it reaches the task."""
    environment = environments.make(environment_id, seed=0)
    builder = make_builder(agent, environment_id)
    spec = specs.make_environment_spec(environment)
    networks = builder.make_networks(spec, seed=1)
    policy = builder.make_policy(networks, spec, evaluation=True)
    run_directory.RunDirectory(run_dir).restore_policy(policy)
    actor = acting.PolicyActor(policy, seed=0)
    recorder = Recorder(environment.environment)
    canonical = wrappers.CanonicalActions(recorder)
    for action in actor.select_action(observation):
        canonical.step(action)
    return np.stack(recorder.actions)


def random_batch(environment_id: str, size: int) -> np.ndarray:
    spec = environments.make(environment_id, seed=0).observation_spec()
    rng = np.random.default_rng(size)
    shape = (size, *spec.shape)
    if spec.dtype == np.uint8:
        return rng.integers(256, size=shape, dtype=np.uint8)
    return rng.normal(size=shape).astype(spec.dtype)


def act(path: pathlib.Path, observation: np.ndarray) -> np.ndarray:
    """The actions of a snapshot without memory."""
    snapshot = snapshots.load(path)
    return snapshot.model.policy(observation).numpy()


def check_round_trip(agent: str, environment_id: str, directory: pathlib.Path) -> None:
    run_dir = directory / "run"
    result = train(agent, environment_id, run_dir)
    assert result.num_learner_steps > 0
    batches = {str(size): random_batch(environment_id, size) for size in (1, 7, 64)}
    np.savez(directory / "batches.npz", **batches)
    (snapshot,) = (run_dir / "snapshots").iterdir()
    files = [directory / "batches.npz", directory / "answers.npz"]
    command = [sys.executable, "-I", "-c", ALONE, snapshot, *files]
    subprocess.run([str(word) for word in command], check=True, timeout=200)
    with np.load(directory / "answers.npz") as answers:
        for name, observation in batches.items():
            expected = actors_actions(agent, environment_id, run_dir, observation)
            assert answers[name].dtype == expected.dtype
            assert answers[name].shape == expected.shape
            assert answers[name].tobytes() == expected.tobytes()


@pytest.mark.parametrize("agent", registry.names())
def test_tensorflow_alone_plays_what_the_actor_plays(
    agent: str, tmp_path: pathlib.Path
) -> None:
    check_round_trip(agent, choose_environment(agent), tmp_path)


def test_frames_go_in_as_they_are(tmp_path: pathlib.Path) -> None:
    pytest.importorskip("ale_py")
    check_round_trip("dqn", "atari:Pong", tmp_path)


def test_a_run_leaves_a_snapshot_every_so_many_steps_and_at_its_end(
    tmp_path: pathlib.Path,
) -> None:
    train("d4pg", "gym:Pendulum-v1", tmp_path, num_actor_steps=75, snapshot_every=30)
    found = sorted((tmp_path / "snapshots").iterdir())
    assert [path.name for path in found] == [
        "step-000000000030",
        "step-000000000060",
        "step-000000000075",
    ]
    assert json.loads((found[1] / "snapshot.json").read_text()) == {
        "format": 1,
        "tfagents-core": snapshots.tfagents_core.__version__,
        "agent": "d4pg",
        "environment": "gym:Pendulum-v1",
        "seed": 0,
        "num_actor_steps": 60,
        "observation": {
            "shape": [3],
            "dtype": "float32",
            "minimum": [-1, -1, -8],
            "maximum": [1, 1, 8],
        },
        "action": {"shape": [1], "dtype": "float32", "minimum": [-2], "maximum": [2]},
    }


def test_a_snapshot_on_the_way_is_the_policy_of_its_step(
    tmp_path: pathlib.Path,
) -> None:
    environment_id = "gym:Pendulum-v1"
    train("d4pg", environment_id, tmp_path / "long", snapshot_every=50)
    train("d4pg", environment_id, tmp_path / "short", num_actor_steps=50)
    observation = random_batch(environment_id, 9)
    at_50, at_60, short = (
        act(tmp_path / run / "snapshots" / name, observation)
        for run, name in (
            ("long", "step-000000000050"),
            ("long", "step-000000000060"),
            ("short", "step-000000000050"),
        )
    )
    np.testing.assert_array_equal(at_50, short)
    assert not np.array_equal(at_50, at_60)


def test_snapshots_do_not_change_the_run(tmp_path: pathlib.Path) -> None:
    results = [
        train("d4pg", "gym:Pendulum-v1", tmp_path / str(period), snapshot_every=period)
        for period in (0, 20)
    ]
    assert results[0].variables_sha256 == results[1].variables_sha256


def write_simple(path: pathlib.Path, factor: float = 2.0) -> None:
    """A snapshot of `factor * observation`, which gives one number in [-1, 1]."""
    variable = tf.Variable(factor)
    snapshots.write(
        path,
        acting.FeedForwardPolicy(lambda o, context: variable * o, [variable]),
        observations=specs.Array((1,), np.float32),
        actions=specs.BoundedArray((1,), np.float64, -4, 8),
        origin=ORIGIN,
    )


def test_actions_are_in_the_tasks_own_bounds(tmp_path: pathlib.Path) -> None:
    write_simple(tmp_path / "snapshot")
    observation = np.array([[-0.5], [0.0], [0.25], [0.5], [9.0]], np.float32)
    action = act(tmp_path / "snapshot", observation)
    assert action.dtype == np.float64
    np.testing.assert_array_equal(action, [[-4], [2], [5], [8], [8]])


def test_observations_and_actions_may_be_nested(tmp_path: pathlib.Path) -> None:
    def act(o: Any, context: core.PolicyContext) -> Any:
        return {
            "move": o["sides"][0] - o["sides"][1],
            "press": tf.reduce_max(tf.cast(o["pixels"], tf.int32), axis=(1, 2)),
        }

    pixels = specs.Array((2, 2), np.uint8)
    snapshots.write(
        tmp_path / "snapshot",
        acting.FeedForwardPolicy(act, []),
        observations=collections.OrderedDict(
            sides=(specs.Array((3,), np.float32),) * 2, pixels=pixels
        ),
        actions={
            "move": specs.BoundedArray((3,), np.float32, -2, 2),
            "press": specs.DiscreteArray(256, np.int64),
        },
        origin=ORIGIN,
    )
    model = snapshots.load(tmp_path / "snapshot").model
    ones = np.ones((5, 3), np.float32)
    frames = np.full((5, 2, 2), 7, np.uint8)
    action = model.policy({"sides": (ones, ones / 2), "pixels": frames})
    np.testing.assert_array_equal(action["move"], ones)
    np.testing.assert_array_equal(action["press"], np.full(5, 7, np.int64))
    served = model.signatures["serving_default"](
        sides_0=tf.constant(ones), sides_1=tf.constant(ones / 2), pixels=frames
    )
    np.testing.assert_array_equal(served["move"], action["move"])
    np.testing.assert_array_equal(served["press"], action["press"])


def test_a_snapshot_taken_again_is_replaced(tmp_path: pathlib.Path) -> None:
    for factor in (2.0, 0.5):
        write_simple(tmp_path / "snapshot", factor)
    action = act(tmp_path / "snapshot", np.ones((1, 1), np.float32))
    assert action == 5  # 2 + 6 * 0.5.
    assert [path.name for path in tmp_path.iterdir()] == ["snapshot"]


def test_a_damaged_snapshot_is_told(tmp_path: pathlib.Path) -> None:
    write_simple(tmp_path)
    (data,) = (tmp_path / "variables").glob("*.data*")
    contents = bytearray(data.read_bytes())
    contents[3] ^= 1
    data.write_bytes(contents)
    with pytest.raises(ValueError, match="is damaged"):
        snapshots.load(tmp_path)


def test_a_snapshot_of_a_later_format_is_refused_by_its_version(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "_FORMAT", 9)
    write_simple(tmp_path / "snapshot")
    monkeypatch.undo()
    with pytest.raises(ValueError, match="has format 9, and this version reads 1"):
        snapshots.load(tmp_path / "snapshot")


def test_a_full_disk_is_one_sentence_and_leaves_nothing_behind(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def save(*arguments: Any) -> None:
        raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

    monkeypatch.setattr(tf.saved_model, "save", save)
    with pytest.raises(
        experiments.RunError,
        match=r"snapshot .*step-000000000060 could not be written \(No space left",
    ):
        train("dqn", "gym:CartPole-v1", tmp_path)
    assert list((tmp_path / "snapshots").iterdir()) == []
    monkeypatch.undo()
    train("dqn", "gym:CartPole-v1", tmp_path)
    assert snapshots.is_snapshot(tmp_path / "snapshots" / "step-000000000060")
