"""Atari 2600 games through the Arcade Learning Environment (ALE).

Ids are `atari:GAME`, such as `atari:Pong` or `atari:MontezumaRevenge`. By default the
protocol of Machado et al., 2018 (arXiv:1709.06009): sticky actions, episodes that end
at game over, unclipped rewards; observations as in Mnih et al., 2015 (Methods): the
last 4 frames of 84x84 grayscale pixels. One difference: the maximum over two frames is
taken after the conversion to grayscale, as Gymnasium does, not over colours.

An agent step is `action_repeat` frames; a frame is 1/60 s of play.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import ale_py
import dm_env
import numpy as np
import numpy.typing as npt
from ale_py import roms

from tfagents_core import specs
from tfagents_core.environments import base, errors, image, wrappers

_FRAME_SHAPE = (84, 84)
_STICKY_PROBABILITY = 0.25  # Machado et al., 2018, section 5.
_DEFAULT_NOOP_MAX = 30  # Mnih et al., 2015, Methods.
_FRAMES_PER_SECOND = 60.0
_MULTIPLAYER_ONLY = frozenset({"combat", "joust", "maze_craze", "warlords"})


@dataclasses.dataclass(frozen=True)
class Options:
    """Options of `atari:` ids.

    Attributes:
        sticky_actions: each frame repeats the previous frame's action with probability
            0.25 (Machado et al., 2018, section 5).
        full_action_set: offer all 18 actions, not only those that the game uses.
        terminal_on_life_loss: set the discount to 0 where a life is lost, see
            `wrappers.LifeLoss`; ignored in evaluation.
        clip_rewards: clip rewards to [-1, 1]; ignored in evaluation.
        max_episode_frames: frames after which an episode is truncated, with a discount
            of 1; 108 000 are 30 minutes of play.
        noop_max: each episode begins with 1 to `noop_max` no-op frames, drawn
            uniformly; 0 for none. None means 30 without sticky actions and 0 with them.
        action_repeat: frames per agent step.
        num_stacked_frames: frames in one observation.
    """

    sticky_actions: bool = True
    full_action_set: bool = False
    terminal_on_life_loss: bool = False
    clip_rewards: bool = False
    max_episode_frames: int = 108_000
    noop_max: int | None = None
    action_repeat: int = 4
    num_stacked_frames: int = 4

    def __post_init__(self) -> None:
        for name in ("max_episode_frames", "action_repeat", "num_stacked_frames"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be >= 1, not {getattr(self, name)}.")
        if self.noop_max is not None and self.noop_max < 0:
            raise ValueError(f"noop_max must be >= 0, not {self.noop_max}.")

    @property
    def max_noops(self) -> int:
        """`noop_max`, with its default filled in."""
        if self.noop_max is not None:
            return self.noop_max
        # Sticky actions take the place of random no-op starts (Machado et al., 2018).
        return 0 if self.sticky_actions else _DEFAULT_NOOP_MAX


class AtariEnvironment(base.SeededEnvironment):
    """One game, observed as single 84x84 grayscale frames; not thread-safe.

    An observation is the pixel-wise maximum of a step's last two frames, because some
    sprites are drawn in every other frame only, downscaled by area averaging.

    ALE applies a new seed only when it loads a ROM, which takes 60 ms, and its own
    reset leaves the memory of some games as it was. So the ROM is loaded once, every
    episode restores the state saved right after loading, which takes 3 ms, and sticky
    actions are drawn here. Nothing else in a single-player game of ALE 0.12 depends on
    ALE's seed.
    """

    def __init__(self, rom: str, *, seed: int, options: Options) -> None:
        """Loads a game.

        Args:
            rom: the name of the game's ROM in ALE, such as `montezuma_revenge`.
            seed: see `base.SeededEnvironment`.
            options: `terminal_on_life_loss`, `clip_rewards` and `num_stacked_frames`
                have no effect here: `load` applies them as wrappers.
        """
        super().__init__(seed)
        self._options = options
        self._rng = np.random.default_rng(seed)
        self._ale = _load_game(rom)
        self._initial_state = self._ale.cloneState(include_rng=True)
        self._initial_screen = self._ale.getScreenGrayscale()
        self._screen = self._initial_screen.copy()
        self._previous_screen = self._initial_screen.copy()
        self._resize = image.AreaResize(self._screen.shape, _FRAME_SHAPE)
        self._actions = (
            self._ale.getLegalActionSet()
            if options.full_action_set
            else self._ale.getMinimalActionSet()
        )
        self._held_action: ale_py.Action = ale_py.Action.NOOP

    @property
    def lives(self) -> int:
        """Lives left; 0 in games without lives."""
        return self._ale.lives()

    @property
    def action_repeat(self) -> int:
        """Frames per agent step."""
        return self._options.action_repeat

    @property
    def action_meanings(self) -> list[str]:
        """The name of each action, such as `UPFIRE`."""
        return [action.name for action in self._actions]

    @property
    def steps_per_second(self) -> float:
        """Agent steps per second of play: 60 frames, `action_repeat` per step."""
        return _FRAMES_PER_SECOND / self._options.action_repeat

    def render(self) -> npt.NDArray[np.uint8]:
        """The current screen in colour, uint8 [height, width, 3]."""
        return self._ale.getScreenRGB()

    def _begin_episode(self, seed: int) -> dm_env.TimeStep:
        self._rng = np.random.default_rng(seed)
        self._held_action = ale_py.Action.NOOP
        self._restart_game()
        if self._options.max_noops > 0:
            self._wait(int(self._rng.integers(self._options.max_noops)) + 1)
        return dm_env.restart(self._resize(self._screen))

    def _restart_game(self) -> None:
        self._ale.reset_game()  # Clears the screen, which the saved state lacks.
        self._ale.restoreState(self._initial_state)
        self._screen[...] = self._previous_screen[...] = self._initial_screen

    def _wait(self, num_frames: int) -> None:
        for _ in range(num_frames):
            self._ale.act(ale_py.Action.NOOP)
        # A game that ended during the no-ops begins again without them.
        if self._ale.game_over():
            self._restart_game()
        else:
            self._look()

    def _step(self, action: Any) -> dm_env.TimeStep:
        reward, is_over = self._repeat(self._actions[int(action)])
        frame = self._resize(np.maximum(self._screen, self._previous_screen))
        if is_over:
            return dm_env.termination(reward, frame)
        if self._ale.getEpisodeFrameNumber() >= self._options.max_episode_frames:
            return dm_env.truncation(reward, frame)
        return dm_env.transition(reward, frame)

    def _repeat(self, action: ale_py.Action) -> tuple[float, bool]:
        reward, is_over = 0.0, False
        for frames_left in reversed(range(self._options.action_repeat)):
            reward += self._ale.act(self._stick(action))
            is_over = self._ale.game_over(with_truncation=False)
            # Only the last two frames are observed, and reading a screen takes time.
            if is_over or frames_left < 2:
                self._look()
            if is_over:
                break
        return reward, is_over

    def _stick(self, action: ale_py.Action) -> ale_py.Action:
        """The action of the next frame: `action`, or the previous frame's again."""
        # Drawn for each frame, not for each agent step, as ALE does it.
        is_stuck = (
            self._options.sticky_actions and self._rng.random() < _STICKY_PROBABILITY
        )
        if not is_stuck:
            self._held_action = action
        return self._held_action

    def _look(self) -> None:
        """Reads the screen into the older of the two kept screens."""
        self._screen, self._previous_screen = self._previous_screen, self._screen
        self._ale.getScreenGrayscale(self._screen)

    def observation_spec(self) -> Any:
        """One frame, uint8 [84, 84]."""
        return specs.BoundedArray(_FRAME_SHAPE, np.uint8, 0, 255, name="frame")

    def action_spec(self) -> Any:
        """An index into `action_meanings`."""
        return specs.DiscreteArray(len(self._actions), np.int32, name="action")


def _load_game(rom: str) -> ale_py.ALEInterface:
    path = roms.get_rom_path(rom)
    if path is None:
        raise errors.EnvironmentIdError(f"ALE has no game of the name {rom!r}.")
    ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)  # No banner.
    ale = ale_py.ALEInterface()
    ale.setFloat("repeat_action_probability", 0.0)  # `_stick` draws sticky actions.
    ale.setInt("random_seed", 1)  # Any will do; see `AtariEnvironment`.
    ale.loadROM(path)
    ale.reset_game()
    return ale


def load(
    task: str, *, seed: int, options: Options, evaluation: bool, render: bool
) -> dm_env.Environment:
    """Makes a game with stacked frames.

    Discounts of 0 at the loss of a life and clipped rewards are for training only:
    where `evaluation`, these options are ignored.

    Raises:
        errors.EnvironmentIdError: if there is no such game.
    """
    del render  # ALE can always render.
    games = _games()
    if task not in games:
        raise errors.EnvironmentIdError(
            f"Unknown Atari game {task!r}: {errors.did_you_mean(task, games)}"
        )
    environment: dm_env.Environment = AtariEnvironment(
        games[task], seed=seed, options=options
    )
    if options.terminal_on_life_loss and not evaluation:
        environment = wrappers.LifeLoss(environment)
    if options.clip_rewards and not evaluation:
        environment = wrappers.RewardClipping(environment)
    return wrappers.FrameStacking(environment, options.num_stacked_frames)


def _games() -> dict[str, str]:
    """ROM names by game name, such as `montezuma_revenge` of `MontezumaRevenge`."""
    return {
        rom.title().replace("_", ""): rom
        for rom in roms.get_all_rom_ids()
        if rom not in _MULTIPLAYER_ONLY
    }


def list_tasks() -> list[str]:
    """Every single-player game."""
    return list(_games())
