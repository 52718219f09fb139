"""Actors, learner and evaluator as threads of one process."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import queue
import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import dm_env
import numpy as np
import tensorflow as tf

from tfagents_core import core, environments, replay, types
from tfagents_core.distributed import supervision, weights
from tfagents_core.experiments import counting, experiment, roles

_T = TypeVar("_T")
_SLICE_S = 0.1  # Longest that a thread does not look whether the run stops.
_APPEND_TIMEOUT_S = 1800.0
_REQUEST_TIMEOUT_S = 600.0
_CPU = "CPU:0"


class Crew:
    """The threads of a run, of which the first to fail ends the run. Thread-safe.

    Attributes:
        stop: set when the run stops, for whatever reason.
    """

    def __init__(self) -> None:
        self.stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._failure: BaseException | None = None

    def start(self, name: str, work: Callable[[], None]) -> None:
        """Begins a thread that does `work`, which must return soon after `stop`."""
        thread = threading.Thread(target=self._run, args=[work], name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        except supervision.StoppedError:
            pass
        except BaseException as error:  # noqa: BLE001 - raised again by `check`.
            self._failure = self._failure or error
            self.stop.set()

    def check(self) -> None:
        """Raises what the first thread to fail raised, with its traceback."""
        if self._failure is not None:
            raise self._failure

    def join(self, timeout_s: float) -> None:
        """Waits for the ends of all threads.

        Raises:
            TimeoutError: some go on; the message names them.
        """
        for thread in self._threads:
            thread.join(timeout_s)
        left = [thread.name for thread in self._threads if thread.is_alive()]
        if left:
            raise TimeoutError(
                f"{' and '.join(left)} did not end within {timeout_s:g} s of being told to"
            )


class Client:
    """Appends an actor's rows, and waits while the rate limiter has it wait.

    Args:
        buffer: the replay.
        actor: the actor's index.
        num_streams: the actor's environments, K.
        stop: set when the run stops.
    """

    def __init__(
        self,
        buffer: replay.Replay,
        *,
        actor: int,
        num_streams: int,
        stop: threading.Event,
    ) -> None:
        self._buffer = buffer
        self._name = f"Actor {actor}"
        self._streams = np.arange(actor * num_streams, (actor + 1) * num_streams)
        self._stop = stop

    def append(
        self, rows: types.NestedArray, *, first: np.ndarray, last: np.ndarray
    ) -> None:
        """Appends one row to each of the actor's streams.

        Raises:
            StoppedError: the run stops; nothing was appended.
            TimeoutError: the wait was too long; it says why.
        """
        wait = supervision.Wait(
            self._name, timeout_s=_APPEND_TIMEOUT_S, stop=self._stop
        )
        while True:
            try:
                self._buffer.append(
                    rows,
                    first=first,
                    last=last,
                    streams=self._streams,
                    timeout=_SLICE_S,
                )
            except TimeoutError as error:
                wait.check(str(error))
            else:
                return


class ActorRole:
    """Acts in environments of its own, until the run has its steps.

    Args:
        agent: descriptions whose policy is this actor's alone.
        batch: its environments.
        buffer: the replay.
        index: the actor's.
        store: where new variables come from.
        report: takes the steps and episodes of every tick; returns whether the run
            needs more.
        stop: set when the run stops.
    """

    def __init__(
        self,
        agent: roles.Agent,
        batch: environments.BatchedEnvironment,
        buffer: replay.Replay,
        *,
        index: int,
        store: weights.WeightStore,
        report: Callable[[int, list[types.Episode]], bool],
        stop: threading.Event,
    ) -> None:
        self.batch = batch
        self._first = index * batch.num_environments
        self._weights = weights.WeightsClient(
            store, agent.policy.variables, update_period=1
        )
        client = Client(
            buffer, actor=index, num_streams=batch.num_environments, stop=stop
        )
        self.actor = roles.make_actor(
            agent, client, actor=index, variable_client=self._weights
        )
        self.loop = roles.make_loop(agent, batch, self.actor)
        self._report = report
        self._stop = stop

    def run(self) -> None:
        """Acts; small networks are fastest on the CPU, and the GPU is the learner's."""
        with tf.device(_CPU):
            self._weights.wait(stop=self._stop)
            while not self._stop.is_set():
                num_steps, ended = self.loop.step()
                if not self._report(num_steps, [self._renumber(e) for e in ended]):
                    return

    def _renumber(self, episode: types.Episode) -> types.Episode:
        """With the environment's index among all of the run."""
        index = self._first + episode.environment
        return dataclasses.replace(episode, environment=index)

    def state(self) -> dict[str, np.ndarray]:
        """What actors of a resumed run begin with: they begin new episodes."""
        kept = {k: v for k, v in self.actor.state().items() if k in _KEPT}
        return {**kept, "episode_numbers": np.array(self.batch.episode_numbers)}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Begins where a `state` was."""
        self.batch.continue_after(state["episode_numbers"].tolist())
        self.actor.restore({k: v for k, v in state.items() if k in _KEPT})


# Of an actor's state: not what its policy remembers of an episode.
_KEPT = frozenset({"seed", "num_steps"})


class LearnerRole:
    """Learns whenever the replay has a batch, and publishes what it has learned.

    Args:
        learner: learns.
        wait: waits a fraction of a second for a batch.
        is_over: whether there will be no more batches.
        variables: those that policies read.
        store: takes them.
        counters: the run's, of which it counts the learner's steps.

    Attributes:
        metrics: of the newest step; whoever takes them puts an empty dictionary there.
    """

    def __init__(
        self,
        learner: core.Learner,
        *,
        wait: Callable[[], None],
        is_over: Callable[[], bool],
        variables: list[tf.Variable],
        store: weights.WeightStore,
        counters: counting.Counters,
    ) -> None:
        self.learner = learner
        self._wait = wait
        self._is_over = is_over
        self._pack = weights.VariablePack(variables)
        self._store = store
        self._counters = counters
        self._requests: queue.SimpleQueue[
            tuple[Callable[[], Any], concurrent.futures.Future[Any]]
        ] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._is_running = False
        self.metrics: Mapping[str, Any] = {}

    def run(self) -> None:
        """Learns until the run stops, and no step is due any more."""
        with self._lock:
            self._is_running = True
        try:
            self.publish()
            while not self._is_over():
                self._answer_requests()
                if self.learner.can_step():
                    self._step()
                else:
                    self._wait()
        finally:
            with self._lock:
                self._is_running = False
            self._answer_requests()

    def _step(self) -> None:
        self.metrics = self.learner.step()
        self._counters.num_learner_steps += self.learner.num_sgd_steps_per_step
        # Reading the variables costs time, so they are read when somebody wants them.
        if self._store.is_wanted:
            self.publish()

    def publish(self) -> weights.Weights:
        """Gives out the present variables; for the learner's own thread."""
        steps = self._counters.num_learner_steps
        newest = self._store.fetch(0)
        if newest is None or newest.num_learner_steps != steps:
            self._store.publish(self._pack.read(), steps)
        newest = self._store.fetch(0)
        assert newest is not None
        return newest

    def between_steps(self, function: Callable[[], _T]) -> _T:
        """Calls `function` in the learner's thread, while no step is under way.

        Raises:
            TimeoutError: a step took too long.
        """
        future: concurrent.futures.Future[_T] = concurrent.futures.Future()
        with self._lock:
            if self._is_running:
                self._requests.put((function, future))
            else:
                return function()
        try:
            return future.result(_REQUEST_TIMEOUT_S)
        except concurrent.futures.TimeoutError as error:
            raise TimeoutError(
                f"The learner's step has taken {_REQUEST_TIMEOUT_S:g} s."
            ) from error

    def _answer_requests(self) -> None:
        while not self._requests.empty():
            function, future = self._requests.get()
            try:
                future.set_result(function())
            except Exception as error:  # noqa: BLE001 - it is the caller's.
                future.set_exception(error)


class EvaluatorRole:
    """Evaluates one version of the policy after another, beside training.

    Args:
        agent: descriptions whose evaluation policy is the evaluator's alone.
        stop: set when the run is interrupted: an evaluation under way is then given up.
    """

    def __init__(self, agent: roles.Agent, *, stop: threading.Event) -> None:
        self._evaluator = roles.make_evaluator(agent, observers=[_Stopping(stop)])
        self._pack = weights.VariablePack(agent.evaluation_policy.variables)
        self._stop = stop
        self._asked: queue.Queue[tuple[weights.Weights, counting.Counters]] = (
            queue.Queue()
        )
        self.finished: queue.SimpleQueue[experiment.Evaluation] = queue.SimpleQueue()
        self._state = self._evaluator.state()

    def ask(self, newest: weights.Weights, counters: counting.Counters) -> None:
        """Has these weights evaluated, after those that were asked for before."""
        self._asked.put((newest, dataclasses.replace(counters)))

    @property
    def num_unfinished(self) -> int:
        """Evaluations that were asked for and are not finished."""
        return self._asked.unfinished_tasks

    def run(self) -> None:
        """Evaluates until the run is interrupted."""
        with tf.device(_CPU):
            while not self._stop.is_set():
                try:
                    newest, counters = self._asked.get(timeout=_SLICE_S)
                except queue.Empty:
                    continue
                self._pack.write(newest.arrays)
                played = self._evaluator.run()
                self._state = self._evaluator.state()
                self.finished.put(experiment.Evaluation(played, counters))
                self._asked.task_done()

    def state(self) -> dict[str, np.ndarray]:
        """Of the time after the newest finished evaluation."""
        return self._state

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Resumes from a `state`."""
        self._evaluator.restore(state)
        self._state = self._evaluator.state()


class _Stopping(core.Observer):
    """Ends an evaluation when the run is interrupted."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop

    def observe_first(self, timestep: dm_env.TimeStep) -> None:
        """Nothing has been done yet."""

    def observe(self, action: Any, next_timestep: dm_env.TimeStep) -> None:
        """Raises `StoppedError` if the run is interrupted."""
        if self._stop.is_set():
            raise supervision.StoppedError("The run stops.")

    def metrics(self, environment: int) -> Mapping[str, float]:
        """None."""
        return {}
