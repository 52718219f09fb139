"""The Behaviour Suite."""

import os

import numpy as np
import pytest
from absl.testing import absltest
from dm_env import test_utils

from tfagents_core import environments

pytest.importorskip("bsuite")

from bsuite import sweep
from bsuite.logging import csv_load

from tfagents_core.environments import bsuite as adapter

_ONE_OF_EACH = sorted(
    f"{name}/3"
    for name in {bsuite_id.split("/")[0] for bsuite_id in sweep.SWEEP}
    if not name.startswith("mnist")
)


def _make(task="catch/0", *, seed=0, evaluation=False):
    return environments.make(f"bsuite:{task}", seed=seed, evaluation=evaluation)


class CatchTest(test_utils.EnvironmentTestMixin, absltest.TestCase):
    def make_object_under_test(self):
        return _make()


class NoisyCartpoleTest(test_utils.EnvironmentTestMixin, absltest.TestCase):
    def make_object_under_test(self):
        return _make("cartpole_noise/0")


@pytest.mark.parametrize("task", _ONE_OF_EACH)
def test_episodes_are_pure(task, check_episodes_are_pure):
    check_episodes_are_pure(lambda seed: _make(task, seed=seed))


@pytest.mark.parametrize("task", ["catch/0", "memory_size/9", "bandit_noise/0"])
def test_another_seed_is_another_episode(task, play, are_equal):
    episodes = [play(_make(task, seed=seed), 20) for seed in range(4)]
    assert not all(are_equal(episodes[0], episode) for episode in episodes[1:])


def test_noise_is_independent_of_the_game_it_disturbs():
    environment = _make("cartpole_noise/0")
    environment.reset()
    inner = environment.environment.environment._environment
    states = [rng.get_state()[1].tobytes() for rng in adapter._generators(inner)]
    assert len(set(states)) == len(states) == 2


def test_the_length_of_the_experiment_is_known():
    assert _make().bsuite_num_episodes == 10_000


def test_an_episodes_end_is_terminal(play):
    timesteps = play(_make(), 20)
    assert len(timesteps) == 10
    assert timesteps[-1].discount == 0
    assert timesteps[-1].reward.dtype == np.float32


def test_a_recorded_run_is_read_by_bsuites_own_analysis(tmp_path, play):
    environment = _make(f"catch/0?results_dir={tmp_path}")
    returns = [sum(t.reward for t in play(environment, 20)[1:]) for _ in range(20)]
    frame, _ = csv_load.load_bsuite(str(tmp_path))
    last = frame.iloc[-1]
    assert last.bsuite_id == "catch/0"
    assert last.episode == 20
    assert last.total_return == sum(returns)
    assert last.total_regret == sum(1 - r for r in returns)


def test_recording_changes_nothing(tmp_path, play, are_equal):
    recorded = _make(f"catch/0?results_dir={tmp_path}")
    assert are_equal(play(recorded, 20), play(_make(), 20))


def test_evaluation_is_never_recorded(tmp_path, play):
    play(_make(f"catch/0?results_dir={tmp_path}", evaluation=True), 20)
    assert os.listdir(tmp_path) == []


def test_a_record_is_overwritten_only_when_asked(tmp_path, play):
    task = f"catch/0?results_dir={tmp_path}"
    play(_make(task), 20)
    with pytest.raises(environments.EnvironmentIdError, match="overwrite=true"):
        _make(task)
    play(_make(f"{task}&overwrite=true"), 20)


def test_mnist_without_its_data_is_refused_and_nothing_downloaded(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(adapter, "_MNIST_DIR", str(tmp_path))
    with pytest.raises(environments.EnvironmentIdError, match="MNIST data"):
        _make("mnist/0")


def test_an_unknown_id_names_the_nearest():
    with pytest.raises(environments.EnvironmentIdError, match="'catch/0'"):
        _make("catch")


def test_the_whole_sweep_is_listed():
    assert len(environments.list_ids("bsuite")) == len(sweep.SWEEP) == 468
