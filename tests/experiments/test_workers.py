"""Runs whose environments step in processes of their own learn the same, to the bit."""

from __future__ import annotations

import os
import pathlib
import signal
import sys
from typing import Any

import cloudpickle
import pytest

from tfagents_core import experiments

from . import small_runs

pytest.importorskip("gymnasium")
# Workers cannot import this module by its name.
cloudpickle.register_pickle_by_value(sys.modules[__name__])


@pytest.fixture(name="whole", scope="module")
def _whole(tmp_path_factory: pytest.TempPathFactory) -> experiments.Result:
    """A run of three environments in one thread."""
    run_dir = tmp_path_factory.mktemp("runs") / "whole"
    return experiments.run_experiment(
        small_runs.make_config(run_dir, envs_per_actor=3, num_actor_steps=400)
    )


@pytest.mark.parametrize("num_workers", [1, 2])
def test_what_is_learned_does_not_depend_on_workers(
    tmp_path: pathlib.Path, whole: experiments.Result, num_workers: int
) -> None:
    config = small_runs.make_config(
        tmp_path / "run",
        envs_per_actor=3,
        num_actor_steps=400,
        environment_workers=num_workers,
    )
    result = experiments.run_experiment(config)
    assert result.variables_sha256 == whole.variables_sha256
    assert result.episode_returns == whole.episode_returns


class Killed(BaseException):
    """Stands in for a death between two instructions."""


def test_a_run_and_its_worker_may_be_killed_and_the_number_of_workers_change(
    tmp_path: pathlib.Path, whole: experiments.Result, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes: dict[str, Any] = {"envs_per_actor": 3, "num_actor_steps": 400}
    step = experiments.InlineExperiment.step
    pids: list[int] = []

    def dying(self: experiments.InlineExperiment) -> Any:
        if self.counters.num_actor_steps > 150 and not pids:
            pids.extend(self._environments.pids)  # type: ignore[attr-defined]
            os.kill(pids[0], signal.SIGKILL)
        if self.counters.num_actor_steps > 250:
            raise Killed
        return step(self)

    monkeypatch.setattr(experiments.InlineExperiment, "step", dying)
    with pytest.raises(Killed):
        experiments.run_experiment(
            small_runs.make_config(tmp_path / "run", environment_workers=2, **changes)
        )
    assert len(pids) == 2
    monkeypatch.setattr(experiments.InlineExperiment, "step", step)
    result = experiments.run_experiment(
        small_runs.make_config(tmp_path / "run", environment_workers=3, **changes)
    )
    assert result.variables_sha256 == whole.variables_sha256


def test_workers_end_with_the_run(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pids: list[int] = []
    close = experiments.InlineExperiment.close

    def noting_close(self: experiments.InlineExperiment) -> None:
        pids.extend(self._environments.pids)  # type: ignore[attr-defined]
        close(self)

    monkeypatch.setattr(experiments.InlineExperiment, "close", noting_close)
    experiments.run_experiment(
        small_runs.make_config(
            tmp_path / "run",
            envs_per_actor=2,
            num_actor_steps=10,
            environment_workers=2,
        )
    )
    assert len(pids) == 2
    for pid in pids:
        with pytest.raises(ProcessLookupError):  # Ended, and waited for.
            os.kill(pid, 0)


def test_environments_that_fail_for_good_end_the_run_in_an_error(
    tmp_path: pathlib.Path,
) -> None:
    config = small_runs.make_config(
        tmp_path / "run",
        environment_workers=1,
        max_environment_restarts=0,
        environment_factory=make_broken,
    )
    with pytest.raises(experiments.RunError, match="out of order"):
        experiments.run_experiment(config)
    # A checkpoint is not necessary to begin again.
    assert not (tmp_path / "run" / "result.json").exists()


def make_broken(*, seed: int, evaluation: bool = False) -> Any:
    import gymnasium

    del seed
    made = gymnasium.make("CartPole-v1")
    if not evaluation:

        def step(action: Any) -> Any:
            raise OSError("out of order")

        made.step = step
    return made


def test_more_workers_than_environments_are_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ValueError, match="environment_workers is 2, but an actor has"):
        small_runs.make_config(tmp_path, environment_workers=2, envs_per_actor=1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"environment_workers": -1},
        {"environment_timeout_s": 0},
        {"max_environment_restarts": -1},
    ],
)
def test_impossible_options_of_workers_are_refused(
    tmp_path: pathlib.Path, wrong: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        small_runs.make_config(tmp_path, **wrong)


def test_an_address_of_a_cluster_that_nobody_uses_is_refused(
    tmp_path: pathlib.Path,
) -> None:
    with pytest.raises(ValueError, match="nothing of this run is on Ray"):
        small_runs.make_config(tmp_path, ray_address="local")


def test_workers_on_ray_say_that_it_is_not_installed(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("ray_cluster", "ray_environments"):
        monkeypatch.delitem(sys.modules, f"tfagents_core.distributed.{module}", False)
    monkeypatch.setitem(sys.modules, "ray", None)
    config = small_runs.make_config(
        tmp_path / "run", environment_workers=1, ray_address="local"
    )
    with pytest.raises(ImportError, match=r"pip install 'tfagents-core\[ray\]'"):
        experiments.run_experiment(config)
