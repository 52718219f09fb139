"""Runs whose roles are threads."""

from __future__ import annotations

import json
import pathlib
import signal
import subprocess
import sys
import threading
from typing import Any, ClassVar

import cloudpickle
import dm_env
import numpy as np
import pytest

from tfagents_core import core, environments, experiments, learning, specs
from tfagents_core.agents import d4pg, dqn, ppo
from tfagents_core.distributed import thread_roles, threads
from tfagents_core.experiments import roles

# Workers cannot import this module by its name.
cloudpickle.register_pickle_by_value(sys.modules[__name__])


class Counting(environments.SeededEnvironment):
    """Episodes of five steps that show their number; the reward is the action's.

    Attributes:
        shown: the numbers of all episodes begun, by whether they are an evaluation's
            and the environment's seed.
    """

    shown: ClassVar[dict[tuple[bool, int], list[int]]] = {}
    is_continuous = False

    def __init__(self, seed: int, *, evaluation: bool) -> None:
        super().__init__(seed)
        self._key = (evaluation, seed)

    def _begin_episode(self, seed: int) -> dm_env.TimeStep:
        self._steps = 0
        self.shown.setdefault(self._key, []).append(self.episode_number)
        return dm_env.restart(self._observation())

    def _step(self, action: Any) -> dm_env.TimeStep:
        self._steps += 1
        end = dm_env.truncation if self._steps == 5 else dm_env.transition
        return end(float(np.sum(action)), self._observation())

    def _observation(self) -> np.ndarray:
        return np.array([self.episode_number, self._steps], np.float32)

    def observation_spec(self) -> specs.Array:
        """Episode and step."""
        return specs.Array((2,), np.float32)

    def action_spec(self) -> Any:
        """Two actions, or one number."""
        if self.is_continuous:
            return specs.BoundedArray((1,), np.float32, -1, 1)
        return specs.DiscreteArray(2)

    def reward_spec(self) -> specs.Array:
        """One number."""
        return specs.Array((), np.float32)

    def discount_spec(self) -> specs.BoundedArray:
        """One number."""
        return specs.BoundedArray((), np.float32, 0, 1)


class Continuous(Counting):
    """With actions of one number."""

    is_continuous = True


def make_counting(*, seed: int, evaluation: bool = False) -> dm_env.Environment:
    return Counting(seed, evaluation=evaluation)


def make_continuous(*, seed: int, evaluation: bool = False) -> dm_env.Environment:
    return Continuous(seed, evaluation=evaluation)


@pytest.fixture(autouse=True)
def _forget() -> None:
    Counting.shown.clear()


def make_dqn(**changes: Any) -> dqn.DQNBuilder:
    small: dict[str, Any] = {
        "layer_sizes": (8,),
        "min_replay_size": 40,
        "max_replay_size": 400,
        "batch_size": 8,
        "n_step": 1,
        "samples_per_insert": 2.0,
        "jit_compile": False,
    }
    return dqn.DQNBuilder(dqn.DQNConfig(**{**small, **changes}))


def make_config(run_dir: pathlib.Path, **changes: Any) -> experiments.ExperimentConfig:
    defaults: dict[str, Any] = {
        "agent": "dqn",
        "environment": "counting",
        "environment_factory": make_counting,
        "builder": make_dqn(),
        "num_actor_steps": 600,
        "run_dir": run_dir,
        "eval_every": 200,
        "eval_episodes": 2,
        "launcher": "threads",
        "num_actors": 3,
        "envs_per_actor": 2,
        "learner_log_every": 1,
    }
    return experiments.ExperimentConfig(**{**defaults, **changes})


def rows(run_dir: pathlib.Path, kind: str) -> list[dict[str, Any]]:
    lines = (run_dir / "metrics.jsonl").read_text().splitlines()
    return [row for row in map(json.loads, lines) if row["kind"] == kind]


def test_a_run_counts_evaluates_and_keeps_the_ratio(tmp_path: pathlib.Path) -> None:
    config = make_config(tmp_path / "run")
    num_threads = threading.active_count()
    result = experiments.run_experiment(config)
    assert threading.active_count() == num_threads
    # Each of the three actors may have been in the middle of its last tick.
    assert 600 <= result.num_actor_steps < 600 + 3 * 2
    learner_rows = rows(tmp_path / "run", "learner")
    assert learner_rows
    last = rows(tmp_path / "run", "eval")[-1]
    assert last["num_actor_steps"] == result.num_actor_steps
    assert last["num_learner_steps"] == result.num_learner_steps
    assert last["episode_returns"] == result.episode_returns
    # The learner has taken all steps that were due: one for every 4 transitions.
    inserts = result.num_actor_steps
    assert abs(8 * result.num_learner_steps - 2 * (inserts - 40)) <= 2 * 40 + 16
    episodes = rows(tmp_path / "run", "train")
    assert len(episodes) == result.num_episodes
    assert {row["episode_length"] for row in episodes} == {5}


AGENTS = {
    "d4pg": (
        d4pg.D4PGBuilder(
            d4pg.D4PGConfig(
                policy_layer_sizes=(8,),
                critic_layer_sizes=(8,),
                min_replay_size=40,
                max_replay_size=400,
                batch_size=8,
                samples_per_insert=2.0,
                jit_compile=False,
            )
        ),
        make_continuous,
    ),
    "ppo": (
        ppo.PPOBuilder(
            ppo.PPOConfig(
                layer_sizes=(8,), unroll_length=10, num_epochs=1, jit_compile=False
            )
        ),
        make_counting,
    ),
}


@pytest.mark.parametrize("agent", AGENTS)
def test_every_kind_of_agent_runs(tmp_path: pathlib.Path, agent: str) -> None:
    builder, make = AGENTS[agent]
    result = experiments.run_experiment(
        make_config(
            tmp_path / "run", agent=agent, builder=builder, environment_factory=make
        )
    )
    assert result.num_learner_steps > 0


def interrupt(monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    """Has Ctrl-C pressed when a run has come to `at` steps."""
    step = threads.ThreadsExperiment.step

    def interrupted(self: threads.ThreadsExperiment) -> Any:
        progress = step(self)
        if self.counters.num_actor_steps >= at:
            monkeypatch.setattr(threads.ThreadsExperiment, "step", step)
            signal.raise_signal(signal.SIGINT)
        return progress

    monkeypatch.setattr(threads.ThreadsExperiment, "step", interrupted)


def test_a_run_goes_on_from_its_checkpoint_with_new_episodes(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_config(tmp_path / "run", num_actor_steps=2_000)
    interrupt(monkeypatch, 300)
    with pytest.raises(experiments.Interrupted):
        experiments.run_experiment(config)
    counted = [row["num_actor_steps"] for row in rows(tmp_path / "run", "train")]
    result = experiments.run_experiment(config)
    assert result.num_actor_steps >= 2_000
    after = [row["num_actor_steps"] for row in rows(tmp_path / "run", "train")]
    assert after[: len(counted)] == counted
    assert after == sorted(after)
    steps = [row["num_learner_steps"] for row in rows(tmp_path / "run", "learner")]
    assert steps == sorted(set(steps))
    # No episode was played twice, but in an evaluation that was given up.
    trained = {k: v for k, v in Counting.shown.items() if not k[0]}
    assert len(trained) == 3 * 2
    for numbers in trained.values():
        assert numbers == sorted(set(numbers))


def test_an_interruption_finds_the_learner_waiting_and_actors_too(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The learner waits for items, which the actors do not get rid of."""
    waiting = threading.Event()

    def stuck(self: thread_roles.Client, *_: Any, **__: Any) -> None:
        waiting.set()
        while True:
            try:
                raise TimeoutError("never")
            except TimeoutError:
                self._stop.wait(0.01)
                if self._stop.is_set():
                    raise threads.thread_roles.supervision.StoppedError from None

    monkeypatch.setattr(thread_roles.Client, "append", stuck)
    step = threads.ThreadsExperiment.step

    def interrupted(self: threads.ThreadsExperiment) -> Any:
        progress = step(self)
        if waiting.is_set():
            signal.raise_signal(signal.SIGTERM)
        return progress

    monkeypatch.setattr(threads.ThreadsExperiment, "step", interrupted)
    with pytest.raises(experiments.Interrupted) as caught:
        experiments.run_experiment(make_config(tmp_path / "run"))
    assert caught.value.signal == signal.SIGTERM
    assert list((tmp_path / "run" / "checkpoints").iterdir())


def test_an_append_that_waits_ends_when_the_run_does() -> None:
    """Actors far ahead of the learner wait, and nothing of theirs is appended."""
    config = make_config(pathlib.Path("unused"))
    batch = roles.make_environments(config)
    agent = roles.make_agent(config, batch)
    buffer = roles.make_replay(agent, num_streams=6, rows_per_append=2)
    stop = threading.Event()
    client = thread_roles.Client(buffer, actor=0, num_streams=2, stop=stop)
    actor = roles.make_actor(agent, client)
    loop = roles.make_loop(agent, batch, actor)
    (table,) = buffer.tables.values()
    while table.can_insert(2):
        loop.step()
    inserted = table.stats().num_inserted
    ended: list[BaseException] = []

    def append() -> None:
        try:
            for _ in range(10):
                loop.step()
        except BaseException as error:  # noqa: BLE001 - looked at below.
            ended.append(error)

    thread = threading.Thread(target=append)
    thread.start()
    thread.join(0.3)
    stop.set()
    thread.join(60)
    assert not thread.is_alive()
    assert [type(error).__name__ for error in ended] == ["StoppedError"]
    assert table.stats().num_inserted == inserted


def test_what_a_thread_raises_ends_the_run(tmp_path: pathlib.Path) -> None:
    class Failing(core.Observer):
        def observe_first(self, timestep: dm_env.TimeStep) -> None:
            raise LookupError("an observer's own fault")

        def observe(self, action: Any, next_timestep: dm_env.TimeStep) -> None:
            """Never called."""

        def metrics(self, environment: int) -> dict[str, float]:
            return {}

    config = make_config(tmp_path / "run", observers=[lambda spec: Failing()])
    with pytest.raises(LookupError, match="an observer's own fault"):
        experiments.run_experiment(config)


def test_environments_that_fail_for_good_end_the_run(tmp_path: pathlib.Path) -> None:
    class Broken(Counting):
        def _step(self, action: Any) -> dm_env.TimeStep:
            raise OSError("out of order")

    config = make_config(
        tmp_path / "run",
        environment_factory=lambda *, seed, evaluation: Broken(
            seed, evaluation=evaluation
        ),
        max_environment_restarts=2,
    )
    with pytest.raises(experiments.RunError, match="failed 3 times") as caught:
        experiments.run_experiment(config)
    assert "out of order" in str(caught.value)


def test_a_loss_that_is_not_finite_ends_the_run(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def step(self: learning.Learner) -> Any:
        raise learning.NotFiniteError("Learning broke down at learner step 1.")

    monkeypatch.setattr(learning.Learner, "step", step)
    with pytest.raises(experiments.RunError, match=r"broke down.*no checkpoint yet"):
        experiments.run_experiment(make_config(tmp_path / "run"))


def test_an_actor_follows_the_learner_and_an_evaluation_keeps_its_version(
    tmp_path: pathlib.Path,
) -> None:
    """The evaluator's variables are those of the moment when it was asked."""
    experiment = threads.ThreadsExperiment(make_config(tmp_path / "run"))
    experiment.step()
    while experiment.counters.num_learner_steps < 3:
        experiment.step()
    experiment.begin_evaluation()
    (evaluation,) = experiment.take_evaluations(wait=True)
    asked = evaluation.counters.num_learner_steps
    while experiment.counters.num_learner_steps < asked + 3:
        experiment.step()
    experiment.halt()
    final = [v.numpy() for v in experiment._agent.policy.variables]
    evaluated = experiment._evaluator._pack.read()
    (now,) = experiment._learner._pack.read()
    np.testing.assert_array_equal(now, np.concatenate([v.ravel() for v in final]))
    assert (evaluated[0] != now).any()
    for actor in experiment._actors:
        assert actor._weights.num_learner_steps > asked
    experiment.close()


def test_environments_may_be_in_workers(tmp_path: pathlib.Path) -> None:
    result = experiments.run_experiment(
        make_config(
            tmp_path / "run", num_actors=2, environment_workers=1, num_actor_steps=200
        )
    )
    assert result.num_actor_steps >= 200
    assert {evaluation for evaluation, _ in Counting.shown} == {True}


def test_a_learner_on_a_device_of_its_own_has_its_batches_there(
    tmp_path: pathlib.Path,
) -> None:
    """And actors stay on the first CPU."""
    pytest.importorskip("gymnasium")
    script = pathlib.Path(__file__).with_name("placement.py")
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "run")],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
