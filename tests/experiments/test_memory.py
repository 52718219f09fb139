"""What a replay will take, and what there is."""

from __future__ import annotations

import pathlib

import numpy as np
import pytest

from tfagents_core import experiments, replay
from tfagents_core.agents import dqn
from tfagents_core.experiments import memory


def make_replay(max_size: int, max_bytes: int | None = None) -> replay.Replay:
    table = replay.Table(
        "rows",
        pattern=replay.NStep(1),
        outputs=replay.views.Row("frame", 0),
        max_size=max_size,
        rate_limiter=replay.MinSize(1),
    )
    steps = {"frame": replay.Column((84, 84), np.uint8)}
    return replay.Replay(steps, [table], max_bytes=max_bytes)


def test_what_fits_is_said_in_words() -> None:
    # 35 blocks of 32 rows of 7,060 bytes, three of them at the edges; 100 bytes an item.
    assert memory.check_replay(make_replay(1_000)) == (
        "replay: up to 7.6 MiB at 1,000 items"
    )


def test_what_does_not_fit_is_refused_with_both_figures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "limit_bytes", lambda: 5 * 2**30)
    expected = (
        r"would grow to 6\.7 GiB with 1,000,000 items, and the memory here is "
        r"5\.0 GiB; lower max_replay_size\."
    )
    with pytest.raises(ValueError, match=expected):
        memory.check_replay(make_replay(1_000_000))


def test_a_bound_on_bytes_is_what_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "limit_bytes", lambda: 5 * 2**30)
    words = memory.check_replay(make_replay(1_000_000, max_bytes=2**30))
    assert words == "replay: up to 1.1 GiB at 1,000,000 items"


@pytest.mark.parametrize(
    ("groups", "limits", "expected"),
    [
        ("0::/\n", {"memory.max": "1000"}, 1000),
        ("0::/a/b\n", {"a/b/memory.max": "max", "a/memory.max": "500"}, 500),
        ("0::/a\n", {"a/memory.max": "300", "memory.max": "400"}, 300),
        (
            "5:cpu:/x\n4:memory:/x\n",
            {"memory/x/memory.limit_in_bytes": "200"},
            200,
        ),
        ("4:memory:/gone\n", {"memory/memory.limit_in_bytes": "900"}, 900),
    ],
)
def test_a_control_groups_limit_counts(
    tmp_path: pathlib.Path, groups: str, limits: dict[str, str], expected: int
) -> None:
    (tmp_path / "proc" / "self").mkdir(parents=True)
    (tmp_path / "proc" / "self" / "cgroup").write_text(groups)
    for name, text in limits.items():
        path = tmp_path / "sys" / "fs" / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    assert memory.limit_bytes(tmp_path) == expected


def test_without_control_groups_the_machine_is_the_limit(
    tmp_path: pathlib.Path,
) -> None:
    machine = memory.limit_bytes(tmp_path)
    assert machine > 2**20
    assert memory.limit_bytes() <= machine


def test_a_run_whose_replay_cannot_fit_writes_nothing(tmp_path: pathlib.Path) -> None:
    pytest.importorskip("gymnasium")
    config = experiments.ExperimentConfig(
        agent="dqn",
        environment="gym:CartPole-v1",
        builder=dqn.DQNBuilder(dqn.DQNConfig(max_replay_size=2**31 - 1)),
        num_actor_steps=100,
        run_dir=tmp_path / "run",
    )
    if memory.limit_bytes() > 2**38:
        pytest.skip("this machine has room for it")
    with pytest.raises(ValueError, match="2,147,483,647 items, .* lower max_replay"):
        experiments.run_experiment(config)
    assert not (tmp_path / "run").exists()
