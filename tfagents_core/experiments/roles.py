"""The parts of a run, each built from an agent's descriptions.

A launcher decides what runs where; here is what each role is made of: the replay, the
actor, the learner and the evaluator. Every random choice of a role follows from the
run's seed and the role's name.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

from tfagents_core import (
    core,
    datasets,
    environment_loop,
    environments,
    learning,
    replay,
    seeds,
    specs,
)
from tfagents_core.checkpointing import snapshots
from tfagents_core.experiments import config as experiment_config
from tfagents_core.experiments import evaluator


@dataclasses.dataclass(frozen=True)
class Agent:
    """An agent's descriptions for the environments of one run.

    Attributes:
        config: the run.
        spec: the environments' specs.
        own_actions: spec of the task's own actions, before they are made canonical.
        networks: with variables created.
        policy: explores.
        evaluation_policy: plays its best.
        rule: how the agent learns.
        plan: what its replay holds.
    """

    config: experiment_config.ExperimentConfig
    spec: specs.EnvironmentSpec
    own_actions: Any
    networks: Any
    policy: core.Policy
    evaluation_policy: core.Policy
    rule: core.UpdateRule
    plan: core.ReplayPlan


def make_environments(
    config: experiment_config.ExperimentConfig, *, actor: int = 0
) -> environments.BatchedEnvironment:
    """The environments in which an actor trains.

    Args:
        config: the run.
        actor: the actor's index, in `[0, num_actors)`.

    Raises:
        EnvironmentFailedError: one could not be made in a worker, or there is no Ray
            cluster at the config's address.
        ValueError: the Ray cluster has fewer CPUs than there are workers.
        ImportError: the workers are to be on Ray, which is not installed.
    """
    assert config.envs_per_actor is not None  # The config filled it in.
    make = environments.TrainingEnvironments(
        config.make_environment, config.seed, first=actor * config.envs_per_actor
    )
    if config.environment_workers == 0:
        made = [make(index) for index in range(config.envs_per_actor)]
        return environments.SerialEnvironments(
            made, make=make, max_restarts=config.max_environment_restarts
        )
    options: dict[str, Any] = {
        "num_environments": config.envs_per_actor,
        "num_workers": config.environment_workers,
        "timeout_s": config.environment_timeout_s,
        "max_restarts": config.max_environment_restarts,
    }
    # The ray launcher's actors are spread over the cluster, with workers beside them.
    if config.ray_address is None or config.launcher == "ray":
        return environments.WorkerEnvironments(make, **options)
    from tfagents_core.distributed import ray_environments

    return ray_environments.RayEnvironments(
        make,
        address=config.ray_address,
        num_cpus=config.num_actors * config.environment_workers,
        **options,
    )


def make_agent(
    config: experiment_config.ExperimentConfig, batch: environments.BatchedEnvironment
) -> Agent:
    """Builds the descriptions.

    Args:
        config: the run.
        batch: environments of the run.

    Raises:
        ValueError: the agent cannot act in the environment, its descriptions
            contradict each other, or the learner's devices are not there or cannot
            share its batches.
    """
    builder, seed, spec = config.builder, config.seed, batch.spec
    builder.check(spec)
    with learning.on_devices(config.learner_devices):
        networks = builder.make_networks(spec, seed=seeds.derive(seed, "networks"))
        policy = builder.make_policy(networks, spec, evaluation=False)
        evaluation_policy = builder.make_policy(networks, spec, evaluation=True)
        rule = builder.make_rule(networks, spec, seed=seeds.derive(seed, "rule"))
        plan = builder.plan_replay(spec, policy.extras_spec)
        learning.check_batch_sizes(plan.batch_sizes)
    check_policy_variables(rule, policy)
    check_policy_variables(rule, evaluation_policy)
    return Agent(
        config=config,
        spec=spec,
        own_actions=batch.own_actions,
        networks=networks,
        policy=policy,
        evaluation_policy=evaluation_policy,
        rule=rule,
        plan=plan,
    )


def copy_policies(agent: Agent) -> Agent:
    """The same descriptions, with networks and policies of their own.

    For whoever acts while the learner changes the agent's variables. The copies' begin
    with the values of the run's seed.
    """
    builder, config = agent.config.builder, agent.config
    seed = seeds.derive(config.seed, "networks")
    networks = builder.make_networks(agent.spec, seed=seed)
    return dataclasses.replace(
        agent,
        networks=networks,
        policy=builder.make_policy(networks, agent.spec, evaluation=False),
        evaluation_policy=builder.make_policy(networks, agent.spec, evaluation=True),
    )


def check_policy_variables(rule: core.UpdateRule, policy: core.Policy) -> None:
    """Makes sure that the rule's group "policy" is what the policy reads.

    Raises:
        ValueError: it is not.
    """
    group = rule.variables.get("policy", ())
    if [v.ref() for v in group] != [v.ref() for v in policy.variables]:
        raise ValueError(
            f"{type(rule).__name__}.variables['policy'] has {len(group)} variables and "
            f"{type(policy).__name__}.variables {len(policy.variables)}; they must be "
            "the same variables in the same order, so that actors fetch, evaluations "
            "restore and snapshots keep what the policy reads."
        )


def make_replay(
    agent: Agent, *, num_streams: int, rows_per_append: int
) -> replay.Replay:
    """The replay of the plan.

    Args:
        agent: the descriptions.
        num_streams: environments of the whole run.
        rows_per_append: environments that one actor steps together. The slack of rate
            limiters follows from it, and not from `num_streams`: an append must fit.
    """
    return replay.Replay(
        agent.plan.rows,
        make_tables(agent, rows_per_append=rows_per_append),
        num_streams=num_streams,
        rows_per_append=rows_per_append,
        seed=seeds.derive(agent.config.seed, "replay"),
    )


def make_tables(agent: Agent, *, rows_per_append: int) -> list[replay.Table]:
    """The plan's tables, with whatever their rate limiters left open.

    Args:
        agent: the descriptions.
        rows_per_append: environments that one actor steps together.
    """
    plan = agent.plan
    num_updates = agent.config.builder.config.num_sgd_steps_per_step
    return [
        _with_slack(
            table,
            batch_size=plan.batch_sizes.get(table.name, 1) * num_updates,
            rows_per_append=rows_per_append,
        )
        for table in plan.tables
    ]


def _with_slack(
    table: replay.Table, *, batch_size: int, rows_per_append: int
) -> replay.Table:
    """`table` with room for whole batches and whole appends in its rate limiter.

    That is the error buffer that a `replay.SampleToInsertRatio` leaves open, and the
    size of a `replay.Queue` where it is too small: with one item less than a batch
    waiting, a whole append must fit, or neither side could go on.
    """
    limiter = table.rate_limiter
    items_per_row = table.pattern.max_items_per_row if table.pattern else 1
    max_inserts = rows_per_append * items_per_row
    if isinstance(limiter, replay.Queue):
        size = max(limiter.size, batch_size - 1 + max_inserts)
        return dataclasses.replace(
            table,
            max_size=max(table.max_size, size),
            rate_limiter=replay.Queue(size),
        )
    if not isinstance(limiter, replay.SampleToInsertRatio):
        return table
    if limiter.error_buffer is not None:
        return table
    return dataclasses.replace(
        table,
        rate_limiter=replay.SampleToInsertRatio.for_batches(
            limiter.samples_per_insert,
            limiter.min_size,
            batch_size=batch_size,
            max_inserts=max_inserts,
        ),
    )


def make_source(
    agent: Agent, buffer: replay.Replay, *, timeout_s: float | None
) -> core.BatchSource:
    """Where a learner beside the replay draws its batches.

    Args:
        agent: the descriptions.
        buffer: of `make_replay`.
        timeout_s: longest wait for a batch, in seconds; None waits for ever.
    """
    return datasets.TableSource(
        buffer.tables,
        agent.plan.batch_sizes,
        num_batches=agent.config.builder.config.num_sgd_steps_per_step,
        timeout_s=timeout_s,
    )


def make_learner(agent: Agent, source: core.BatchSource) -> core.Learner:
    """The learner, which draws its batches from `source`."""
    return agent.config.builder.make_learner(
        agent.rule, source, seed=seeds.derive(agent.config.seed, "learner")
    )


def make_actor(
    agent: Agent,
    client: core.ReplayClient,
    *,
    actor: int = 0,
    variable_client: core.VariableClient | None = None,
) -> core.Actor:
    """The actor that explores and fills the replay behind `client`.

    Args:
        agent: the descriptions.
        client: where rows go.
        actor: its index, in `[0, num_actors)`.
        variable_client: fetches newer variables; None where the actor shares them with
            the learner.
    """
    config = agent.config
    assert config.envs_per_actor is not None  # The config filled it in.
    first = actor * config.envs_per_actor
    return config.builder.make_actor(
        agent.policy,
        agent.spec,
        seed=seeds.derive(config.seed, "actor", actor),
        environment_factory=config.make_environment,
        adder=config.builder.make_adder(agent.spec, client, plan=agent.plan),
        variable_client=variable_client,
        streams=list(range(first, first + config.envs_per_actor)),
        num_streams=config.num_actors * config.envs_per_actor,
    )


def make_loop(
    agent: Agent, batch: environments.BatchedEnvironment, actor: core.Actor
) -> environment_loop.EnvironmentLoop:
    """The loop in which `actor` trains."""
    observers = [make(agent.spec) for make in agent.config.observers]
    return environment_loop.EnvironmentLoop(batch, actor, observers=observers)


def make_evaluator(
    agent: Agent, *, observers: Sequence[core.Observer] = ()
) -> evaluator.Evaluator:
    """The evaluator of the run; `observers` see every step of its episodes."""
    config = agent.config
    for place in config.also_evaluate:
        _check_place(agent, place)
    actor = config.builder.make_actor(
        agent.evaluation_policy,
        agent.spec,
        seed=seeds.derive(config.seed, "evaluation"),
        environment_factory=config.make_environment,
    )
    return evaluator.Evaluator(
        actor,
        lambda place: evaluator.make_environments(
            config.make_environment if place is None else environments.Factory(place),
            config.eval_episodes,
            seed=config.seed,
        ),
        num_episodes=config.eval_episodes,
        elsewhere=config.also_evaluate,
        observers=observers,
    )


def _check_place(agent: Agent, place: str) -> None:
    """Refuses an environment to evaluate in that differs in more than its dynamics."""
    made = environments.make(place, seed=agent.config.seed, evaluation=True)
    spec = specs.make_environment_spec(made)
    made.close()
    for what, theirs, ours in (
        ("observations", spec.observations, agent.spec.observations),
        ("actions", spec.actions, agent.spec.actions),
    ):
        if theirs != ours:
            raise ValueError(
                f"The policy cannot be evaluated in {place}: its {what} are "
                f"{specs.describe(theirs)}, and those of training "
                f"{specs.describe(ours)}."
            )


def write_snapshot(agent: Agent, path: pathlib.Path, *, num_actor_steps: int) -> None:
    """Writes the present policy as a SavedModel: see `checkpointing.snapshots`.

    Raises:
        OSError: it cannot be written.
    """
    config = agent.config
    snapshots.write(
        path,
        agent.evaluation_policy,
        observations=agent.spec.observations,
        actions=agent.own_actions,
        origin=snapshots.Origin(
            agent=config.agent,
            environment=config.environment,
            seed=config.seed,
            num_actor_steps=num_actor_steps,
        ),
    )
