"""The benchmark of a shard measures, and notices what is lost or doubled."""

from __future__ import annotations

import json
import pathlib
import sys

import pytest

# The benchmarks are not installed; what is comes first.
sys.path.append(str(pathlib.Path(__file__).parents[2]))

from benchmarks import service as benchmark
from tfagents_core import distributed, replay


def test_every_call_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    benchmark.main(["--seconds", "0.3", "--writers", "2", "--readers", "1"])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    calls = {line.get("call") for line in lines}
    assert {"append_chunk", "sample", "update_priorities"} <= calls
    assert lines[-1]["rows_per_s"] > 0 and lines[-1]["batches_per_s"] > 0


@pytest.mark.parametrize("claimed", [31, 33])
def test_a_lost_and_a_doubled_tick_are_noticed(
    tmp_path: pathlib.Path, claimed: int
) -> None:
    buffer = replay.Replay(
        benchmark.ROWS, [benchmark.make_table()], **benchmark.make_options(1)
    )
    service = distributed.ReplayService(buffer, tmp_path)
    _, ticks = benchmark.write(service, 0, 0.0)
    assert ticks == 0
    _, ticks = benchmark.write(service, 0, 0.02)
    benchmark.check(buffer.tables["t"], [ticks])
    with pytest.raises(AssertionError):
        benchmark.check(buffer.tables["t"], [ticks + claimed - 32])
