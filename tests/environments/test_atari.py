"""Atari games."""

import itertools

import numpy as np
import pytest
from absl.testing import absltest
from dm_env import test_utils

from tfagents_core import environments, specs

pytest.importorskip("ale_py")


def _make(task="Pong", *, seed=0, evaluation=False):
    return environments.make(f"atari:{task}", seed=seed, evaluation=evaluation)


def _play_until(environment, is_reached, *, max_steps=3000):
    """Random actions until `is_reached(timestep)`."""
    rng = np.random.default_rng(0)
    environment.reset()
    for _ in range(max_steps):
        action = rng.integers(environment.action_spec().num_values)
        timestep = environment.step(action)
        if is_reached(timestep):
            return timestep
    raise AssertionError(f"Not reached in {max_steps} steps.")


class AtariTest(test_utils.EnvironmentTestMixin, absltest.TestCase):
    def make_object_under_test(self):
        return _make("Breakout?max_episode_frames=60")

    def make_action_sequence(self):
        for _ in range(30):
            yield self.make_action()


class AtariLearningAidsTest(test_utils.EnvironmentTestMixin, absltest.TestCase):
    def make_object_under_test(self):
        return _make("Pong?terminal_on_life_loss=true&clip_rewards=true")


def test_specs_are_four_stacked_frames_and_the_games_own_actions():
    spec = specs.make_environment_spec(_make())
    assert isinstance(spec.observations, specs.StackedArray)
    assert spec.observations.shape == (4, 84, 84)
    assert spec.observations.dtype == np.uint8
    assert spec.actions.num_values == 6
    assert spec.is_discrete


def test_the_full_action_set_is_an_option():
    environment = _make("Pong?full_action_set=true")
    assert environment.action_spec().num_values == 18
    assert environment.action_meanings[:2] == ["NOOP", "FIRE"]


def test_stacks_shift_by_one_and_begin_with_repeats(play):
    observations = [timestep.observation for timestep in play(_make(), 30)]
    assert (observations[0] == observations[0][0]).all()
    for before, after in itertools.pairwise(observations):
        np.testing.assert_array_equal(before[1:], after[:-1])
    newest = [observation[-1] for observation in observations]
    assert any(not np.array_equal(a, b) for a, b in itertools.pairwise(newest))


@pytest.mark.parametrize(
    "task", ["Pong", "Breakout?sticky_actions=false", "BeamRider", "Qbert?noop_max=5"]
)
def test_episodes_are_pure(task, check_episodes_are_pure):
    check_episodes_are_pure(lambda seed: _make(task, seed=seed))


def test_episodes_are_pure_at_single_frames(check_episodes_are_pure):
    check_episodes_are_pure(lambda seed: _make("Qbert?action_repeat=1", seed=seed))


@pytest.mark.parametrize(
    ("options", "num_different"),
    [("sticky_actions=true", 8), ("sticky_actions=false&noop_max=0", 1)],
)
def test_the_seed_speaks_through_sticky_actions(options, num_different, play):
    endings = set()
    for seed in range(8):
        timesteps = play(_make(f"Breakout?{options}", seed=seed), 40)
        endings.add(b"".join(t.observation.tobytes() for t in timesteps))
    assert len(endings) == num_different


def test_sticky_actions_repeat_one_frame_in_four():
    environment = _make()
    game = environment.environment.environment.environment
    environment.reset()
    is_stuck = [game._stick(frame) != frame for frame in range(4000)]
    assert np.mean(is_stuck) == pytest.approx(0.25, abs=0.03)


def test_without_sticky_actions_games_begin_after_up_to_thirty_noops():
    numbers = set()
    environment = _make("Pong?sticky_actions=false&action_repeat=1")
    game = environment.environment.environment.environment
    for _ in range(40):
        environment.reset()
        numbers.add(game._ale.getEpisodeFrameNumber())
    assert min(numbers) >= 1
    assert 20 < max(numbers) <= 30
    assert len(numbers) > 10


def test_the_frame_limit_truncates(play):
    timesteps = play(_make("Pong?max_episode_frames=40"), 100)
    assert len(timesteps) == 11
    assert timesteps[-1].last()
    assert timesteps[-1].discount == 1


def test_game_over_terminates():
    timestep = _play_until(_make("Breakout"), lambda t: t.last())
    assert timestep.discount == 0


def test_losing_a_life_goes_unseen_by_default():
    environment = _make("Breakout")
    lives = environment.lives
    assert _play_until(environment, lambda t: environment.lives < lives).discount == 1


@pytest.mark.parametrize(("evaluation", "discount"), [(False, 0), (True, 1)])
def test_losing_a_life_ends_bootstrapping_in_training_only(evaluation, discount):
    environment = _make("Breakout?terminal_on_life_loss=true", evaluation=evaluation)
    timestep = _play_until(environment, lambda t: environment.lives == 4)
    assert timestep.mid()
    assert timestep.discount == discount


@pytest.mark.parametrize(("evaluation", "reward"), [(False, 1), (True, 25)])
def test_rewards_are_clipped_in_training_only(evaluation, reward):
    environment = _make("Qbert?clip_rewards=true", evaluation=evaluation)
    assert _play_until(environment, lambda t: t.reward > 0).reward == reward


def test_the_larger_screens_of_some_games_fit():
    observation = _make("AirRaid").reset().observation
    assert observation.shape == (4, 84, 84)
    assert observation.any()


def test_an_unknown_game_names_the_nearest():
    with pytest.raises(environments.EnvironmentIdError, match="did you mean 'Pong'"):
        _make("pong")


@pytest.mark.parametrize(
    "option", ["action_repeat=0", "max_episode_frames=0", "noop_max=-1"]
)
def test_impossible_options_are_refused(option):
    with pytest.raises(environments.EnvironmentIdError, match="must be >="):
        _make(f"Pong?{option}")


def test_only_games_for_one_player_are_listed():
    ids = environments.list_ids("atari")
    assert "atari:MontezumaRevenge" in ids
    assert "atari:Warlords" not in ids
