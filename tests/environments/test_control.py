"""The DeepMind Control Suite."""

import os
import subprocess
import sys

import numpy as np
import pytest
from absl.testing import absltest
from dm_env import test_utils

from tfagents_core import environments, specs

pytest.importorskip("dm_control")


def _make(task="cartpole:swingup", *, seed=0):
    return environments.make(f"control:{task}", seed=seed)


class ControlTest(test_utils.EnvironmentTestMixin, absltest.TestCase):
    def make_object_under_test(self):
        return _make()


class UnflattenedControlTest(test_utils.EnvironmentTestMixin, absltest.TestCase):
    def make_object_under_test(self):
        return _make("walker:walk?flatten=false")


def test_observations_are_one_float32_vector():
    spec = _make("walker:walk").observation_spec()
    assert spec.dtype == np.float32
    assert spec.shape == (24,)


def test_the_suites_own_dictionary_can_be_kept():
    observation = _make("walker:walk?flatten=false").reset().observation
    assert set(observation) == {"orientations", "height", "velocity"}
    assert observation["height"].dtype == np.float32


@pytest.mark.parametrize(
    "task", ["cartpole:swingup", "ball_in_cup:catch", "finger:turn_hard", "lqr:lqr_2_1"]
)
def test_episodes_are_pure(task, check_episodes_are_pure):
    check_episodes_are_pure(lambda seed: _make(task, seed=seed))


def test_another_seed_is_another_episode(play, are_equal):
    assert not are_equal(play(_make(seed=0), 1), play(_make(seed=1), 1))


def test_the_time_limit_keeps_bootstrapping(play):
    timesteps = play(_make(), 2000)
    assert len(timesteps) == 1001
    assert timesteps[-1].last()
    assert timesteps[-1].discount == 1


def test_a_tasks_own_end_stops_bootstrapping():
    environment = _make("lqr:lqr_2_1")
    environment.reset()
    environment.physics.set_state(np.zeros(4))  # At rest: the task is solved.
    environment.physics.forward()
    timestep = environment.step(np.zeros(1, np.float32))
    assert timestep.last()
    assert timestep.discount == 0


def test_uneven_bounds_are_seen_as_minus_one_to_one():
    spec = specs.make_environment_spec(_make("quadruped:walk"))
    assert spec.is_continuous
    assert (spec.actions.minimum, spec.actions.maximum) == (-1, 1)


def test_actuators_without_limits_get_the_unit_range():
    environment = _make("lqr:lqr_2_1")
    environment.reset()
    environment.step(np.ones(1, np.float32))
    assert environment.physics.control() == [1.0]


def test_an_unknown_task_names_the_nearest():
    with pytest.raises(
        environments.EnvironmentIdError, match="did you mean 'cartpole:swingup'"
    ):
        _make("cartpole:swingip")


def test_a_task_that_needs_a_renderer_says_so_where_there_is_none(monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "disable")
    with pytest.raises(environments.EnvironmentIdError, match="MUJOCO_GL=egl"):
        _make("quadruped:escape")


def test_a_picture_of_an_environment_made_without_says_so():
    environment = _make()
    environment.reset()
    with pytest.raises(environments.RenderingError, match="made with render=True"):
        environment.render()


def test_a_second_of_film_is_a_second_of_simulation():
    assert _make("cartpole:swingup").steps_per_second == 100
    assert _make("walker:walk").steps_per_second == 40


def test_ids_are_listed():
    assert "control:cartpole:swingup" in environments.list_ids("control")


@pytest.mark.skipif(sys.platform != "linux", reason="Reads /proc.")
@pytest.mark.parametrize("suite", ["control:cartpole:swingup", "gym:HalfCheetah-v5"])
def test_opengl_is_left_alone_where_nothing_is_drawn(suite):
    pytest.importorskip("gymnasium")
    code = (
        "import os; from tfagents_core import environments;"
        f"environments.make({suite!r}, seed=0).reset();"
        "assert 'libEGL' not in open('/proc/self/maps').read();"
        "assert os.environ['MUJOCO_GL'] == 'egl'"
    )
    variables = {**os.environ, "MUJOCO_GL": "egl"}
    subprocess.run([sys.executable, "-c", code], env=variables, check=True)


def test_nothing_is_printed_without_a_display_and_no_variable_stays_set():
    hidden = ("DISPLAY", "WAYLAND_DISPLAY", "MUJOCO_GL")
    variables = {k: v for k, v in os.environ.items() if k not in hidden}
    code = (
        "import os; from tfagents_core import environments;"
        "environments.make('control:cartpole:swingup', seed=0).reset();"
        "assert 'MUJOCO_GL' not in os.environ"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        env=variables,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (run.stdout, run.stderr) == ("", "")
