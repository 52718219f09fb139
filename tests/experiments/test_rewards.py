"""Rewards of several components, from the environment to the result of a run."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Callable
from typing import Any

import dm_env
import numpy as np
import pytest
import tensorflow as tf
import tree

from tfagents_core import adders, core, environment_loop, experiments, replay, specs
from tfagents_core.environments import batched
from tfagents_core.experiments import roles

from .. import toys

GAMMA = 0.5


class Payoffs(toys.Recall):
    """`toys.Recall` that pays step t of an episode t, -2 t and, if it recalled, 1.

    Args:
        arrange: makes rewards of three numbers.
        spread: makes discounts of one number.
    """

    def __init__(
        self, arrange: Callable[..., Any], spread: Callable[[Any], Any]
    ) -> None:
        super().__init__()
        self._arrange, self._spread = arrange, spread

    def reset(self) -> dm_env.TimeStep:
        """Counts from 0."""
        self._time = 0
        return super().reset()

    def step(self, action: Any) -> dm_env.TimeStep:
        """Pays all three."""
        timestep = super().step(action)
        if timestep.first():
            return timestep
        self._time += 1
        return timestep._replace(
            reward=self._arrange(
                float(self._time), -2.0 * self._time, float(timestep.reward)
            ),
            discount=self._spread(timestep.discount),
        )

    def reward_spec(self) -> Any:
        """Zeros have the structure."""
        return tree.map_structure(make_spec, self._arrange(0.0, 0.0, 0.0))

    def discount_spec(self) -> Any:
        """So have ones."""
        return tree.map_structure(make_spec, self._spread(1.0))


def make_spec(value: Any) -> specs.Array:
    return specs.Array(np.shape(value), np.float64)


@dataclasses.dataclass(frozen=True)
class Case:
    """A way to pay three numbers.

    Attributes:
        arrange: makes rewards of three numbers.
        spread: makes discounts of one.
        take: the three numbers of (a batch of) rewards.
        names: of their metrics.
    """

    arrange: Callable[..., Any]
    spread: Callable[[Any], Any]
    take: Callable[[Any], list[Any]]
    names: tuple[str, str, str]

    def make(self, *, seed: int = 0, evaluation: bool = False) -> dm_env.Environment:
        """An environment factory."""
        del seed, evaluation
        return Payoffs(self.arrange, self.spread)


CASES = {
    "vector": Case(
        arrange=lambda a, b, c: np.array([a, b, c]),
        spread=lambda d: d,
        take=lambda rewards: [rewards[..., i] for i in range(3)],
        names=tuple(f"episode_return/{i}" for i in range(3)),  # type: ignore[arg-type]
    ),
    "dict": Case(
        arrange=lambda a, b, c: {"time": a, "other": np.array([b, c])},
        spread=lambda d: d,
        take=lambda rewards: [rewards["time"], *(rewards["other"][..., :2].T)],
        names=(
            "episode_return/time",
            "episode_return/other/0",
            "episode_return/other/1",
        ),
    ),
    "a discount each": Case(
        arrange=lambda a, b, c: {"x": a, "y": b, "z": c},
        spread=lambda d: {"x": d, "y": d, "z": d},
        take=lambda rewards: [rewards[name] for name in "xyz"],
        names=tuple(f"episode_return/{name}" for name in "xyz"),  # type: ignore[arg-type]
    ),
}


class Builder(toys.Builder):
    """The recurrent agent, which learns from the sum of the rewards."""

    def make_rule(self, networks: Any, spec: Any, *, seed: int) -> core.UpdateRule:
        """Sums, and does as ever."""
        rule = toys.Reinforce(networks, self.config)
        update = rule.update

        def update_with_sum(batch: replay.Sample, **options: Any) -> core.Update:
            leaves = [tf.reshape(r, [8, -1]) for r in tree.flatten(batch.data.reward)]
            total = tf.reduce_sum(tf.concat(leaves, axis=1), axis=1)  # [B]
            return update(
                batch._replace(data=batch.data._replace(reward=total)), **options
            )

        rule.update = update_with_sum  # type: ignore[method-assign]
        return rule


def make_config(case: Case, **changes: Any) -> experiments.ExperimentConfig:
    defaults: dict[str, Any] = {
        "agent": toys.NAME,
        "environment": "test",
        "builder": Builder(toys.Config(n_step=2, discount=GAMMA)),
        "num_actor_steps": 100,
        "run_dir": pathlib.Path("unused"),
        "envs_per_actor": 2,
        "eval_every": 0,
        "eval_episodes": 3,
        "learner_log_every": 10,
        "environment_factory": case.make,
    }
    return experiments.ExperimentConfig(**{**defaults, **changes})


class Acting(core.Actor):
    """Does 0 and keeps what it saw."""

    def __init__(self) -> None:
        self.seen: list[dm_env.TimeStep] = []

    def select_action(self, observation: Any) -> np.ndarray:
        return np.zeros(len(observation), np.int32)

    def observe_first(self, timestep: dm_env.TimeStep) -> None:
        self.seen.append(timestep)

    def observe(self, action: Any, next_timestep: dm_env.TimeStep) -> None:
        self.seen.append(next_timestep)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_loop_gives_every_component_its_own_return(case: Case) -> None:
    actor = Acting()
    environments = [make_config(case).make_environment(seed=s) for s in range(2)]
    loop = environment_loop.EnvironmentLoop(
        batched.SerialEnvironments(environments), actor
    )
    episodes = loop.run(num_episodes=8)
    for episode in episodes:
        total = episode.length * (episode.length + 1) / 2
        assert set(episode.metrics) == set(case.names)
        time, other, recalled = (episode.metrics[name] for name in case.names)
        assert (time, other) == (total, -2 * total)
        assert 0 <= recalled <= episode.length
        assert episode.total_reward == time + other + recalled
    for timestep in actor.seen:
        is_first = timestep.step_type == dm_env.StepType.FIRST
        for leaf in tree.flatten(timestep.reward):
            assert (leaf.dtype, len(leaf)) == (np.float32, 2)
            assert (leaf[is_first] == 0).all()
        for leaf in tree.flatten(timestep.discount):
            assert (leaf[is_first] == 1).all()


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_loop_that_is_restored_goes_on_with_every_return(case: Case) -> None:
    make = make_config(case).make_environment
    loops = [
        environment_loop.EnvironmentLoop(
            batched.SerialEnvironments([make(seed=s) for s in range(2)]), Acting()
        )
        for _ in range(2)
    ]
    for _ in range(3):  # In the middle of an episode.
        loops[0].step()
    state = {name: value.copy() for name, value in loops[0].state().items()}
    assert loops[1].restore(state) == []
    assert loops[1].run(num_episodes=4) == loops[0].run(num_episodes=4)


@pytest.mark.parametrize("limit", [None, 1.0])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_rows_and_transitions_have_every_component(
    case: Case, limit: float | None
) -> None:
    environment = make_config(case).make_environment(seed=0)
    spec = specs.make_environment_spec(environment)
    table = adders.n_step_table(
        "t", spec, n_step=2, discount=GAMMA, sampler=replay.Fifo(), max_size=100,
        max_times_sampled=1, rate_limiter=replay.MinSize(1),
    )  # fmt: skip
    buffer = replay.Replay(adders.row_spec(spec), [table])
    adder = adders.RowAdder(spec, buffer, max_abs_reward=limit)
    actor = Acting()
    actor.observe_first = adder.add_first  # type: ignore[method-assign]
    actor.observe = adder.add  # type: ignore[method-assign]
    loop = environment_loop.EnvironmentLoop(
        batched.SerialEnvironments([environment]), actor
    )
    (episode,) = loop.run(num_episodes=1)

    n = episode.length
    data = buffer.tables["t"].sample(n + 1).data
    # Ends at steps 1 to n, each from up to 2 before; the last step makes one more.
    windows = [(max(0, stop - 2), stop) for stop in range(1, n + 1)] + [(n - 1, n)]
    bound = limit or np.inf
    time, other, _ = case.take(data.reward)
    for index, (start, stop) in enumerate(windows):
        steps = np.arange(start + 1, stop + 1)
        factors = GAMMA ** np.arange(stop - start)
        assert time[index] == np.sum(factors * np.minimum(steps, bound))
        assert other[index] == np.sum(factors * np.maximum(-2 * steps, -bound))
        for discount in tree.flatten(data.discount):
            assert discount[index] == (0 if stop == n else GAMMA ** (stop - start))


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_run_learns_from_every_component_and_logs_it(
    case: Case, tmp_path: pathlib.Path
) -> None:
    result = experiments.run_experiment(make_config(case, run_dir=tmp_path))
    assert result.num_learner_steps > 0
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    rows = [row for row in map(json.loads, lines) if row["kind"] != "learner"]
    assert {row["kind"] for row in rows} == {"train", "eval"}
    for row in rows:
        parts = [row[name] for name in case.names]
        np.testing.assert_allclose(sum(parts), row["episode_return"])
    (evaluation,) = [row for row in rows if row["kind"] == "eval"]
    assert evaluation["episode_return"] == result.episode_return


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_an_agent_for_one_reward_says_that_it_is(case: Case) -> None:
    class Scalar(toys.Builder):
        """Refuses what the other takes."""

        def check(self, spec: specs.EnvironmentSpec) -> None:
            """One reward, please."""
            specs.require_scalar_reward(spec, toys.NAME)

    config = make_config(case, builder=Scalar(toys.Config()))
    with pytest.raises(ValueError, match=r"recalling needs scalar rewards"):
        roles.make_agent(config, roles.make_environments(config))
