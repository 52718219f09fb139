"""The Atari wrapper against the emulator itself, frame by frame."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

from tfagents_core import environments

ale_py = pytest.importorskip("ale_py")


class Emulator:
    """One game from its start, with no wrapper around it.

    Attributes:
        screens: grayscale, of every frame since the start.
        rewards: of every frame.
    """

    def __init__(self, rom: str) -> None:
        ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
        self._ale = ale_py.ALEInterface()
        self._ale.setFloat("repeat_action_probability", 0.0)
        self._ale.setInt("random_seed", 1)
        self._ale.loadROM(ale_py.roms.get_rom_path(rom))
        self._ale.reset_game()
        self.actions = self._ale.getMinimalActionSet()
        self.screens = [self._ale.getScreenGrayscale()]
        self.rewards = [0.0]

    def act(self, action: Any) -> None:
        self.rewards.append(self._ale.act(action))
        self.screens.append(self._ale.getScreenGrayscale())

    @property
    def is_over(self) -> bool:
        return bool(self._ale.game_over())


@functools.cache
def shares(num_inputs: int) -> np.ndarray:
    """Of each of 84 pixels, how much lies in each of the inputs, `[84, N]`."""
    edges = np.linspace(0, num_inputs, 85)
    left = np.maximum(edges[:-1, None], np.arange(num_inputs))
    right = np.minimum(edges[1:, None], np.arange(num_inputs) + 1)
    return np.maximum(right - left, 0) * 84 / num_inputs


def average(screen: np.ndarray) -> np.ndarray:
    """The mean over the area of each pixel, `[84, 84]`."""
    height, width = screen.shape
    return shares(height) @ screen.astype(np.float64) @ shares(width).T


def make(task: str, *, seed: int = 0) -> Any:
    return environments.make(f"atari:{task}", seed=seed)


@pytest.mark.parametrize("action_repeat", [1, 3, 4])
@pytest.mark.parametrize(
    ("task", "rom"), [("Pong", "pong"), ("SpaceInvaders", "space_invaders")]
)
def test_a_step_is_the_emulators_frames(
    task: str, rom: str, action_repeat: int
) -> None:
    """Rewards are summed over them, and the last two are seen, pixel by pixel.

    Space Invaders draws its shots in every other frame only; in Pong this play loses
    points.
    """
    options = f"sticky_actions=false&noop_max=0&action_repeat={action_repeat}"
    environment, emulator = make(f"{task}?{options}"), Emulator(rom)
    first = environment.reset().observation
    assert np.abs(first[-1] - average(emulator.screens[0])).max() <= 1
    rng = np.random.default_rng(0)
    total, num_pooled, num_early = 0.0, 0, 0
    for step in range(960 // action_repeat):
        number = int(rng.integers(len(emulator.actions)))
        for _ in range(action_repeat):
            emulator.act(emulator.actions[number])
        if emulator.is_over:
            break
        timestep = environment.step(number)
        rewards = emulator.rewards[-action_repeat:]
        assert timestep.reward == sum(rewards)
        total += sum(rewards)
        num_early += any(rewards[:-1])
        seen = np.maximum(*emulator.screens[-2:])
        num_pooled += bool((seen != emulator.screens[-1]).any())
        if step % 7 == 0:  # Not all: the averages take longer than the game.
            # One off is a matter of rounding.
            assert np.abs(timestep.observation[-1] - average(seen)).max() <= 1
    assert total != 0
    assert num_pooled > 0
    assert num_early > 0 or action_repeat == 1 or task == "Pong"


@pytest.mark.parametrize("noop_max", [1, 2, 3])
def test_episodes_begin_after_one_to_noop_max_noops(noop_max: int) -> None:
    environment = make(f"Pong?sticky_actions=false&noop_max={noop_max}")
    game = environment.environment.environment.environment
    numbers = set()
    for _ in range(40):
        environment.reset()
        numbers.add(game._ale.getEpisodeFrameNumber())
    assert numbers == set(range(1, 1 + noop_max))


def test_noops_are_the_emulators_first_frames() -> None:
    environment, emulator = make("Pong?sticky_actions=false"), Emulator("pong")
    game = environment.environment.environment.environment
    for _ in range(30):
        emulator.act(ale_py.Action.NOOP)
    for _ in range(5):
        seen = environment.reset().observation[-1]
        frame = emulator.screens[game._ale.getEpisodeFrameNumber()]
        assert np.abs(seen - average(frame)).max() <= 1


class Recorder:
    """An emulator whose actions are noted.

    Attributes:
        taken: the actions of all frames.
    """

    def __init__(self, ale: Any) -> None:
        self._ale = ale
        self.taken: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ale, name)

    def act(self, action: Any) -> Any:
        self.taken.append(action)
        return self._ale.act(action)


def record(environment: Any) -> tuple[Recorder, list[Any]]:
    """Notes a game's actions from now on; and what its actions are, by number."""
    game = environment.environment.environment.environment
    game._ale = Recorder(game._ale)
    return game._ale, game._actions


def test_a_sticky_action_is_the_one_of_the_frame_before() -> None:
    environment = make("Pong?action_repeat=2&noop_max=0", seed=5)
    environment.reset()
    recorder, actions = record(environment)
    wanted = []
    for step in range(300):
        environment.step(2 + step % 2)
        wanted += [actions[2 + step % 2]] * 2
    is_stuck = [a != b for a, b in zip(recorder.taken, wanted, strict=True)]
    # Drawn at every frame, with 1 in 4: at a step's second frame the action shows as
    # stuck only where its first frame was stuck too.
    assert np.mean(is_stuck[::2]) == pytest.approx(1 / 4, abs=0.08)
    assert np.mean(is_stuck[1::2]) == pytest.approx(1 / 16, abs=0.05)
    for index in np.flatnonzero(is_stuck)[1:]:
        assert recorder.taken[index] == recorder.taken[index - 1]


def test_no_action_is_held_from_one_episode_to_the_next() -> None:
    """Where an episode's first frame is stuck, it has no action at all."""
    environment = make("Breakout?max_episode_frames=4&action_repeat=1&noop_max=0")
    recorder, actions = record(environment)
    first = []
    for _ in range(60):
        environment.reset()
        recorder.taken.clear()
        for number in (3, 2, 2, 2):
            timestep = environment.step(number)
        assert timestep.last()
        first.append(recorder.taken[0])
    assert set(first) == {actions[3], ale_py.Action.NOOP}
    assert 5 <= first.count(ale_py.Action.NOOP) <= 27  # 15 of 60, give or take.
