"""Saved policies, evaluated: what is played, what is noted, what is left alone."""

import dataclasses
import json
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator

import pytest

from tfagents_core import environments, experiments
from tfagents_core.agents import d4pg

pytest.importorskip("gymnasium")


@pytest.fixture(scope="module", name="trained")
def _trained() -> Iterator[pathlib.Path]:
    """A run of D4PG on Pendulum, whose own actions lie in [-2, 2]."""
    config = d4pg.D4PGConfig(
        min_replay_size=40, batch_size=8, max_replay_size=1_000, jit_compile=False
    )
    with tempfile.TemporaryDirectory() as directory:
        experiments.run_experiment(
            experiments.ExperimentConfig(
                agent="d4pg",
                environment="gym:Pendulum-v1",
                builder=d4pg.D4PGBuilder(config),
                num_actor_steps=100,
                run_dir=pathlib.Path(directory) / "run",
                seed=4,
                eval_every=0,
                eval_episodes=2,
            )
        )
        yield pathlib.Path(directory) / "run"


@pytest.fixture(name="run_dir")
def _run_dir(trained: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    """A copy of it, of the test's own."""
    return pathlib.Path(shutil.copytree(trained, tmp_path / "run"))


def test_evaluations_are_noted_one_a_line_and_the_result_stays(
    run_dir: pathlib.Path,
) -> None:
    before = (run_dir / "result.json").read_bytes()
    evaluations = [
        experiments.evaluate(run_dir, num_episodes=n, seed=seed)
        for n, seed in ((2, None), (1, 7))
    ]
    assert (run_dir / "result.json").read_bytes() == before
    lines = (run_dir / "evaluations.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        dataclasses.asdict(evaluation) for evaluation in evaluations
    ]
    first, second = evaluations
    assert first.episode_returns == json.loads(before)["episode_returns"]
    assert (first.seed, second.seed) == (4, 7)
    assert first.policy == "step-000000000100"
    assert first.num_actor_steps == 100
    assert first.episode_lengths == [200, 200]


def test_a_snapshot_plays_as_the_checkpoint_of_its_step_does(
    run_dir: pathlib.Path,
) -> None:
    of_run = experiments.evaluate(run_dir, num_episodes=3)
    (snapshot,) = (run_dir / "snapshots").iterdir()
    assert experiments.evaluate(snapshot, num_episodes=3) == of_run
    assert (snapshot / "evaluations.jsonl").exists()
    assert experiments.evaluate(snapshot, num_episodes=3) == of_run  # Still intact.


def test_a_seed_of_0_is_a_seed_as_any_other(run_dir: pathlib.Path) -> None:
    (snapshot,) = (run_dir / "snapshots").iterdir()
    for path in (run_dir, snapshot):
        own, zero, four = (
            experiments.evaluate(path, num_episodes=1, seed=seed)
            for seed in (None, 0, 4)
        )
        assert (own.seed, zero.seed, four.seed) == (4, 0, 4)
        assert own.episode_returns == four.episode_returns != zero.episode_returns


def test_a_snapshot_needs_nothing_of_its_run(
    run_dir: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    expected = experiments.evaluate(run_dir, num_episodes=1, seed=9)
    (snapshot,) = (run_dir / "snapshots").iterdir()
    moved = pathlib.Path(shutil.move(snapshot, tmp_path / "policy"))
    shutil.rmtree(run_dir)
    found = experiments.evaluate(moved, num_episodes=1, seed=9)
    assert found.episode_returns == expected.episode_returns
    assert found.num_actor_steps == 100


def test_a_video_is_of_the_first_episode_and_changes_no_return(
    run_dir: pathlib.Path,
) -> None:
    iio = pytest.importorskip("imageio.v3")
    pytest.importorskip("imageio_ffmpeg")
    pytest.importorskip("pygame")
    (snapshot,) = (run_dir / "snapshots").iterdir()
    without = experiments.evaluate(run_dir, num_episodes=2)
    for path in (run_dir, snapshot):
        video = path / "evaluation.mp4"
        filmed = experiments.evaluate(path, num_episodes=2, video=video)
        assert filmed == dataclasses.replace(without, video=str(video))
        assert iio.imread(video).shape == (201, 500, 500, 3)


def test_what_cannot_be_filmed_is_not_played(
    run_dir: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    with pytest.raises(ValueError, match=r"an .mp4 file"):
        experiments.evaluate(run_dir, num_episodes=1, video=tmp_path / "film.gif")
    assert not (run_dir / "evaluations.jsonl").exists()


def test_an_environment_without_pictures_says_so(tmp_path: pathlib.Path) -> None:
    pytest.importorskip("bsuite")
    pytest.importorskip("imageio_ffmpeg")
    from tfagents_core.agents import dqn

    config = experiments.ExperimentConfig(
        agent="dqn",
        environment="bsuite:catch/0",
        builder=dqn.DQNBuilder(dqn.DQNConfig.for_bsuite()),
        num_actor_steps=10,
        run_dir=tmp_path,
        eval_episodes=1,
    )
    experiments.run_experiment(config)
    with pytest.raises(environments.RenderingError, match="bsuite"):
        experiments.evaluate(tmp_path, num_episodes=1, video=tmp_path / "film.mp4")


def test_a_read_only_directory_is_told_before_anything_is_played(
    run_dir: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # Root may all.
    with pytest.raises(experiments.RunError, match=r"read-only, and evaluations.jsonl"):
        experiments.evaluate(run_dir, num_episodes=1)


def test_a_directory_without_a_run_is_told(tmp_path: pathlib.Path) -> None:
    with pytest.raises(experiments.RunError, match="holds no run"):
        experiments.evaluate(tmp_path, num_episodes=1)
