"""A run's progress on the console.

A terminal gets a live display; a pipe or a file gets a plain line now and then.
"""

from __future__ import annotations

import abc
import collections
import contextlib
import sys
import time
import types
from collections.abc import Callable
from typing import TextIO

from rich import console as rich_console
from rich import live, progress_bar, table, text

from tfagents_core.loggers import rates

_LIVE_PERIOD_S = 0.25
_LINES_PERIOD_S = 10.0
_NUM_RECENT_RETURNS = 10
_UNKNOWN = "–"

Clock = Callable[[], float]
ReplayStatus = str | Callable[[], str]


class Progress(contextlib.AbstractContextManager["Progress"]):
    """Displays the progress of a run, redrawn from time to time.

    Every method may be called on every tick: between drawings a call only stores its
    arguments. A context manager, which closes the display on exit. Not thread-safe.
    """

    def __init__(
        self,
        total_steps: int,
        stream: TextIO,
        *,
        period_s: float,
        title: str = "",
        clock: Clock = time.perf_counter,
    ) -> None:
        """Starts the clock.

        Args:
            total_steps: actor steps of the whole run.
            stream: where to draw.
            period_s: seconds between drawings.
            title: a heading, such as agent and environment.
            clock: seconds since any fixed moment.
        """
        self._total_steps = total_steps
        self._stream = stream
        self._title = title
        self._clock = clock
        self._period_s = period_s
        self._next_draw_s = clock()
        self._closed = False
        self._rates = rates.SlidingRates()
        self._num_actor_steps = 0
        self._num_learner_steps = 0
        self._num_episodes = 0
        self._replay: ReplayStatus = ""
        self._returns: collections.deque[float] = collections.deque(
            maxlen=_NUM_RECENT_RETURNS
        )
        self._evaluation: tuple[int, float] | None = None
        self._checkpoint = ""

    def update(
        self, num_actor_steps: int, num_learner_steps: int, replay: ReplayStatus = ""
    ) -> None:
        """Takes the present counters.

        Args:
            num_actor_steps: actor steps of the run so far.
            num_learner_steps: learner steps of the run so far.
            replay: what the replay holds, in words, or a function that returns it,
                called only when something is drawn.
        """
        self._num_actor_steps = num_actor_steps
        self._num_learner_steps = num_learner_steps
        self._replay = replay
        now = self._clock()
        if now < self._next_draw_s:
            return
        self._next_draw_s = now + self._period_s
        self._rates.add(now, num_actor_steps, num_learner_steps)
        self._draw()

    def episode(self, episode_return: float, episode_length: int) -> None:
        """Takes the return and the length, in steps, of a training episode."""
        del episode_length  # The return is what a glance at the console is for.
        self._num_episodes += 1
        self._returns.append(episode_return)

    def evaluation(self, num_actor_steps: int, episode_return: float) -> None:
        """Takes the mean return of an evaluation at `num_actor_steps`."""
        self._evaluation = num_actor_steps, episode_return
        self._draw_evaluation()

    def checkpoint(self, text: str) -> None:
        """Takes a description of the newest checkpoint."""
        self._checkpoint = text

    @abc.abstractmethod
    def note(self, text: str) -> None:
        """Shows one line that stays, at once."""

    def close(self) -> None:
        """Shows the last state, if any, and leaves it there; once is enough."""
        if self._closed or self._rates.is_empty:
            return
        self._closed = True
        self._rates.add(self._clock(), self._num_actor_steps, self._num_learner_steps)
        self._draw()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: types.TracebackType | None,
    ) -> None:
        self.close()

    @abc.abstractmethod
    def _draw(self) -> None:
        """Shows the present state."""

    @abc.abstractmethod
    def _draw_evaluation(self) -> None:
        """Shows a new evaluation."""

    def _steps_text(self) -> str:
        """Such as `12,000/100,000 steps (12%)`."""
        share = self._num_actor_steps / max(self._total_steps, 1)
        return f"{self._num_actor_steps:,}/{self._total_steps:,} steps ({share:.0%})"

    def _returns_text(self) -> str:
        """The last training return and the mean of the recent ones."""
        if not self._returns:
            return _UNKNOWN
        mean = sum(self._returns) / len(self._returns)
        last = f"{_format(self._returns[-1])} (mean of {len(self._returns)}: "
        return f"{last}{_format(mean)}, episode {self._num_episodes:,})"

    def _evaluation_text(self) -> str:
        """The last evaluation's return and when it was."""
        if self._evaluation is None:
            return _UNKNOWN
        num_actor_steps, episode_return = self._evaluation
        return f"{_format(episode_return)} at {num_actor_steps:,} steps"

    def _speed_text(self) -> str:
        """Actor and learner steps a second."""
        per_second = self._rates.per_second()
        if per_second is None:
            return _UNKNOWN
        acting, learning = per_second
        return f"{_format(acting)} steps/s, {_format(learning)} learner steps/s"

    def _time_left_text(self) -> str:
        """Such as `1:02:03` at the present speed."""
        per_second = self._rates.per_second()
        if per_second is None or per_second[0] <= 0:
            return _UNKNOWN
        num_left = max(self._total_steps - self._num_actor_steps, 0)
        return _duration(num_left / per_second[0])

    def _replay_text(self) -> str:
        return self._replay() if callable(self._replay) else self._replay


class LinesProgress(Progress):
    """One plain line about every ten seconds, and one for each evaluation."""

    def __init__(
        self,
        total_steps: int,
        stream: TextIO,
        *,
        title: str = "",
        clock: Clock = time.perf_counter,
    ) -> None:
        super().__init__(
            total_steps, stream, period_s=_LINES_PERIOD_S, title=title, clock=clock
        )
        self._heading = title

    def checkpoint(self, text: str) -> None:
        """Shows the newest checkpoint."""
        self._print(f"checkpoint: {text}")

    def note(self, text: str) -> None:
        """Shows one line."""
        self._print(text)

    def _draw(self) -> None:
        if self._rates.per_second() is None:
            return  # The run has only begun: there is nothing to say yet.
        parts = [self._steps_text(), self._speed_text()]
        if self._returns:
            parts.append(f"return {self._returns_text()}")
        if replay := self._replay_text():
            parts.append(f"replay {replay}")
        parts.append(f"{self._time_left_text()} left")
        self._print(" | ".join(parts))

    def _draw_evaluation(self) -> None:
        self._print(f"evaluation: return {self._evaluation_text()}")

    def _print(self, line: str) -> None:
        if self._heading:
            print(self._heading, file=self._stream)
            self._heading = ""
        print(line, file=self._stream, flush=True)


class LiveProgress(Progress):
    """A display on a terminal, redrawn in place at most four times a second."""

    def __init__(
        self,
        total_steps: int,
        stream: TextIO,
        *,
        title: str = "",
        clock: Clock = time.perf_counter,
    ) -> None:
        super().__init__(
            total_steps, stream, period_s=_LIVE_PERIOD_S, title=title, clock=clock
        )
        # Drawn by our own calls alone: no thread competes with the run for a core.
        self._live = live.Live(
            console=rich_console.Console(file=stream), auto_refresh=False
        )

    def note(self, text: str) -> None:
        """Shows one line above the display."""
        self._live.console.print(text, highlight=False, markup=False)

    def close(self) -> None:
        """Leaves the last display standing and gives the terminal back."""
        super().close()
        self._live.stop()

    def _draw(self) -> None:
        self._live.start()  # Once: a run that is refused leaves the terminal alone.
        self._live.update(self._render(), refresh=True)

    def _draw_evaluation(self) -> None:
        self._draw()

    def _render(self) -> rich_console.RenderableType:
        bar = progress_bar.ProgressBar(
            total=self._total_steps, completed=self._num_actor_steps, width=32
        )
        head = table.Table.grid(padding=(0, 1))
        head.add_row(bar, self._steps_text(), f"· {self._time_left_text()} left")
        rows = table.Table.grid(padding=(0, 2))
        rows.add_column(style="dim")
        for name, value in self._rows():
            rows.add_row(name, text.Text(value))
        title = [text.Text(self._title, style="bold")] if self._title else []
        return rich_console.Group(*title, head, rows)

    def _rows(self) -> list[tuple[str, str]]:
        rows = [
            ("training return", self._returns_text()),
            ("evaluation return", self._evaluation_text()),
            ("speed", self._speed_text()),
        ]
        if replay := self._replay_text():
            rows.append(("replay", replay))
        if self._checkpoint:
            rows.append(("checkpoint", self._checkpoint))
        return rows


def make_progress(
    total_steps: int, stream: TextIO | None = None, *, title: str = ""
) -> Progress:
    """A live display where `stream` is a terminal, plain lines where it is not.

    Args:
        total_steps: actor steps of the whole run.
        stream: where it is shown; standard error by default.
        title: what runs, such as agent and environment.
    """
    stream = sys.stderr if stream is None else stream
    if rich_console.Console(file=stream).is_terminal:
        return LiveProgress(total_steps, stream, title=title)
    return LinesProgress(total_steps, stream, title=title)


def _format(value: float) -> str:
    """`value` to about four digits, with thousands separated."""
    magnitude = abs(value)
    if magnitude >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if magnitude >= 10 else f"{value:.3g}"


def _duration(seconds: float) -> str:
    """`seconds` as `m:ss` or `h:mm:ss`."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02}:{seconds:02}"
    return f"{minutes}:{seconds:02}"
