"""Progress on the console, on a clock of the test's own."""

import io

import pytest

from tfagents_core import loggers
from tfagents_core.loggers import console, rates

STATUS = "12,924 items; 29.8 samples per insert (target 32)"


class _Clock:
    """Seconds that pass only when told to."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


class _Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(name="clock")
def _clock():
    return _Clock()


def _lines(clock, total_steps=1_000, **kwargs):
    stream = io.StringIO()
    return console.LinesProgress(total_steps, stream, clock=clock, **kwargs), stream


def test_a_pipe_gets_one_line_in_ten_seconds(clock):
    progress, stream = _lines(clock)
    for tick in range(251):
        clock.now = 100.0 + tick / 10
        progress.update(4 * tick, 2 * tick, "")
    lines = stream.getvalue().splitlines()
    assert [line.split(" | ")[0] for line in lines] == [
        "400/1,000 steps (40%)",
        "800/1,000 steps (80%)",
    ]


def test_a_line_tells_speed_returns_replay_and_time_left(clock):
    progress, stream = _lines(clock, total_steps=10_000)
    progress.update(0, 0, "")
    for episode_return in (100.0, 200.0):
        progress.episode(episode_return, 50)
    clock.now += 10
    progress.update(2_000, 500, STATUS)
    assert stream.getvalue() == (
        "2,000/10,000 steps (20%) | 200.0 steps/s, 50.0 learner steps/s"
        " | return 200.0 (mean of 2: 150.0, episode 2) | replay 12,924 items; 29.8 samples per"
        " insert (target 32) | 0:40 left\n"
    )


def test_the_mean_is_over_the_last_ten_returns(clock):
    progress, stream = _lines(clock)
    progress.update(0, 0, "")
    for episode_return in (1e6, *[20.0] * 10):
        progress.episode(episode_return, 1)
    clock.now += 10
    progress.update(1, 0, "")
    assert "return 20.0 (mean of 10: 20.0, episode 11)" in stream.getvalue()


def test_every_evaluation_gets_a_line_at_once(clock):
    progress, stream = _lines(clock)
    progress.evaluation(300, 12.5)
    progress.evaluation(600, 1_234.0)
    assert stream.getvalue() == (
        "evaluation: return 12.5 at 300 steps\nevaluation: return 1,234 at 600 steps\n"
    )


def test_the_replay_is_asked_only_when_something_is_drawn(clock):
    progress, stream = _lines(clock)
    asked = []

    def status():
        asked.append(clock.now)
        return STATUS

    for tick in range(101):
        clock.now = 100.0 + tick / 10
        progress.update(1, 1, status)
    assert len(asked) == 1
    assert f"replay {STATUS}" in stream.getvalue()


def test_a_terminal_is_drawn_on_at_most_four_times_a_second(clock):
    stream = _Terminal()
    progress = console.LiveProgress(1_000, stream, clock=clock, title="d4pg on x")
    asked = []

    def status():
        asked.append(clock.now)
        return STATUS

    for tick in range(1_000):
        clock.now = 100.0 + tick / 1_000
        progress.update(tick, 0, status)
    assert len(asked) == 4
    progress.close()
    assert "999/1,000 steps (100%)" in stream.getvalue()
    assert "d4pg on x" in stream.getvalue()


def test_a_terminal_sees_an_evaluation_at_once(clock):
    stream = _Terminal()
    with console.LiveProgress(1_000, stream, clock=clock) as progress:
        progress.evaluation(300, 12.5)
        assert "12.5 at 300 steps" in stream.getvalue()


def test_closing_shows_the_last_state_once(clock):
    progress, stream = _lines(clock)
    with progress:
        progress.update(0, 0, "")
        clock.now += 1
        progress.update(1_000, 10, "")
        assert stream.getvalue() == ""
    progress.close()
    assert stream.getvalue().startswith("1,000/1,000 steps (100%)")
    assert stream.getvalue().count("\n") == 1


@pytest.mark.parametrize("kind", [console.LinesProgress, console.LiveProgress])
def test_a_run_that_never_began_shows_nothing(clock, kind):
    stream = _Terminal()
    with kind(1_000, stream, title="d4pg on x", clock=clock):
        clock.now += 100
    assert stream.getvalue() == ""


def test_the_title_stands_above_the_first_line(clock):
    progress, stream = _lines(clock, title="d4pg on x")
    progress.evaluation(1, 0.0)
    progress.evaluation(2, 0.0)
    assert [line[:9] for line in stream.getvalue().splitlines()] == [
        "d4pg on x",
        *["evaluatio"] * 2,
    ]


def test_the_stream_decides_what_is_made():
    assert isinstance(loggers.make_progress(10, io.StringIO()), console.LinesProgress)
    with loggers.make_progress(10, _Terminal()) as progress:
        assert isinstance(progress, console.LiveProgress)


def test_rates_are_over_the_window_alone():
    sliding = rates.SlidingRates(window_s=10.0)
    assert sliding.per_second() is None
    sliding.add(0.0, 0, 0)
    assert sliding.per_second() is None
    for second in range(1, 21):
        sliding.add(float(second), 100 * second, 10 * second)
    for second in range(21, 31):
        sliding.add(float(second), 2_000, 200 + 50 * (second - 20))
    assert sliding.per_second() == (0.0, 50.0)


def test_samples_farther_apart_than_the_window_still_give_a_rate():
    sliding = rates.SlidingRates(window_s=10.0)
    sliding.add(0.0, 0, 0)
    sliding.add(100.0, 500, 50)
    assert sliding.per_second() == (5.0, 0.5)


def test_a_resumed_run_starts_from_its_own_counters(clock):
    progress, stream = _lines(clock, total_steps=100_000)
    progress.update(90_000, 0, "")
    clock.now += 10
    progress.update(90_100, 0, "")
    assert "10.0 steps/s" in stream.getvalue()


@pytest.mark.parametrize(
    ("seconds", "text"), [(5.4, "0:05"), (65, "1:05"), (3_725, "1:02:05")]
)
def test_time_left_is_written_as_on_a_clock(clock, seconds, text):
    progress, stream = _lines(clock, total_steps=round(10 * seconds) + 100)
    progress.update(0, 0, "")
    clock.now += 10
    progress.update(100, 0, "")
    assert stream.getvalue().endswith(f"{text} left\n")


def test_notes_and_checkpoints_are_lines_of_a_pipe(clock):
    progress, stream = _lines(clock, title="dqn on x")
    progress.note("replay: up to 1.0 GiB")
    progress.checkpoint("5.0 MiB at 100 steps")
    assert stream.getvalue() == (
        "dqn on x\nreplay: up to 1.0 GiB\ncheckpoint: 5.0 MiB at 100 steps\n"
    )


def test_a_terminal_keeps_notes_and_shows_the_newest_checkpoint(clock):
    stream = _Terminal()
    progress = console.LiveProgress(1_000, stream, clock=clock)
    progress.note("replay: up to [1.0] GiB")
    assert stream.getvalue() == "replay: up to [1.0] GiB\n"
    for text in ("1.0 MiB at 100 steps", "2.0 MiB at 200 steps"):
        progress.checkpoint(text)
    clock.now += 1
    progress.update(300, 0, "")
    progress.close()
    assert "2.0 MiB at 200 steps" in stream.getvalue()
    assert "1.0 MiB at 100 steps" not in stream.getvalue()
