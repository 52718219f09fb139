"""On a Reverb server agents find the items, batches and waits of our own replay."""

from __future__ import annotations

import contextlib
import pathlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import tree

from tfagents_core import checkpointing, core, experiments, replay, seeds, testing
from tfagents_core.agents import d4pg, dqn, ppo
from tfagents_core.distributed import reverb_backend, reverb_server
from tfagents_core.experiments import roles

from . import foreign, reverb_process

pytest.importorskip("reverb", reason="Reverb is not installed: make test-reverb")

K = 2


class Reverb:
    """A server with tables, and the clients and sources made of it."""

    def __init__(self, tables: list[replay.Table], rows: Any = foreign.STEPS) -> None:
        self.rows, self.tables = rows, tables
        self.server = reverb_backend.make_server(rows, tables)
        self.address = f"localhost:{self.server.port}"

    def client(
        self, num_streams: int = K, **options: Any
    ) -> reverb_backend.ReverbClient:
        return reverb_backend.ReverbClient(
            self.address, self.rows, self.tables, num_streams=num_streams, **options
        )

    def source(self, **options: Any) -> reverb_backend.ReverbSource:
        return reverb_backend.ReverbSource(
            self.address, self.rows, self.tables, **options
        )

    def size(self, table: str) -> int:
        infos = self.server.localhost_client().server_info(10)
        return int(infos[table].current_size)


@contextlib.contextmanager
def serve(*tables: replay.Table, rows: Any = foreign.STEPS) -> Iterator[Reverb]:
    made = Reverb(list(tables), rows)
    yield made
    made.server.stop()


def queue(**changes: Any) -> replay.Table:
    """A table that gives each item once, in the order of insertion."""
    return foreign.make_table(
        **changes,
        sampler=replay.Fifo(),
        max_times_sampled=1,
        rate_limiter=replay.Queue(1000),
    )


def fill(num_ticks: int, *clients: Any, seed: int = 0) -> None:
    for rows, first, last in foreign.ticks(num_ticks, K, seed=seed):
        for client in clients:
            client.append(rows, first=first, last=last)


class TestReverbClient(testing.ReplayClientContract):
    def make_client(self, num_streams: int) -> core.ReplayClient:
        table = replay.Table(
            "t",
            pattern=replay.Sequence(1, period=1),
            outputs={"reward": replay.views.Row("reward", 0)},
            max_size=100,
            rate_limiter=replay.MinSize(1),
        )
        self._reverb = Reverb([table], self.rows)
        return self._reverb.client(num_streams)

    def count_rows(self, client: core.ReplayClient) -> int:
        return self._reverb.size("t")

    @pytest.fixture(autouse=True)
    def _stop(self) -> Iterator[None]:
        yield
        self._reverb.server.stop()


@pytest.mark.parametrize("changes", foreign.TABLES)
def test_every_item_is_that_of_our_replay_in_the_same_order(
    changes: dict[str, Any],
) -> None:
    table = queue(**changes)
    own = replay.Replay(foreign.STEPS, [table], num_streams=K)
    with serve(table) as reverb:
        fill(60, own, reverb.client())
        assert reverb.size("t") == own.tables["t"].size
        source = reverb.source(batch_sizes={"t": 5}, timeout_s=0)
        for _ in range(own.tables["t"].size // 5):
            drawn, expected = source.next(), own.tables["t"].sample(5)
            tree.map_structure(np.testing.assert_array_equal, drawn.data, expected.data)
            assert drawn.info.key.dtype == np.int64
            np.testing.assert_array_equal(drawn.info.probability, np.ones(5))
            np.testing.assert_array_equal(drawn.info.times_sampled, np.ones(5))


def test_a_refused_row_leaves_nothing_behind() -> None:
    table = queue()
    own = replay.Replay(foreign.STEPS, [table], num_streams=K)
    with serve(table) as reverb:
        client = reverb.client()
        for rows, first, last in foreign.ticks(20, K):
            for bad in (rows["reward"][:1], rows["reward"].astype(np.float64)):
                with pytest.raises(ValueError, match="the replay takes float32"):
                    client.append({**rows, "reward": bad}, first=first, last=last)
            for each in (own, client):
                each.append(rows, first=first, last=last)
        source = reverb.source(batch_sizes={"t": 20}, timeout_s=0)
        drawn, expected = source.next(), own.tables["t"].sample(20)
        tree.map_structure(np.testing.assert_array_equal, drawn.data, expected.data)


def test_several_batches_at_once_are_those_drawn_one_by_one() -> None:
    with serve(queue(time_major=True, **foreign.TABLES[4].values[0])) as reverb:
        fill(50, reverb.client())
        one = reverb.source(batch_sizes={"t": 4}, timeout_s=0)
        single = [one.next().data for _ in range(3)]
        one_by_one = tree.map_structure(lambda *a: np.stack(a), *single)
    with serve(queue(time_major=True, **foreign.TABLES[4].values[0])) as reverb:
        fill(50, reverb.client())
        many = reverb.source(batch_sizes={"t": 4}, num_batches=3, timeout_s=0).next()
        tree.map_structure(np.testing.assert_array_equal, many.data, one_by_one)
        assert many.info.key.shape == (3, 4)


def test_batches_of_several_tables_come_together() -> None:
    tables = (
        foreign.make_table("a"),
        foreign.make_table("b", **foreign.TABLES[2].values[0]),
    )
    with serve(*tables) as reverb:
        fill(20, reverb.client())
        source = reverb.source(batch_sizes={"a": 3, "b": 2}, timeout_s=0)
        batch = source.next()
        assert batch["a"].data.action.shape == (3,)
        assert batch["b"].data.action.shape == (2, 4)


def test_draws_follow_the_priorities_that_were_set() -> None:
    with serve(foreign.make_table(sampler=replay.Prioritized(0.5))) as reverb:
        fill(10, reverb.client())
        source = reverb.source(batch_sizes={"t": 200}, timeout_s=0)
        keys = np.unique(source.next().info.key)
        source.update_priorities("t", keys, np.zeros(len(keys)))
        source.update_priorities("t", keys[:2], np.array([4.0, 1.0]))
        info = source.next().info
        assert set(info.key) == set(keys[:2])
        np.testing.assert_allclose(
            info.probability, np.where(info.key == keys[0], 2 / 3, 1 / 3)
        )
        np.testing.assert_array_equal(
            info.priority, np.where(info.key == keys[0], 4.0, 1.0)
        )


def test_new_items_get_the_highest_priority_that_was_shared() -> None:
    priorities = reverb_backend.HighestPriorities()
    with serve(queue()) as reverb:
        client = reverb.client(priorities=priorities)
        source = reverb.source(batch_sizes={"t": 1}, priorities=priorities, timeout_s=0)
        fill(10, client)
        first = source.next().info
        source.update_priorities("t", first.key, np.array([7.0]))
        while source.is_ready():
            assert source.next().info.priority == [1.0]
        fill(10, reverb.client(priorities=priorities), seed=1)
        assert source.next().info.priority == [7.0]


@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf])
def test_a_priority_that_is_none_is_refused_and_nothing_is_set(bad: float) -> None:
    with serve(foreign.make_table(sampler=replay.Prioritized(1.0))) as reverb:
        fill(10, reverb.client())
        source = reverb.source(batch_sizes={"t": 50}, timeout_s=0)
        keys = np.unique(source.next().info.key)[:2]
        with pytest.raises(ValueError, match="finite and not negative"):
            source.update_priorities("t", keys, np.array([5.0, bad]))
        np.testing.assert_array_equal(source.next().info.priority, np.ones(50))


@pytest.mark.parametrize(
    "limiter",
    [
        replay.MinSize(9),
        replay.Queue(100),
        replay.SampleToInsertRatio(1.5, 10, 20.0),
    ],
)
def test_the_learner_is_told_to_wait_exactly_when_our_table_would_wait(
    limiter: replay.RateLimiter,
) -> None:
    table = foreign.make_table(rate_limiter=limiter, sampler=replay.Uniform())
    own = replay.Replay(foreign.STEPS, [table], num_streams=K)
    answers = set()
    with serve(table) as reverb:
        client = reverb.client()
        source = reverb.source(batch_sizes={"t": 4}, timeout_s=0)
        for rows, first, last in foreign.ticks(20, K):
            own.append(rows, first=first, last=last)
            client.append(rows, first=first, last=last)
            for _ in range(5):
                answers.add(own.tables["t"].can_sample(4))
                assert source.is_ready() == own.tables["t"].can_sample(4)
                if source.is_ready():
                    source.next()
                    own.tables["t"].sample(4)
    assert answers == {True, False}


def test_a_batch_that_is_not_there_is_an_error_that_says_why() -> None:
    with serve(foreign.make_table(rate_limiter=replay.MinSize(500))) as reverb:
        fill(10, reverb.client())
        source = reverb.source(batch_sizes={"t": 4}, timeout_s=0)
        words = r"learner, drawing from table 't', waited 0 s: .*sampling needs 500"
        with pytest.raises(TimeoutError, match=words):
            source.next()


def test_an_append_that_tables_refuse_is_an_error_that_says_why() -> None:
    table = foreign.make_table(rate_limiter=replay.Queue(3))
    with serve(table) as reverb:
        client = reverb.client(timeout_s=0)
        words = r"actor, adding to .*: table 't' holds 3 items .* took 3 and gave 0"
        with pytest.raises(TimeoutError, match=words):
            fill(20, client)


def test_another_servers_tables_are_refused() -> None:
    with serve(foreign.make_table("a")) as reverb:
        reverb.tables = [foreign.make_table("b")]
        for make in (reverb.client, lambda: reverb.source(batch_sizes={"b": 1})):
            with pytest.raises(
                ValueError, match=r"no table 'b'; its tables are \['a'\]"
            ):
                make()


def test_a_server_that_is_gone_is_an_error_and_no_hang(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reverb_server, "ANSWER_S", 1)
    with serve(foreign.make_table()) as reverb:
        fill(10, reverb.client())
        source = reverb.source(batch_sizes={"t": 4})
        key = source.next().info.key
    for call in (
        source.is_ready,
        source.next,
        lambda: source.update_priorities("t", key, np.ones(4)),
        reverb.client,
    ):
        with pytest.raises(ConnectionError, match="does not answer|did not answer"):
            call()


def append_value(client: core.ReplayClient, value: int) -> None:
    client.append(
        {"value": np.array([value])},
        first=np.array([value == 0]),
        last=np.zeros(1, bool),
    )


def test_actor_and_learner_reach_a_server_in_another_process_and_outlive_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reverb_server, "ANSWER_S", 2)
    command = [sys.executable, reverb_process.__file__]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            address = f"localhost:{int(process.stdout.readline())}"
            what = address, reverb_process.STEPS, [reverb_process.TABLE]
            client = reverb_backend.ReverbClient(*what, num_streams=1, timeout_s=1)
            source = reverb_backend.ReverbSource(*what, {"t": 9}, timeout_s=1)
            for value in range(20):
                append_value(client, value)
            assert source.next().data["value"].tolist() == list(range(1, 10))
        finally:
            process.kill()
    with pytest.raises(ConnectionError, match=f"{address} does not answer"):
        source.next()
    with pytest.raises(ConnectionError, match=f"{address} did not answer"):
        source._draw("t")  # As when it goes away in the middle of a draw.
    with pytest.raises(ConnectionError, match=f"{address} did not answer"):
        source.update_priorities("t", np.array([1]), np.array([1.0]))
    with pytest.raises(TimeoutError, match=f"{address} does not answer"):
        append_value(client, 20)


# A run of each kind of agent, by hand: our replay's roles with Reverb in its place.


def make_config(
    tmp_path: pathlib.Path, agent: str, builder: Any, environment: str
) -> experiments.ExperimentConfig:
    return experiments.ExperimentConfig(
        agent=agent,
        environment=environment,
        builder=builder,
        num_actor_steps=300,
        envs_per_actor=K,
        run_dir=tmp_path,
        eval_every=0,
    )


CONFIGS = {
    "dqn": (
        dqn.DQNBuilder(
            dqn.DQNConfig(layer_sizes=(16,), min_replay_size=50, max_replay_size=200)
        ),
        "gym:CartPole-v1",
    ),
    "d4pg": (
        d4pg.D4PGBuilder(
            d4pg.D4PGConfig(
                policy_layer_sizes=(16,),
                critic_layer_sizes=(16,),
                batch_size=16,
                min_replay_size=50,
                max_replay_size=1000,
                samples_per_insert=16.0,
            )
        ),
        "gym:Pendulum-v1",
    ),
    "ppo": (
        ppo.PPOBuilder(ppo.PPOConfig(unroll_length=16, num_unrolls=2)),
        "gym:CartPole-v1",
    ),
}


class Both:
    """A client that appends to two replays."""

    def __init__(self, *clients: Any) -> None:
        self._clients = clients

    def append(self, rows: Any, *, first: np.ndarray, last: np.ndarray) -> None:
        for client in self._clients:
            client.append(rows, first=first, last=last)


def train(config: experiments.ExperimentConfig) -> tuple[core.Learner, replay.Replay]:
    """300 steps as inline does them, on Reverb.

    Returns:
        The learner, and our replay of the same appends and draws.
    """
    environments = roles.make_environments(config)
    agent = roles.make_agent(config, environments)
    tables = roles.make_tables(agent, rows_per_append=K)
    own = roles.make_replay(agent, num_streams=K, rows_per_append=K)
    priorities = reverb_backend.HighestPriorities()
    with serve(*tables, rows=agent.plan.rows) as reverb:
        source = reverb.source(
            batch_sizes=agent.plan.batch_sizes, priorities=priorities, timeout_s=0
        )
        client = Both(own, reverb.client(priorities=priorities, timeout_s=0))
        learner = config.builder.make_learner(
            agent.rule, source, seed=seeds.derive(config.seed, "learner")
        )
        loop = roles.make_loop(agent, environments, roles.make_actor(agent, client))
        num_steps = 0
        while num_steps < config.num_actor_steps:
            loop.act()
            learn_while_allowed(learner, own, agent.plan)
            num_steps += loop.observe()[0]
    environments.close()
    return learner, own


def learn_while_allowed(
    learner: core.Learner, own: replay.Replay, plan: core.ReplayPlan
) -> None:
    ((name, batch_size),) = plan.batch_sizes.items()
    while learner.can_step():
        learner.step()
        own.tables[name].sample(batch_size, timeout=0)
    assert not own.tables[name].can_sample(batch_size)


@pytest.mark.parametrize("agent", CONFIGS)
def test_agents_learn_from_reverb_whenever_they_would_from_our_replay(
    agent: str, tmp_path: pathlib.Path
) -> None:
    learner, own = train(make_config(tmp_path, agent, *CONFIGS[agent]))
    assert all(np.isfinite(v.numpy()).all() for v in learner.state.values())
    (table,) = own.tables.values()
    assert table.stats().num_sampled >= 18


def test_a_queue_on_reverb_teaches_the_same_weights_as_ours(
    tmp_path: pathlib.Path,
) -> None:
    config = make_config(tmp_path, "ppo", *CONFIGS["ppo"])
    ours = experiments.InlineExperiment(config)
    while ours.counters.num_actor_steps < config.num_actor_steps:
        ours.step()
    ours.close()
    learner, _ = train(config)
    assert checkpointing.digest(learner.state) == ours.variables_sha256()
