"""Each wrapper keeps dm_env's contract and does what it says."""

import collections

import dm_env
import numpy as np
import pytest
from absl.testing import absltest
from dm_env import test_utils

from tfagents_core import specs
from tfagents_core.environments import base, errors, wrappers


class Scripted(base.SeededEnvironment):
    """Episodes of fixed length; frame `t` is filled with `10 * episode + t`."""

    def __init__(
        self, num_steps=5, *, action_spec=None, rewards=None, lives=None, shape=(2, 3)
    ):
        super().__init__(seed=0)
        self._num_steps = num_steps
        self._action_spec = action_spec or specs.DiscreteArray(2, dtype=np.int64)
        self._rewards = rewards or [float(t) for t in range(1, num_steps + 1)]
        self._lives_script = lives or [0] * (num_steps + 1)
        self._shape = shape
        self._t = 0
        self.actions = []

    @property
    def lives(self):
        return self._lives_script[self._t]

    def _frame(self):
        return np.full(self._shape, 10 * self.episode_number + self._t, np.uint8)

    def _begin_episode(self, seed):
        self._t = 0
        return dm_env.restart(self._frame())

    def _step(self, action):
        self.actions.append(action)
        self._t += 1
        reward = self._rewards[self._t - 1]
        if self._t == self._num_steps:
            return dm_env.termination(reward, self._frame())
        return dm_env.transition(reward, self._frame(), discount=0.9)

    def observation_spec(self):
        return specs.BoundedArray(self._shape, np.uint8, 0, 255, name="frame")

    def action_spec(self):
        return self._action_spec


class Nested(Scripted):
    """Nested float64 observations and a nested action."""

    def _frame(self):
        values = [("b", np.float64(self._t)), ("a", np.full((2, 2), 0.1))]
        return collections.OrderedDict(values)

    def observation_spec(self):
        return collections.OrderedDict(
            b=specs.Array((), np.float64),
            a=specs.BoundedArray((2, 2), np.float64, 0, 1),
        )

    def action_spec(self):
        return {
            "move": specs.BoundedArray((2,), np.float64, [-1.0, 0.0], [1.0, 4.0]),
            "fire": specs.DiscreteArray(3, dtype=np.int64),
        }


def _bounded(minimum, maximum, dtype=np.float64):
    return specs.BoundedArray((2,), dtype, minimum, maximum)


def _run(environment, num_steps, action=0):
    return [environment.reset()] + [environment.step(action) for _ in range(num_steps)]


class _Conformance(test_utils.EnvironmentTestMixin):
    def make_action_sequence(self):
        for _ in range(13):
            yield self.make_action()


class EnvironmentWrapperTest(_Conformance, absltest.TestCase):
    def make_object_under_test(self):
        return wrappers.EnvironmentWrapper(Scripted())


class SinglePrecisionTest(_Conformance, absltest.TestCase):
    def make_object_under_test(self):
        return wrappers.SinglePrecision(Nested())


class CanonicalActionsTest(_Conformance, absltest.TestCase):
    def make_object_under_test(self):
        return wrappers.CanonicalActions(Nested())


class ActionRepeatTest(_Conformance, absltest.TestCase):
    def make_object_under_test(self):
        return wrappers.ActionRepeat(Scripted(), 2)


class ConcatObservationTest(_Conformance, absltest.TestCase):
    def make_object_under_test(self):
        return wrappers.ConcatObservation(Nested())


class FrameStackingTest(_Conformance, absltest.TestCase):
    def make_object_under_test(self):
        return wrappers.FrameStacking(Scripted(), 3)


class NestedFrameStackingTest(_Conformance, absltest.TestCase):
    def make_object_under_test(self):
        return wrappers.FrameStacking(Nested(), 3)


class StepLimitTest(_Conformance, absltest.TestCase):
    def make_object_under_test(self):
        return wrappers.StepLimit(Scripted(), 3)


class LifeLossTest(_Conformance, absltest.TestCase):
    def make_object_under_test(self):
        return wrappers.LifeLoss(Scripted(lives=[3, 3, 2, 2, 1, 0]))


class RewardClippingTest(_Conformance, absltest.TestCase):
    def make_object_under_test(self):
        return wrappers.RewardClipping(Scripted())


def test_public_attributes_are_read_through_every_wrapper():
    inner = Scripted(lives=[7] * 6)
    outer = wrappers.StepLimit(wrappers.SinglePrecision(inner), 3)
    assert outer.lives == 7
    with pytest.raises(AttributeError, match="nonsense"):
        _ = outer.nonsense


def test_the_episode_number_is_written_through_every_wrapper():
    inner = Scripted()
    outer = wrappers.StepLimit(wrappers.SinglePrecision(inner), 3)
    outer.next_episode_number = 5
    outer.reset()
    assert inner.episode_number == outer.episode_number == 6


def test_a_negative_episode_number_is_refused():
    with pytest.raises(ValueError, match="-1"):
        wrappers.EnvironmentWrapper(Scripted()).next_episode_number = -1


def test_everything_floating_becomes_float32():
    environment = wrappers.SinglePrecision(Nested())
    timestep = _run(environment, 1, {"move": np.zeros(2), "fire": 0})[-1]
    spec = specs.make_environment_spec(environment)
    assert {timestep.observation[key].dtype for key in "ab"} == {np.dtype(np.float32)}
    assert timestep.reward.dtype == timestep.discount.dtype == np.float32
    assert spec.rewards.dtype == spec.discounts.dtype == np.float32
    assert spec.observations["a"].maximum == np.float32(1)


def test_integer_observations_keep_their_type():
    environment = wrappers.SinglePrecision(Scripted())
    assert environment.reset().observation.dtype == np.uint8
    assert environment.observation_spec().dtype == np.uint8


def test_a_stack_of_floats_remains_a_stack():
    environment = wrappers.SinglePrecision(wrappers.FrameStacking(Nested(), 2))
    assert isinstance(environment.observation_spec()["a"], specs.StackedArray)


def test_continuous_actions_are_scaled_to_the_bounds():
    inner = Scripted(action_spec=_bounded([-2.0, 0.0], [2.0, 10.0]))
    environment = wrappers.CanonicalActions(inner)
    environment.reset()
    for action in ([-1.0, -1.0], [0.0, 0.0], [1.0, 1.0], [0.5, 0.5]):
        environment.step(np.array(action, np.float32))
    expected = [[-2, 0], [0, 5], [2, 10], [1, 7.5]]
    np.testing.assert_array_equal(inner.actions, expected)
    assert inner.actions[0].dtype == np.float64


@pytest.mark.parametrize(("clip", "expected"), [(True, [2, 0]), (False, [6, -10])])
def test_actions_outside_the_range_are_clipped_where_asked(clip, expected):
    inner = Scripted(action_spec=_bounded([-2.0, 0.0], [2.0, 10.0]))
    environment = wrappers.CanonicalActions(inner, clip=clip)
    environment.reset()
    environment.step(np.array([3.0, -3.0], np.float32))
    np.testing.assert_array_equal(inner.actions[0], expected)


def test_canonical_specs_are_int32_and_float32():
    actions = wrappers.CanonicalActions(Nested()).action_spec()
    assert actions["fire"].dtype == np.int32
    assert actions["fire"].num_values == 3
    assert actions["move"].dtype == np.float32
    assert actions["move"].minimum == -1
    assert actions["move"].maximum == 1


def test_discrete_actions_arrive_in_the_environments_own_type():
    inner = Scripted()
    environment = wrappers.CanonicalActions(inner)
    environment.reset()
    environment.step(np.int32(1))
    assert inner.actions[0].dtype == np.int64


@pytest.mark.parametrize("action", [-1, 2])
def test_a_discrete_action_out_of_range_is_refused(action):
    environment = wrappers.CanonicalActions(Scripted())
    environment.reset()
    with pytest.raises(ValueError, match=f"{action} is not one of 0 to 1"):
        environment.step(np.int32(action))


@pytest.mark.parametrize(
    ("spec", "match"),
    [
        (_bounded(-np.inf, np.inf), "no finite bounds"),
        (specs.Array((2,), np.float32), "no finite bounds"),
        (_bounded(0, 3, np.int32), "neither discrete nor floating"),
    ],
)
def test_actions_without_a_canonical_form_are_refused(spec, match):
    with pytest.raises(errors.UnsupportedEnvironmentError, match=match):
        wrappers.CanonicalActions(Scripted(action_spec=spec))


def test_repeated_steps_add_up_discounted_rewards():
    environment = wrappers.ActionRepeat(Scripted(), 3)
    timestep = _run(environment, 1)[-1]
    assert timestep.reward == pytest.approx(1 + 0.9 * 2 + 0.81 * 3)
    assert timestep.discount == pytest.approx(0.9**3)
    assert timestep.observation[0, 0] == 13


def test_repetition_stops_where_the_episode_does():
    inner = Scripted()
    timestep = _run(wrappers.ActionRepeat(inner, 3), 2)[-1]
    assert timestep.last()
    assert timestep.reward == pytest.approx(4 + 0.9 * 5)
    assert timestep.discount == 0
    assert len(inner.actions) == 5


def test_observations_are_concatenated_by_sorted_key():
    environment = wrappers.ConcatObservation(Nested())
    observation = _run(environment, 2)[-1].observation
    expected = np.array([0.1, 0.1, 0.1, 0.1, 2.0], np.float32)
    np.testing.assert_array_equal(observation, expected)
    assert environment.observation_spec().shape == (5,)


def test_a_stack_shifts_by_one_frame_and_begins_with_repeats():
    environment = wrappers.FrameStacking(Scripted(), 3)
    timesteps = _run(environment, 5)
    frames = [timestep.observation[:, 0, 0].tolist() for timestep in timesteps]
    assert frames[:3] == [[10, 10, 10], [10, 10, 11], [10, 11, 12]]
    assert frames[5] == [13, 14, 15]
    assert environment.reset().observation[:, 0, 0].tolist() == [20, 20, 20]


def test_stacks_seen_before_are_left_alone():
    environment = wrappers.FrameStacking(Scripted(), 3)
    first = environment.reset().observation
    environment.step(0)
    assert (first == 10).all()


def test_a_stack_says_so_in_its_spec():
    spec = wrappers.FrameStacking(Scripted(), 4).observation_spec()
    assert isinstance(spec, specs.StackedArray)
    assert spec.shape == (4, 2, 3)
    assert spec.num_frames == 4
    assert spec.frame == Scripted().observation_spec()


def test_a_step_limit_truncates_with_the_environments_discount():
    timesteps = _run(wrappers.StepLimit(Scripted(), 3), 4)
    assert timesteps[3].last()
    assert timesteps[3].discount == 0.9
    assert timesteps[4].first()


def test_a_terminal_step_at_the_limit_stays_terminal():
    timestep = _run(wrappers.StepLimit(Scripted(), 5), 5)[-1]
    assert timestep.last()
    assert timestep.discount == 0


def test_losing_a_life_ends_bootstrapping_but_not_the_episode():
    environment = wrappers.LifeLoss(Scripted(lives=[3, 3, 2, 2, 3, 2]))
    timesteps = _run(environment, 5)
    assert [t.discount for t in timesteps[1:]] == [0.9, 0, 0.9, 0.9, 0]
    assert [t.last() for t in timesteps[1:]] == [False] * 4 + [True]


def test_a_life_lost_in_the_first_step_counts_in_every_episode():
    """Whether the episode is begun by `reset` or by a step, and after any other."""
    environment = wrappers.LifeLoss(Scripted(lives=[3, 2, 2, 2, 2, 1]))
    for begin in (environment.reset, environment.reset, lambda: environment.step(0)):
        assert begin().first()
        timesteps = [environment.step(0) for _ in range(5)]
        assert [t.discount for t in timesteps] == [0, 0.9, 0.9, 0.9, 0]


def test_lives_lost_before_a_reset_do_not_count_after_it():
    environment = wrappers.LifeLoss(Scripted(lives=[3, 3, 3, 3, 3, 5]))
    _run(environment, 5)
    timesteps = [environment.step(0) for _ in range(2)]
    assert timesteps[0].discount is None
    assert timesteps[1].discount == 0.9


def test_rewards_are_clipped():
    environment = wrappers.RewardClipping(Scripted(3, rewards=[-7.0, 0.5, 9.0]))
    timesteps = _run(environment, 3)
    assert [t.reward for t in timesteps] == [None, -1, 0.5, 1]


def test_a_delay_waits_in_every_step_and_changes_nothing_else(monkeypatch):
    waits = []
    monkeypatch.setattr("time.sleep", waits.append)
    timesteps = _run(wrappers.Delay(Scripted(3), step_s=0.25), 3)
    assert waits == [0.25] * 3
    expected = _run(Scripted(3), 3)
    assert [t[:3] for t in timesteps] == [t[:3] for t in expected]
    np.testing.assert_array_equal(timesteps[-1][3], expected[-1][3])


@pytest.mark.parametrize(
    "make",
    [
        lambda: wrappers.FrameStacking(Scripted(), 0),
        lambda: wrappers.ActionRepeat(Scripted(), 0),
        lambda: wrappers.StepLimit(Scripted(), 0),
        lambda: wrappers.RewardClipping(Scripted(), minimum=1, maximum=1),
    ],
)
def test_impossible_settings_are_refused(make):
    with pytest.raises(ValueError, match=r"0|1"):
        make()
