"""Films of episodes, each suite's own, and what is said where there can be none."""

import os
import pathlib
import textwrap
from typing import Any

import numpy as np
import pytest
import tree

from tfagents_core import environments
from tfagents_core.environments import filming, rendering

iio = pytest.importorskip("imageio.v3")
pytest.importorskip("imageio_ffmpeg")

OWN = """
    import itertools
    import os
    import resource
    import signal

    import dm_env
    import gymnasium
    import numpy as np


    class Plain(dm_env.Environment):
        \"\"\"Four steps; the reward is the action.\"\"\"

        picture = np.zeros((33, 47, 3), np.uint8)

        def reset(self):
            self.steps_left = 4
            return dm_env.restart(np.zeros(1, np.float32))

        def step(self, action):
            self.steps_left -= 1
            make = dm_env.transition if self.steps_left else dm_env.termination
            return make(reward=float(action), observation=np.zeros(1, np.float32))

        def observation_spec(self):
            return dm_env.specs.Array((1,), np.float32)

        def action_spec(self):
            return dm_env.specs.DiscreteArray(5)


    class Drawn(Plain):
        def render(self):
            print("drawing")
            return self.picture


    class DrawnWrongly(Plain):
        def render(self):
            return np.zeros((4, 4))


    class Noisy(Drawn):
        def step(self, action):
            return super().step(action)._replace(reward=float(os.getpid()))


    class Crashing(Drawn):
        def render(self):
            os._exit(7)


    class OnAFullDisk(Drawn):
        rng = np.random.default_rng(0)

        def render(self):
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
            return self.rng.integers(256, size=(480, 480, 3), dtype=np.uint8)


    def gym(render_mode=None):
        return gymnasium.make("CartPole-v1", render_mode=render_mode)


    def gym_unseen():
        return gymnasium.make("CartPole-v1")
"""


@pytest.fixture(autouse=True)
def own(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that the other process can import as well."""
    (tmp_path / "filmed.py").write_text(textwrap.dedent(OWN))
    monkeypatch.syspath_prepend(tmp_path)
    # Another test may have set it for this process.
    monkeypatch.delenv(rendering.VARIABLE, raising=False)


def play(environment_id: str, num_steps: int) -> tuple[list[Any], list[float]]:
    """Actions of the middle of their range or alternating, and their rewards."""
    environment = environments.make(environment_id, seed=3, evaluation=True)
    spec = environment.action_spec()
    environment.reset()
    actions: list[Any] = []
    rewards: list[float] = []
    for index in range(num_steps):
        action = tree.map_structure(
            lambda leaf, index=index: leaf.generate_value() + index % 2, spec
        )
        actions.append(action)
        timestep = environment.step(action)
        rewards.append(timestep.reward)
        if timestep.last():
            break
    return actions, rewards


def film(environment_id: str, path: pathlib.Path, num_steps: int = 10) -> np.ndarray:
    """The frames `[T + 1, height, width, 3]` of an episode's beginning."""
    actions, rewards = play(environment_id, num_steps)
    with filming.camera(path, environment_id, seed=3) as camera:
        camera.film(actions, rewards)
    frames: np.ndarray = iio.imread(path)
    assert len(frames) == len(actions) + 1
    return frames


def frames_per_second(path: pathlib.Path) -> float:
    return float(iio.immeta(path, plugin="FFMPEG")["fps"])


def test_control_is_seen_by_its_first_camera_in_real_time(
    tmp_path: pathlib.Path,
) -> None:
    pytest.importorskip("dm_control")
    if not any(rendering._works(name) for name in ("egl", "osmesa")):
        pytest.skip("There is neither EGL nor OSMesa on this machine.")
    frames = film("control:cartpole:balance", tmp_path / "a.mp4")
    assert frames.shape[1:] == (480, 640, 3)
    assert frames[0].std() > 10  # Not one colour.
    assert frames_per_second(tmp_path / "a.mp4") == 100


def test_atari_is_the_games_own_screen(tmp_path: pathlib.Path) -> None:
    pytest.importorskip("ale_py")
    frames = film("atari:Pong", tmp_path / "a.mp4")
    assert frames.shape[1:] == (210, 160, 3)
    assert frames[0].std() > 10
    assert frames_per_second(tmp_path / "a.mp4") == 15


def test_the_frame_rate_follows_the_repeated_actions(tmp_path: pathlib.Path) -> None:
    pytest.importorskip("ale_py")
    film("atari:Pong?action_repeat=2", tmp_path / "a.mp4", 2)
    assert frames_per_second(tmp_path / "a.mp4") == 30


def test_gymnasium_draws_itself(tmp_path: pathlib.Path) -> None:
    pytest.importorskip("pygame")
    frames = film("gym:CartPole-v1", tmp_path / "a.mp4", 500)
    assert frames.shape[1:] == (400, 600, 3)
    assert frames_per_second(tmp_path / "a.mp4") == 50


def test_a_gymnasium_environment_of_mujoco_draws_without_a_display(
    tmp_path: pathlib.Path,
) -> None:
    pytest.importorskip("mujoco")
    if not any(rendering._works(name) for name in ("egl", "osmesa")):
        pytest.skip("There is neither EGL nor OSMesa on this machine.")
    frames = film("gym:InvertedPendulum-v5", tmp_path / "a.mp4", 3)
    assert frames[0].std() > 10


def test_a_users_own_environment_is_drawn_with_even_sides(
    tmp_path: pathlib.Path,
) -> None:
    frames = film("python:filmed:Drawn", tmp_path / "new" / "a.mp4")
    assert frames.shape == (5, 34, 48, 3)
    assert frames_per_second(tmp_path / "new" / "a.mp4") == 30
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.mp4"]


def test_a_factory_that_takes_a_render_mode_is_given_it(tmp_path: pathlib.Path) -> None:
    pytest.importorskip("pygame")
    assert film("python:filmed:gym", tmp_path / "a.mp4").shape[1:] == (400, 600, 3)


def test_the_tasks_own_actions_are_taken_too(tmp_path: pathlib.Path) -> None:
    pytest.importorskip("pygame")
    canonical = environments.make("gym:Pendulum-v1", seed=3, evaluation=True)
    task = canonical.environment
    task.reset()
    actions = [np.array([2.0], np.float32)] * 3
    rewards = [task.step(action).reward for action in actions]
    with filming.camera(
        tmp_path / "a.mp4", "gym:Pendulum-v1", seed=3, canonical_actions=False
    ) as camera:
        camera.film(actions, rewards)
    assert len(iio.imread(tmp_path / "a.mp4")) == 4


@pytest.mark.parametrize(
    ("environment_id", "sentence"),
    [
        ("bsuite:catch/0", "bsuite environments draw no pictures"),
        ("python:filmed:Plain", r"has no render\(\) that returns a picture"),
        ("python:filmed:DrawnWrongly", r"render\(\) returned float64 \[4, 4\]"),
        ("python:filmed:gym_unseen", "CartPole-v1 was made without render_mode"),
    ],
)
def test_what_cannot_be_drawn_is_said_before_anything_is_played(
    tmp_path: pathlib.Path, environment_id: str, sentence: str
) -> None:
    with (
        pytest.raises(environments.RenderingError, match=sentence) as caught,
        filming.camera(tmp_path / "a.mp4", environment_id, seed=3),
    ):
        pytest.fail("It could be played.")
    assert "\n" not in str(caught.value)
    assert "cannot be filmed" in str(caught.value)


def test_drawing_that_was_turned_off_is_said(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("dm_control")
    monkeypatch.setenv(rendering.VARIABLE, "disable")
    with (
        pytest.raises(environments.RenderingError, match="MUJOCO_GL=disable turns"),
        filming.camera(tmp_path / "a.mp4", "control:cartpole:balance", seed=3),
    ):
        pytest.fail("It could be played.")


@pytest.mark.parametrize("package", ["imageio", "imageio_ffmpeg", "pygame"])
def test_a_missing_package_comes_with_its_extra(
    tmp_path: pathlib.Path, package: str
) -> None:
    pytest.importorskip("pygame")
    (tmp_path / f"{package}.py").write_text("raise ImportError('not here')")
    with (
        pytest.raises(
            environments.MissingExtraError, match=r"'tfagents-core\[video\]'"
        ) as caught,
        filming.camera(tmp_path / "a.mp4", "gym:CartPole-v1", seed=3),
    ):
        pytest.fail("It could be played.")
    assert package in str(caught.value)


def test_another_episode_than_was_played_is_no_film_of_it(
    tmp_path: pathlib.Path,
) -> None:
    with pytest.raises(environments.RenderingError, match="not deterministic"):
        film("python:filmed:Noisy", tmp_path / "a.mp4")
    assert not list(tmp_path.glob("*.mp4"))


def test_a_process_that_dies_is_one_sentence(tmp_path: pathlib.Path) -> None:
    with (
        pytest.raises(OSError, match="ended by itself, with code 7: ") as caught,
        filming.camera(tmp_path / "a.mp4", "python:filmed:Crashing", seed=3),
    ):
        pytest.fail("It could be played.")
    assert "\n" not in str(caught.value)


def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path: pathlib.Path) -> None:
    with pytest.raises(OSError, match=r"a.mp4 could not be written.*disk") as caught:
        film("python:filmed:OnAFullDisk", tmp_path / "a.mp4")
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob("*.mp4"))


def test_only_mp4_files_are_written(tmp_path: pathlib.Path) -> None:
    with (
        pytest.raises(ValueError, match=r"an .mp4 file, and '.*a.avi' is not"),
        filming.camera(tmp_path / "a.avi", "gym:CartPole-v1", seed=3),
    ):
        pytest.fail("It could be played.")


def test_an_unknown_environment_is_the_users_mistake_there_too(
    tmp_path: pathlib.Path,
) -> None:
    with (
        pytest.raises(environments.EnvironmentIdError, match="CartPole-v1"),
        filming.camera(tmp_path / "a.mp4", "gym:CartPol-v1", seed=3),
    ):
        pytest.fail("It could be played.")


def test_the_other_process_is_gone_afterwards(tmp_path: pathlib.Path) -> None:
    with filming.camera(tmp_path / "a.mp4", "python:filmed:Drawn", seed=3) as camera:
        pid = camera._process.pid
        os.kill(pid, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not (tmp_path / "a.mp4").exists()
