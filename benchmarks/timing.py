"""Times several functions in turn, so that disturbances affect all of them alike."""

from __future__ import annotations

import dataclasses
import datetime
import os
import pathlib
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

Function = Callable[[], object]

_LEAST_SECONDS = 1e-3


@dataclasses.dataclass(frozen=True)
class Timing:
    """How long one call takes, in seconds.

    Attributes:
        median: wall-clock time, the median over repeats.
        best: wall-clock time of the fastest repeat.
        cpu: CPU time of the process with all its threads, the median over repeats. It
            excludes other processes, so it varies less on a busy machine.
    """

    median: float
    best: float
    cpu: float

    def fields(self, prefix: str = "") -> dict[str, float]:
        """All three in microseconds, as fields of a JSON line."""
        return {
            f"{prefix}us": significant(1e6 * self.median),
            f"{prefix}best_us": significant(1e6 * self.best),
            f"{prefix}cpu_us": significant(1e6 * self.cpu),
        }

    def __truediv__(self, num_calls: float) -> Timing:
        """The time of one of `num_calls` calls."""
        return Timing(
            self.median / num_calls, self.best / num_calls, self.cpu / num_calls
        )


def interleave(
    functions: Mapping[str, Function], *, repeats: int = 25
) -> dict[str, Timing]:
    """Times each function `repeats` times, in rounds over all functions.

    A repeat makes as many calls as take about a millisecond: long compared with reading
    the clock, short compared with the scheduling of other processes.

    Args:
        functions: the functions, by name.
        repeats: number of rounds; a warm-up before them is not counted.
    """
    calls = {name: _num_calls(function) for name, function in functions.items()}
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in functions}
    for _ in range(repeats):
        for name, function in functions.items():
            seconds[name].append(_seconds(function, calls[name]))
    return {name: _timing(seconds[name]) / calls[name] for name in functions}


def _timing(seconds: list[tuple[float, float]]) -> Timing:
    by_clock, cpu = zip(*seconds, strict=True)
    return Timing(statistics.median(by_clock), min(by_clock), statistics.median(cpu))


def significant(value: float, digits: int = 4) -> float:
    """`value` rounded to `digits` significant digits."""
    return float(f"{value:.{digits}g}")


def machine() -> dict[str, Any]:
    """The machine, the date and the command of the measurements."""
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
        "command": " ".join(["python -m", _module_name(), *sys.argv[1:]]),
        "cores": len(os.sched_getaffinity(0)),
        "cpu": _cpu(),
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "python": platform.python_version(),
    }


def _num_calls(function: Function) -> int:
    """Calls that take about a millisecond; the first is a warm-up, not counted."""
    function()
    return max(1, round(_LEAST_SECONDS / max(_seconds(function, 3)[1] / 3, 1e-9)))


def _seconds(function: Function, num_calls: int) -> tuple[float, float]:
    """Wall-clock time and CPU time of `num_calls` calls."""
    start = time.perf_counter(), time.process_time()
    for _ in range(num_calls):
        function()
    return time.perf_counter() - start[0], time.process_time() - start[1]


def _module_name() -> str:
    return f"benchmarks.{pathlib.Path(sys.argv[0]).stem}"


def _cpu() -> str:
    """The processor's name, family and vector instructions."""
    path = pathlib.Path("/proc/cpuinfo")
    if not path.exists():
        return platform.processor()
    lines = (line.partition(":") for line in path.read_text().splitlines())
    words = {key.strip(): value.strip() for key, _, value in lines}
    vectors = [name for name in ("avx2", "avx512f") if name in words.get("flags", "")]
    family = f"family {words.get('cpu family', '?')}"
    return ", ".join([words.get("model name", platform.machine()), family, *vectors])
