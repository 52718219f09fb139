"""The loop of one actor and K environments whose episodes differ in length."""

from __future__ import annotations

import itertools
import math
from typing import Any

import dm_env
import numpy as np
import pytest
import tree

from tfagents_core import core, environment_loop, specs, types
from tfagents_core.environments import batched


class Countdown(dm_env.Environment):
    """Episodes of fixed length that pay step t the reward t.

    An episode's return is so length * (length + 1) / 2. The observation is the
    environment's index and the steps since the reset.

    Attributes:
        actions: every action that was not ignored.
        num_resets: episodes begun.
    """

    def __init__(self, length: int, index: int = 0, spec: Any = None) -> None:
        self._length = length
        self._index = index
        self._spec = spec or specs.DiscreteArray(10)
        self._step: int | None = None
        self.actions: list[Any] = []
        self.num_resets = 0

    def reset(self) -> dm_env.TimeStep:
        self._step = 0
        self.num_resets += 1
        return dm_env.restart(self._observation())

    def step(self, action: Any) -> dm_env.TimeStep:
        if self._step is None:
            return self.reset()
        self.actions.append(action)
        self._step += 1
        observation, reward = self._observation(), float(self._step)
        if self._step < self._length:
            return dm_env.transition(reward, observation)
        self._step = None
        return dm_env.termination(reward, observation)

    def observation_spec(self) -> specs.Array:
        return specs.Array((2,), np.float32)

    def action_spec(self) -> Any:
        return self._spec

    def reward_spec(self) -> specs.Array:
        return specs.Array((), np.float32)

    def discount_spec(self) -> specs.BoundedArray:
        return specs.BoundedArray((), np.float32, 0, 1)

    def _observation(self) -> np.ndarray:
        return np.array([self._index, self._step], np.float32)


class RecordingActor(core.Actor):
    """Acts by counting up and keeps what it is shown."""

    def __init__(self, num_environments: int) -> None:
        self._num_environments = num_environments
        self._next_action = itertools.count()
        self.asked: list[np.ndarray] = []
        self.first: list[dm_env.TimeStep] = []
        self.seen: list[tuple[Any, dm_env.TimeStep]] = []
        self.num_updates = 0

    def select_action(self, observation: Any) -> Any:
        self.asked.append(observation)
        return 10 * next(self._next_action) + np.arange(self._num_environments)

    def observe_first(self, timestep: dm_env.TimeStep) -> None:
        self.first.append(timestep)

    def observe(self, action: Any, next_timestep: dm_env.TimeStep) -> None:
        self.seen.append((action, next_timestep))

    def update(self) -> None:
        self.num_updates += 1


def make_loop(
    *lengths: int,
) -> tuple[environment_loop.EnvironmentLoop, RecordingActor, list[Countdown]]:
    environments = [Countdown(length, index) for index, length in enumerate(lengths)]
    actor = RecordingActor(len(lengths))
    return (
        environment_loop.EnvironmentLoop(
            batched.SerialEnvironments(environments), actor
        ),
        actor,
        environments,
    )


def test_one_environment_counts_its_steps_but_not_its_resets() -> None:
    loop, _, _ = make_loop(3)
    ticks = [loop.step() for _ in range(9)]
    assert [steps for steps, _ in ticks] == [0, 1, 1, 1, 0, 1, 1, 1, 0]
    episode = types.Episode(environment=0, total_reward=6, length=3)  # 1 + 2 + 3
    ended = {tick: ended for tick, (_, ended) in enumerate(ticks) if ended}
    assert ended == {3: [episode], 7: [episode]}


def test_three_environments_are_reset_each_at_its_own_time() -> None:
    loop, _, environments = make_loop(1, 2, 4)
    ticks = [loop.step() for _ in range(6)]

    # Environment 0 steps at ticks 1, 3, 5, environment 1 at 1, 2, 4, 5 and
    # environment 2 at 1, 2, 3, 4: where one does not, it is reset.
    assert [steps for steps, _ in ticks] == [0, 3, 2, 2, 2, 2]
    ended = [[episode.environment for episode in ended] for _, ended in ticks]
    assert ended == [[], [0], [1], [0], [2], [0, 1]]
    assert [e.num_resets for e in environments] == [3, 2, 2]


def test_returns_and_lengths_are_each_episodes_own() -> None:
    loop, _, _ = make_loop(1, 2, 4)
    episodes = loop.run(num_steps=40)
    assert {episode.environment for episode in episodes} == {0, 1, 2}
    for episode in episodes:
        length = (1, 2, 4)[episode.environment]
        assert episode.length == length
        assert episode.total_reward == length * (length + 1) / 2


def test_the_actor_is_shown_what_each_environment_said() -> None:
    loop, actor, _ = make_loop(1, 2, 4)
    for _ in range(3):
        loop.step()

    (first,) = actor.first
    assert first.step_type.tolist() == [dm_env.StepType.FIRST] * 3
    assert first.observation.tolist() == [[0, 0], [1, 0], [2, 0]]

    (action, timestep), (next_action, next_timestep) = actor.seen
    assert action.tolist() == [0, 1, 2]
    assert timestep.step_type.tolist() == [2, 1, 1]
    assert timestep.reward.tolist() == [1, 1, 1]
    assert timestep.discount.tolist() == [0, 1, 1]
    assert timestep.observation.tolist() == [[0, 1], [1, 1], [2, 1]]
    assert next_action.tolist() == [10, 11, 12]
    assert next_timestep.step_type.tolist() == [0, 2, 1]
    assert next_timestep.reward.tolist() == [0, 2, 2]
    assert next_timestep.discount.tolist() == [1, 0, 1]
    assert next_timestep.observation.tolist() == [[0, 0], [1, 2], [2, 2]]


def test_a_time_limit_keeps_its_discount_and_loses_that_of_no_other() -> None:
    """Of three that end at one tick, one ends for good; rewards are of both signs."""

    class Ending(Countdown):
        """Ends in a way of its own and pays the negative of its index."""

        def step(self, action: Any) -> dm_env.TimeStep:
            timestep = super().step(action)
            if timestep.first():
                return timestep
            discount = (0.0, 1.0, 0.5)[self._index] if timestep.last() else 1.0
            return timestep._replace(reward=-2.0 * self._index, discount=discount)

    actor = RecordingActor(3)
    loop = environment_loop.EnvironmentLoop(
        batched.SerialEnvironments([Ending(2, k) for k in range(3)]), actor
    )
    episodes = loop.run(num_episodes=6)
    discounts = [timestep.discount.tolist() for _, timestep in actor.seen]
    assert discounts == [[1, 1, 1], [0, 1, 0.5], [1, 1, 1], [1, 1, 1], [0, 1, 0.5]]
    rewards = [timestep.reward.tolist() for _, timestep in actor.seen]
    assert rewards == [[0, -2, -4], [0, -2, -4], [0, 0, 0], *[[0, -2, -4]] * 2]
    assert [e.total_reward for e in episodes] == [0, -4, -8] * 2


class Forgetful(Countdown):
    """Shows something else whenever an episode is played again.

    Args:
        forgets: whether it does.
        arrange: makes rewards of one number.
    """

    def __init__(self, index: int, *, forgets: bool, arrange: Any) -> None:
        super().__init__(4, index)
        self._forgets, self._arrange = forgets, arrange
        self.episode_number = self.next_episode_number = 0

    def reset(self) -> dm_env.TimeStep:
        self.next_episode_number += 1
        self.episode_number = self.next_episode_number
        return super().reset()

    def step(self, action: Any) -> dm_env.TimeStep:
        timestep = super().step(action)
        if timestep.first():
            return timestep
        return timestep._replace(reward=self._arrange(timestep.reward))

    def reward_spec(self) -> Any:
        return tree.map_structure(
            lambda reward: specs.Array(np.shape(reward), np.float32), self._arrange(0.0)
        )

    def _observation(self) -> np.ndarray:
        return super()._observation() + (0.5 if self._forgets else 0)


REWARDS = {
    "one": lambda r: r,
    "a vector": lambda r: np.array([r, -3 * r], np.float32),
    "a nest": lambda r: {"a": r, "b": -3 * r},
}


@pytest.mark.parametrize("arrange", REWARDS.values(), ids=REWARDS)
def test_an_episode_that_is_lost_leaves_nothing_to_the_next_one(arrange: Any) -> None:
    """Of three environments one cannot go on where it was; the others do."""

    def make(*, forgets: bool) -> environment_loop.EnvironmentLoop:
        environments = [
            Forgetful(k, forgets=forgets and k == 1, arrange=arrange) for k in range(3)
        ]
        return environment_loop.EnvironmentLoop(
            batched.SerialEnvironments(environments), RecordingActor(3)
        )

    loop, other = make(forgets=False), make(forgets=True)
    for _ in range(4):  # The reset and three steps.
        loop.step()
    assert other.restore(loop.state()) == [1]
    # The others take their fourth step, this one is reset.
    steps, ended = other.step()
    assert (steps, [episode.environment for episode in ended]) == (2, [0, 2])
    ended += other.run(num_episodes=1)
    total = float(sum(np.sum(r) for r in tree.flatten(arrange(1 + 2 + 3 + 4))))
    assert [(e.environment, e.length, e.total_reward) for e in ended] == [
        (0, 4, total),
        (2, 4, total),
        (1, 4, total),
    ]


@pytest.mark.parametrize("lengths", [(1,), (3,), (1, 2, 4)])
def test_a_first_timestep_has_reward_0_and_discount_1(lengths: tuple[int, ...]) -> None:
    loop, actor, _ = make_loop(*lengths)
    loop.run(num_steps=20)
    num_firsts = 0
    for timestep in (*actor.first, *(timestep for _, timestep in actor.seen)):
        is_first = timestep.step_type == dm_env.StepType.FIRST
        num_firsts += is_first.sum()
        assert (timestep.reward[is_first] == 0).all()
        assert (timestep.discount[is_first] == 1).all()
        assert (timestep.reward[~is_first] > 0).all()
        assert timestep.reward.dtype == timestep.discount.dtype == np.float32
        assert timestep.reward.shape == timestep.discount.shape == (len(lengths),)
    assert num_firsts > len(lengths)


def test_the_actor_chooses_from_the_observations_it_was_last_shown() -> None:
    loop, actor, _ = make_loop(1, 2, 4)
    loop.run(num_steps=12)
    shown = [actor.first[0], *(timestep for _, timestep in actor.seen)]
    for asked, timestep in zip(actor.asked, shown, strict=False):
        np.testing.assert_array_equal(asked, timestep.observation)


def test_each_environment_gets_its_own_actions() -> None:
    loop, _, environments = make_loop(5, 5, 5)
    loop.run(num_steps=9)
    assert [e.actions for e in environments] == [[0, 10, 20], [1, 11, 21], [2, 12, 22]]


def test_actions_may_be_nested() -> None:
    class NestedActor(RecordingActor):
        def select_action(self, observation: Any) -> Any:
            return {"move": np.arange(2), "aim": np.eye(2)}

    spec = {"move": specs.DiscreteArray(2), "aim": specs.Array((2,), np.float64)}
    environments = [Countdown(5, index, spec) for index in range(2)]
    loop = environment_loop.EnvironmentLoop(
        batched.SerialEnvironments(environments), NestedActor(2)
    )
    loop.run(num_steps=2)
    for index, environment in enumerate(environments):
        (action,) = environment.actions
        assert action["move"] == index
        np.testing.assert_array_equal(action["aim"], np.eye(2)[index])


def test_the_actor_is_updated_after_every_tick_but_the_first() -> None:
    loop, actor, _ = make_loop(2)
    for _ in range(5):
        loop.step()
    assert actor.num_updates == 4


@pytest.mark.parametrize("num_steps", [1, 3, 10])
def test_run_takes_exactly_as_many_steps_in_one_environment(num_steps: int) -> None:
    loop, _, (environment,) = make_loop(3)
    episodes = loop.run(num_steps=num_steps)
    assert len(environment.actions) == num_steps
    assert len(episodes) == num_steps // 3


@pytest.mark.parametrize("num_steps", range(1, 12))
def test_run_goes_less_than_k_steps_beyond_with_k_environments(num_steps: int) -> None:
    loop, _, environments = make_loop(1, 2, 4)
    loop.run(num_steps=num_steps)
    taken = sum(len(environment.actions) for environment in environments)
    assert num_steps <= taken < num_steps + 3


@pytest.mark.parametrize("num_episodes", [1, 2, 5])
def test_run_ends_with_the_last_episode_asked_for(num_episodes: int) -> None:
    loop, _, (environment,) = make_loop(3)
    episodes = loop.run(num_episodes=num_episodes)
    assert episodes == [types.Episode(environment=0, total_reward=6, length=3)] * (
        num_episodes
    )
    assert len(environment.actions) == 3 * num_episodes


@pytest.mark.parametrize(
    ("num_steps", "num_episodes", "taken"), [(4, 100, 4), (100, 2, 6), (6, 2, 6)]
)
def test_run_stops_at_whichever_number_comes_first(
    num_steps: int, num_episodes: int, taken: int
) -> None:
    loop, _, (environment,) = make_loop(3)
    loop.run(num_steps=num_steps, num_episodes=num_episodes)
    assert len(environment.actions) == taken


def test_run_goes_on_in_the_middle_of_an_episode() -> None:
    loop, _, (environment,) = make_loop(3)
    assert loop.run(num_steps=2) == []
    (episode,) = loop.run(num_steps=1)
    assert episode.length == 3
    assert environment.num_resets == 1


@pytest.mark.parametrize("wanted", [{"num_steps": 0}, {"num_episodes": 0}])
def test_running_for_nothing_does_nothing(wanted: dict[str, int]) -> None:
    loop, _, (environment,) = make_loop(3)
    assert loop.run(**wanted) == []
    assert environment.num_resets == 0


def test_run_must_be_told_how_long() -> None:
    loop, _, _ = make_loop(3)
    with pytest.raises(ValueError, match="give num_steps or num_episodes"):
        loop.run()


def test_a_loop_needs_an_environment() -> None:
    with pytest.raises(ValueError, match="at least one environment"):
        batched.SerialEnvironments([])


def test_the_stopwatch_has_a_name_for_each_part_of_a_tick() -> None:
    loop, _, _ = make_loop(2)
    loop.run(num_steps=2)
    assert set(loop.stopwatch.seconds) == {"act", "environment", "observe"}


def test_the_stopwatch_sums_up_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 1.5, 10.0, 10.25, 20.0, 22.0])
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    stopwatch = environment_loop.Stopwatch()
    for name in ("act", "observe", "act"):
        with stopwatch.measure(name):
            pass
    assert stopwatch.seconds == {"act": 3.5, "observe": 0.25}  # 1.5 + 2, and 0.25.


def test_the_stopwatch_counts_time_that_ended_in_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = iter([0.0, 1.0])
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    stopwatch = environment_loop.Stopwatch()
    with pytest.raises(OSError), stopwatch.measure("act"):
        raise OSError
    assert math.isclose(stopwatch.seconds["act"], 1)
