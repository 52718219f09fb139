"""From environments through loop, actor, adder and replay to what a batch holds.

The environments write down what they did; what a batch may hold is worked out from
that, without the package. Three of them are stepped together; their episodes have
lengths of their own, some end for good and some by a time limit, and their rewards are
large and of both signs.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterator
from typing import Any

import dm_env
import numpy as np
import pytest
import tensorflow as tf

from tfagents_core import core, datasets, experiments, replay, specs
from tfagents_core.agents import d4pg, dqn, ppo, sac
from tfagents_core.experiments import roles

GAMMA = 0.5  # Its powers are exact.
NUM_ENVIRONMENTS = 3
# Of each environment, one episode after another: its steps, and whether it is cut.
EPISODES = [
    [(5, True), (1, False), (4, False), (2, True)],
    [(3, False), (6, True), (1, True), (3, False)],
    [(7, False), (2, False), (3, True), (1, True)],
]


@dataclasses.dataclass
class Episode:
    """What an environment did.

    Attributes:
        is_cut: whether its end is a time limit.
        observations: one more than actions.
        actions: taken.
        rewards: of them.
        is_over: whether it has ended.
    """

    is_cut: bool
    observations: list[np.ndarray]
    actions: list[Any] = dataclasses.field(default_factory=list)
    rewards: list[float] = dataclasses.field(default_factory=list)
    is_over: bool = False

    def discount(self, stop: int) -> float:
        """Of step `stop`, counted from 1."""
        is_end = self.is_over and stop == len(self.rewards) and not self.is_cut
        return 0.0 if is_end else 1.0


class Diary(dm_env.Environment):
    """Shows its number, the episode's and the step's, and writes all of it down."""

    def __init__(self, index: int, *, continuous: bool) -> None:
        self._index = index
        self._continuous = continuous
        self._is_over = True
        self.episodes: list[Episode] = []

    def reset(self) -> dm_env.TimeStep:
        script = EPISODES[self._index]
        self._length, is_cut = script[len(self.episodes) % len(script)]
        self._is_over, self._step = False, 0
        self.episodes.append(Episode(is_cut, []))
        return dm_env.restart(self._show())

    def step(self, action: Any) -> dm_env.TimeStep:
        if self._is_over:
            return self.reset()
        self._step += 1
        self._is_over = self._step == self._length
        # Halves and whole numbers from -9 to 8, whose sums are exact.
        reward = (7 * self._step + 5 * self._index + len(self.episodes)) % 35 / 2 - 9
        episode = self.episodes[-1]
        episode.actions.append(np.array(action))
        episode.rewards.append(reward)
        episode.is_over = self._is_over
        if not self._is_over:
            return dm_env.transition(reward, self._show())
        end = dm_env.truncation if episode.is_cut else dm_env.termination
        return end(reward, self._show())

    def _show(self) -> np.ndarray:
        number = len(self.episodes)
        shown = np.array([self._index, number, self._step], np.float32)
        self.episodes[-1].observations.append(shown)
        return shown

    def observation_spec(self) -> specs.Array:
        return specs.Array((3,), np.float32)

    def action_spec(self) -> Any:
        if self._continuous:
            return specs.BoundedArray((2,), np.float32, -1, 1)
        return specs.DiscreteArray(4, dtype=np.int32)


@dataclasses.dataclass
class Played:
    """An agent that has acted for a while, and what its environments wrote down."""

    agent: roles.Agent
    buffer: replay.Replay
    diaries: list[Diary]


def play(
    builder: core.Builder[Any, Any],
    *,
    continuous: bool,
    num_ticks: int = 30,
    num_streams: int = NUM_ENVIRONMENTS,
) -> Played:
    """Acts without learning."""
    diaries: list[Diary] = []

    def make(*, seed: int, evaluation: bool = False) -> dm_env.Environment:
        del seed, evaluation
        diaries.append(Diary(len(diaries) % NUM_ENVIRONMENTS, continuous=continuous))
        return diaries[-1]

    config = experiments.ExperimentConfig(
        agent="agent",
        environment="diary",
        builder=builder,
        num_actor_steps=1,
        run_dir=pathlib.Path("unused"),
        envs_per_actor=num_streams,
        environment_factory=make,
    )
    batch = roles.make_environments(config)
    agent = freely(roles.make_agent(config, batch))
    buffer = roles.make_replay(
        agent, num_streams=num_streams, rows_per_append=num_streams
    )
    loop = roles.make_loop(agent, batch, roles.make_actor(agent, buffer))
    for _ in range(num_ticks):
        loop.step()
    return Played(agent, buffer, diaries)


def freely(agent: roles.Agent) -> roles.Agent:
    """The same with no ratio to keep, so that acting need not wait for learning."""
    (table,) = agent.plan.tables
    if isinstance(table.rate_limiter, replay.SampleToInsertRatio):
        table = dataclasses.replace(table, rate_limiter=replay.MinSize(1))
    return dataclasses.replace(
        agent, plan=dataclasses.replace(agent.plan, tables=[table])
    )


def windows(length: int, n_step: int, *, is_over: bool) -> Iterator[tuple[int, int]]:
    """From and to which step the transitions of an episode of `length` steps are."""
    for stop in range(1, length + 1):
        yield max(0, stop - n_step), stop
    if is_over:
        for start in range(max(0, length - n_step) + 1, length):
            yield start, length


def expected_transitions(
    diaries: list[Diary], n_step: int, limit: float
) -> dict[tuple[float, ...], int]:
    """How often each transition must be in the replay."""
    counts: dict[tuple[float, ...], int] = {}
    for diary in diaries:
        for e in diary.episodes:
            for start, stop in windows(len(e.rewards), n_step, is_over=e.is_over):
                total = sum(
                    GAMMA**i * max(-limit, min(limit, reward))
                    for i, reward in enumerate(e.rewards[start:stop])
                )
                discount = GAMMA ** (stop - start) * e.discount(stop)
                numbers = (
                    *e.observations[start],
                    *np.ravel(e.actions[start]),
                    total,
                    discount,
                    *e.observations[stop],
                )
                key = tuple(float(number) for number in numbers)
                counts[key] = counts.get(key, 0) + 1
    return counts


def drawn_transitions(table: replay.TableHandle) -> dict[tuple[float, ...], int]:
    """How often each transition is in the replay: all of them, by key."""
    found: dict[int, tuple[float, ...]] = {}
    while len(found) < table.size:
        info, data = table.sample(256, timeout=0)
        for index, key in enumerate(info.key.tolist()):
            numbers = (
                *data.observation[index],
                *np.ravel(data.action[index]),
                data.reward[index],
                data.discount[index],
                *data.next_observation[index],
            )
            found[key] = tuple(float(number) for number in numbers)
    counts: dict[tuple[float, ...], int] = {}
    for numbers in found.values():
        counts[numbers] = counts.get(numbers, 0) + 1
    return counts


SIZES: dict[str, Any] = {"batch_size": 64, "max_replay_size": 1_000, "discount": GAMMA}
SMALL: dict[str, Any] = {
    "policy_layer_sizes": (3,),
    "critic_layer_sizes": (3,),
    "jit_compile": False,
}


@pytest.mark.parametrize(
    ("builder", "continuous", "n_step", "limit"),
    [
        (
            dqn.DQNBuilder(dqn.DQNConfig(layer_sizes=(3,), n_step=3, **SIZES)),
            False,
            3,
            np.inf,
        ),
        (
            dqn.DQNBuilder(
                dqn.DQNConfig(layer_sizes=(3,), n_step=2, max_abs_reward=2.5, **SIZES)
            ),
            False,
            2,
            2.5,
        ),
        (
            d4pg.D4PGBuilder(d4pg.D4PGConfig(**SMALL, n_step=4, **SIZES)),
            True,
            4,
            np.inf,
        ),
        (sac.SACBuilder(sac.SACConfig(**SMALL, **SIZES)), True, 1, np.inf),
    ],
)
@pytest.mark.parametrize("num_streams", [1, NUM_ENVIRONMENTS])
def test_transitions_are_what_the_environments_did(
    builder: core.Builder[Any, Any],
    continuous: bool,
    n_step: int,
    limit: float,
    num_streams: int,
) -> None:
    played = play(builder, continuous=continuous, num_streams=num_streams)
    (table,) = played.buffer.tables.values()
    expected = expected_transitions(played.diaries, n_step, limit)
    episodes = [e for d in played.diaries for e in d.episodes if e.is_over]
    assert {e.is_cut for e in episodes} == {False, True}
    assert drawn_transitions(table) == expected


def test_a_batch_of_the_learner_is_drawn_from_what_the_environments_did() -> None:
    """Through the learner's own source, in several batches at once."""
    config = d4pg.D4PGConfig(
        **SMALL, n_step=3, **{**SIZES, "batch_size": 16}, num_sgd_steps_per_step=2
    )
    played = play(d4pg.D4PGBuilder(config), continuous=True)
    source = datasets.TableSource(
        played.buffer.tables, played.agent.plan.batch_sizes, num_batches=2, timeout_s=0
    )
    data = source.next().data
    assert data.reward.shape == (2, 16)
    expected = expected_transitions(played.diaries, 3, np.inf)
    flat = [np.reshape(leaf, (32, -1)) for leaf in data[:5]]
    for numbers in np.concatenate(flat, axis=1).tolist():
        assert tuple(numbers) in expected


def make_ppo(**changes: Any) -> ppo.PPOBuilder:
    options = {"num_unrolls": 3, "unroll_length": 5, "num_minibatches": 1, **changes}
    return ppo.PPOBuilder(ppo.PPOConfig(layer_sizes=(3,), **options))


@pytest.mark.parametrize(("max_abs_reward", "limit"), [(None, np.inf), (2.5, 2.5)])
def test_unrolls_are_what_the_environments_did(
    max_abs_reward: float | None, limit: float
) -> None:
    """Every step once, in order, with its own next observation and no reset."""
    played = play(
        make_ppo(max_abs_reward=max_abs_reward), continuous=False, num_ticks=7
    )
    (table,) = played.buffer.tables.values()
    unrolls = table.sample(3, timeout=0).data
    by_environment = {int(unrolls.observation[i, 0, 0]): i for i in range(3)}
    assert set(by_environment) == {0, 1, 2}
    for index, diary in enumerate(played.diaries):
        row = by_environment[index]
        steps = [(e, t) for e in diary.episodes for t in range(len(e.rewards))][:5]
        for place, (e, t) in enumerate(steps):
            reward = max(-limit, min(limit, e.rewards[t]))
            assert unrolls.reward[row, place] == reward
            assert unrolls.discount[row, place] == e.discount(t + 1)
            assert unrolls.is_first[row, place] == (t == 0)
            assert unrolls.action[row, place] == e.actions[t]
            for name, shown in (
                ("observation", e.observations[t]),
                ("next_observation", e.observations[t + 1]),
            ):
                np.testing.assert_array_equal(getattr(unrolls, name)[row, place], shown)
        log_prob = played.agent.networks.act(
            tf.constant(unrolls.observation[row])
        ).log_prob(unrolls.action[row])
        np.testing.assert_allclose(unrolls.extras["log_prob"][row], log_prob, rtol=1e-5)


def test_priorities_that_the_learner_gives_decide_what_is_drawn_next() -> None:
    """P(i) is priority^alpha over the sum, with the priorities of the last update."""
    config = dqn.DQNConfig(
        layer_sizes=(3,),
        n_step=2,
        priority_exponent=0.5,
        jit_compile=False,
        **SIZES,
    )
    played = play(dqn.DQNBuilder(config), continuous=False)
    (table,) = played.buffer.tables.values()
    priorities: dict[int, float] = {}

    class Noting(datasets.TableSource):
        """Keeps what is written."""

        def update_priorities(
            self, table: str, keys: np.ndarray, priorities_: np.ndarray
        ) -> None:
            priorities.update(zip(keys.tolist(), priorities_.tolist()))
            super().update_priorities(table, keys, priorities_)

    source = Noting(played.buffer.tables, played.agent.plan.batch_sizes)
    learner = played.agent.config.builder.make_learner(
        played.agent.rule, source, seed=0
    )
    while len(priorities) < table.size:
        learner.step()
    total = sum(priority**0.5 for priority in priorities.values())
    info = table.sample(256, timeout=0).info
    assert len(set(info.priority.tolist())) > 20
    for key, probability in zip(info.key.tolist(), info.probability.tolist()):
        assert probability == pytest.approx(priorities[key] ** 0.5 / total, rel=1e-6)
