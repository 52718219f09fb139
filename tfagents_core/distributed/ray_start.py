"""How the parts of a run begin as Ray actors."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import ray

from tfagents_core import core, replay, seeds
from tfagents_core.distributed import ray_cluster, ray_roles, ray_shards
from tfagents_core.experiments import config as experiment_config
from tfagents_core.experiments import memory, roles

_THREADS = {"concurrency_groups": ray_roles.THREADS}


def plan_shard(agent: roles.Agent) -> tuple[list[replay.Table], str]:
    """The tables of one shard, which holds its part, and what it will take in words.

    Raises:
        ValueError: they do not fit together, or would outgrow the memory.
    """
    num_shards = agent.config.num_replay_shards
    part = [_divide(table, num_shards) for table in agent.plan.tables]
    plan = dataclasses.replace(agent.plan, tables=part)
    with roles.make_replay(
        dataclasses.replace(agent, plan=plan),
        num_streams=1,
        rows_per_append=ray_roles.CHUNK_TICKS,
    ) as buffer:
        words = memory.check_replay(buffer)
        tables = [handle.config for handle in buffer.tables.values()]
    return tables, words + (f" in each of {num_shards} shards" * (num_shards > 1))


def _divide(table: replay.Table, num_shards: int) -> replay.Table:
    """A shard's part of a table: of its size, and of the items it waits for."""
    limiter = table.rate_limiter
    if isinstance(limiter, (replay.MinSize, replay.SampleToInsertRatio)):
        least = math.ceil(limiter.min_size / num_shards)
        limiter = dataclasses.replace(limiter, min_size=least)
    size = math.ceil(table.max_size / num_shards)
    return dataclasses.replace(table, max_size=size, rate_limiter=limiter)


def start_shard(
    config: experiment_config.ExperimentConfig,
    plan: core.ReplayPlan,
    tables: Sequence[replay.Table],
    *,
    index: int,
) -> Any:
    """Starts a shard of the replay; what is in its directory is its beginning.

    Args:
        config: the run.
        plan: what is stored.
        tables: of `plan_shard`.
        index: of the shard, in `[0, num_replay_shards)`.
    """
    # Actor i writes to shard i % num_replay_shards.
    num_actors = math.ceil((config.num_actors - index) / config.num_replay_shards)
    num_updates = config.builder.config.num_sgd_steps_per_step
    assert config.envs_per_actor is not None  # The config filled it in.
    return ray_shards.start(
        plan.rows,
        tables,
        options={
            "num_streams": num_actors * config.envs_per_actor,
            "rows_per_append": ray_roles.CHUNK_TICKS,
            "seed": seeds.derive(config.seed, "replay", index),
            "shard": index,
        },
        directory=config.run_dir.absolute() / "replay" / f"shard-{index}",
        batch_sizes={k: n * num_updates for k, n in plan.batch_sizes.items()},
    )


def start_learner(
    config: experiment_config.ExperimentConfig,
    *,
    shards: Sequence[ray_shards.RayShard],
    state: Mapping[str, np.ndarray] | None,
    num_gpus: int,
) -> Any:
    """Starts a `ray_roles.LearnerRole`, on a GPU of the cluster if it has any."""
    role = ray.remote(**ray_cluster.learner_options(num_gpus), **_THREADS)
    return role(ray_roles.LearnerRole).remote(config, shards=shards, state=state)


def start_actor(
    config: experiment_config.ExperimentConfig,
    *,
    index: int,
    life: int,
    num_steps: int,
    shard: ray_shards.RayShard,
) -> Any:
    """Starts a `ray_roles.ActorRole`, apart from the others."""
    role = ray.remote(**ray_cluster.cpu_options(num_cpus=1, spread=True), **_THREADS)
    return role(ray_roles.ActorRole).remote(
        config, index=index, life=life, num_steps=num_steps, shard=shard
    )


def start_evaluator(config: experiment_config.ExperimentConfig) -> Any:
    """Starts a `ray_roles.EvaluatorRole`."""
    role = ray.remote(**ray_cluster.cpu_options(num_cpus=0), **_THREADS)
    return role(ray_roles.EvaluatorRole).remote(config)
