"""Two logical CPU devices learn as one does from the joint batch.

`test_replicas.py` runs these tests in a process of their own, because devices are set
up before TensorFlow is first used.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tree

from tfagents_core import core, datasets, learning, replay, replicas, specs
from tfagents_core.agents import d4pg, dqn, ppo, sac

from ..agents import by_hand

(CPU,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(
    CPU, [tf.config.LogicalDeviceConfiguration() for _ in range(2)]
)

DEVICES = "CPU:0,CPU:1"
BATCH_SIZE, NUM_STEPS, CLIP_NORM = 16, 6, 0.65
CONTINUOUS = by_hand.make_spec(specs.BoundedArray((2,), np.float32, -1, 1))
DISCRETE = by_hand.make_spec(specs.DiscreteArray(3, dtype=np.int32))

D4PG = d4pg.D4PGConfig(
    policy_layer_sizes=(8,),
    critic_layer_sizes=(8,),
    num_atoms=5,
    vmin=-2,
    vmax=2,
    target_update_period=2,
    gradient_clip_norm=CLIP_NORM,
)
DQN = dqn.DQNConfig(
    layer_sizes=(8,),
    target_update_period=2,
    gradient_clip_norm=CLIP_NORM,
    importance_exponent_initial=0.6,
)
PPO = ppo.PPOConfig(
    layer_sizes=(8,),
    num_unrolls=BATCH_SIZE,
    unroll_length=4,
    num_epochs=3,
    num_minibatches=1,  # With more, the order of the steps matters.
    normalize_observations=True,
    gradient_clip_norm=0.3,
)


def make_batches(actions: Any, *, num_steps: int = NUM_STEPS) -> list[replay.Sample]:
    """The halves of each batch are of other sizes, so that their gradients differ."""
    return [_make_batch(actions, step) for step in range(num_steps)]


def _make_batch(actions: Any, step: int) -> replay.Sample:
    generator = np.random.default_rng(step)
    scale = np.repeat([1, 4], BATCH_SIZE // 2).astype(np.float32)

    def draw(*shape: int) -> np.ndarray:
        values = generator.normal(size=(BATCH_SIZE, *shape)).astype(np.float32)
        return values * scale.reshape(-1, *[1] * len(shape))

    # The most and the least likely items are in other halves.
    info = by_hand.make_info(BATCH_SIZE)._replace(
        key=np.arange(BATCH_SIZE) + 100 * step,
        probability=np.linspace(0.01, 0.2, BATCH_SIZE),
    )
    data = replay.Transition(
        observation=draw(3),
        action=actions(generator, BATCH_SIZE),
        reward=draw(),
        discount=np.ones(BATCH_SIZE, np.float32),
        next_observation=draw(3),
    )
    return replay.Sample(info, data)


def make_unrolls(actions: Any) -> list[replay.Sample]:
    """Each as `_make_batch`, with four steps."""
    batches = []
    for step in range(NUM_STEPS):
        parts = [_make_batch(actions, 4 * step + t) for t in range(4)]
        steps = tree.map_structure(lambda *x: np.stack(x, 1), *(p.data for p in parts))
        unroll = replay.Unroll(
            *steps[:5],
            is_first=np.zeros((BATCH_SIZE, 4), bool),
            extras={"log_prob": np.full((BATCH_SIZE, 4), -1.5, np.float32)},
        )
        batches.append(replay.Sample(parts[0].info, unroll))
    return batches


def continuous(generator: np.random.Generator, size: int) -> np.ndarray:
    return np.tanh(generator.normal(size=(size, 2))).astype(np.float32)


def discrete(generator: np.random.Generator, size: int) -> np.ndarray:
    return generator.integers(0, 3, size).astype(np.int32)


@dataclasses.dataclass(frozen=True)
class Case:
    """An agent and its batches."""

    builder: core.Builder[Any, Any]
    spec: specs.EnvironmentSpec
    batches: Callable[[], list[replay.Sample]]
    num_updates: int = 1


CASES = {
    "d4pg": Case(d4pg.D4PGBuilder(D4PG), CONTINUOUS, lambda: make_batches(continuous)),
    "dqn": Case(dqn.DQNBuilder(DQN), DISCRETE, lambda: make_batches(discrete), 3),
    "sac": Case(
        sac.SACBuilder(sac.SACConfig(policy_layer_sizes=(8,), critic_layer_sizes=(8,))),
        CONTINUOUS,
        lambda: make_batches(continuous),
    ),
    "ppo": Case(ppo.PPOBuilder(PPO), DISCRETE, lambda: make_unrolls(discrete)),
}


@dataclasses.dataclass(frozen=True)
class Trained:
    """What was learned, the metrics of each step, and the priorities written."""

    learner: learning.Learner
    start: dict[str, np.ndarray]
    metrics: list[dict[str, np.ndarray]]
    updates: list[tuple[str, np.ndarray, np.ndarray]]

    def copies(self, name: str) -> list[np.ndarray]:
        """A variable's value on each device."""
        variable = self.learner.state[name]
        if not hasattr(variable, "distribute_strategy"):
            return [variable.numpy()]
        results = variable.distribute_strategy.experimental_local_results(variable)
        return [copy.numpy() for copy in results]


def train(case: Case, devices: str | None) -> Trained:
    with learning.on_devices(devices):
        networks = case.builder.make_networks(case.spec, seed=0)
        rule = case.builder.make_rule(networks, case.spec, seed=0)
    source = by_hand.Given(case.batches(), num_batches=case.num_updates)
    learner = learning.Learner(
        rule,
        source,
        seed=0,
        num_updates_per_step=case.num_updates,
        jit_compile=devices is not None and case.builder.config.jit_compile,
    )
    start = {name: v.numpy() for name, v in learner.state.items()}
    metrics = []
    while learner.can_step():
        metrics.append(dict(learner.step()))
    return Trained(learner, start, metrics, source.updates)


def check_copies_are_equal(trained: Trained) -> None:
    for name in trained.learner.state:
        if name.startswith("num_learner_steps"):
            continue
        one, other = trained.copies(name)
        np.testing.assert_array_equal(one, other, err_msg=name)


@pytest.mark.parametrize("name", CASES)
def test_two_devices_learn_what_one_learns_from_the_joint_batch(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # SAC's replicas draw noise of their own; here it is one for all.
    monkeypatch.setattr(
        tf.random, "stateless_normal", lambda shape, _: tf.fill(shape, 0.3)
    )
    one, two = train(CASES[name], None), train(CASES[name], DEVICES)
    check_copies_are_equal(two)
    for variable in one.learner.state:
        np.testing.assert_allclose(
            two.copies(variable)[0],
            one.copies(variable)[0],
            rtol=2e-3,
            atol=2e-5,
            err_msg=variable,
        )
    for mine, yours in zip(two.metrics, one.metrics, strict=True):
        assert list(mine) == list(yours)
        for metric in mine:
            np.testing.assert_allclose(mine[metric], yours[metric], 2e-3, 2e-5, metric)
    for mine, yours in zip(two.updates, one.updates, strict=True):
        assert mine[0] == yours[0]
        np.testing.assert_array_equal(mine[1], yours[1])
        np.testing.assert_allclose(mine[2], yours[2], 2e-3, 2e-5)
    changes = [
        np.abs(one.copies(variable)[0] - one.start[variable]).max()
        for variable in one.start
        if variable.startswith("policy/")
    ]
    assert max(changes) > 1e-3


def test_some_of_these_updates_are_clipped_and_some_are_not() -> None:
    norms = [m["critic_gradient_norm"] for m in train(CASES["d4pg"], None).metrics]
    assert min(norms) < CLIP_NORM < max(norms)


def test_devices_that_sample_for_themselves_do_not_drift_apart() -> None:
    config = dataclasses.replace(PPO, num_epochs=2, num_minibatches=2)
    shuffled = dataclasses.replace(CASES["ppo"], builder=ppo.PPOBuilder(config))
    for case in (CASES["sac"], shuffled):
        check_copies_are_equal(train(case, DEVICES))


class Looking(core.UpdateRule):
    """Keeps what each replica saw; priorities are the items' numbers."""

    def __init__(self) -> None:
        self.seen = tf.Variable(tf.zeros([2, 8]), trainable=False)
        self.seed = tf.Variable([0, 0], trainable=False)
        self.variables = {"policy": [self.seen, self.seed]}

    def update(self, batch: Any, *, seed: tf.Tensor, num_steps: tf.Tensor) -> Any:
        assert replicas.count() == 2
        self.seed.assign(seed)
        shares = [tf.reshape(sample.data[..., 0], [-1]) for sample in batch.values()]
        self.seen.assign(tf.stack([share[:8] for share in shares]))
        return core.Update(
            {"mean": tf.reduce_mean(shares[0])},
            {name: tf.cast(s.info.key, tf.float32) for name, s in batch.items()},
        )


def make_table(name: str, *, time_major: bool) -> replay.Table:
    table = replay.Table.queue(
        name,
        pattern=replay.Sequence(2, 1),
        outputs=replay.views.Rows("x", 0, 2),
        max_size=100,
    )
    return dataclasses.replace(table, time_major=time_major)


def make_buffer() -> replay.Replay:
    """Of two tables with the same items, one of them time-major."""
    buffer = replay.Replay(
        {"x": replay.Column((1,), np.float32)},
        [make_table("rows", time_major=False), make_table("times", time_major=True)],
        seed=0,
    )
    for number in range(30):
        buffer.append_one({"x": np.float32([number])}, first=number == 0)
    return buffer


def make_looking(batch_size: int) -> tuple[learning.Learner, Looking]:
    buffer = make_buffer()
    with learning.on_devices(DEVICES):
        rule = Looking()
    sizes = dict.fromkeys(buffer.tables, batch_size)
    source = datasets.TableSource(buffer.tables, sizes)
    return learning.Learner(rule, source, seed=0), rule


def test_each_device_has_its_share_of_the_items_of_every_table() -> None:
    learner, rule = make_looking(8)
    metrics = learner.step()
    strategy = rule.seen.distribute_strategy
    one, other = strategy.experimental_local_results(rule.seen)
    # Item i has the steps i and i + 1.
    np.testing.assert_array_equal(
        one, [[0, 1, 1, 2, 2, 3, 3, 4], [0, 1, 2, 3, 1, 2, 3, 4]]
    )
    np.testing.assert_array_equal(other, np.asarray(one) + 4)
    assert metrics["mean"] == 4
    seeds = strategy.experimental_local_results(rule.seed)
    assert seeds[0].numpy().tolist() != seeds[1].numpy().tolist()


def test_a_batch_that_cannot_be_shared_equally_is_refused() -> None:
    learner, _ = make_looking(7)
    with pytest.raises(ValueError, match="has 7 items, which 2 devices cannot share"):
        learner.step()


def test_a_time_major_batch_is_not_split_in_the_axis_of_time() -> None:
    samples = make_buffer().tables["times"].sample(8)  # [2, 8, 1]
    with learning.on_devices(DEVICES):
        rule = Looking()
    source = by_hand.Given([samples], num_batches=1)
    with pytest.raises(
        ValueError, match=r"are \[2, 8\] long .*datasets.TableSource does"
    ):
        learning.Learner(rule, source, seed=0).step()


def test_a_plan_of_batches_that_cannot_be_shared_is_refused() -> None:
    with learning.on_devices(DEVICES):
        learning.check_batch_sizes({"rows": 8})
        with pytest.raises(ValueError, match="'times' has 7 items"):
            learning.check_batch_sizes({"rows": 8, "times": 7})


def test_minibatches_that_a_devices_steps_do_not_make_are_refused() -> None:
    builder = ppo.PPOBuilder(dataclasses.replace(PPO, num_unrolls=2, num_minibatches=8))
    with learning.on_devices(DEVICES):
        networks = builder.make_networks(DISCRETE, seed=0)
        with pytest.raises(ValueError, match="each of the 2 devices, 4"):
            builder.make_rule(networks, DISCRETE, seed=0)


def test_a_rule_with_variables_inside_and_outside_is_refused() -> None:
    with learning.on_devices(DEVICES):
        rule = Looking()
    rule.variables = {"policy": [*rule.variables["policy"], tf.Variable(0.0)]}
    with pytest.raises(ValueError, match="Looking has variables that were made inside"):
        learning.Learner(rule, by_hand.Given([], num_batches=1), seed=0)
