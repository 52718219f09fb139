"""The parts of a run, each built from an agent's descriptions.

A launcher decides what runs where; here is what each role is made of: the replay, the
actor, the learner and the evaluator. Every random choice of a role follows from the
run's seed and the role's name.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import dm_env

from tfagents_core import (
    core,
    datasets,
    environment_loop,
    learning,
    replay,
    seeds,
    specs,
)
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


def make_agent(
    config: experiment_config.ExperimentConfig, environment: dm_env.Environment
) -> Agent:
    """Builds the descriptions.

    Args:
        config: the run.
        environment: one of the run's, as `ExperimentConfig.make_environment` makes it.

    Raises:
        ValueError: the agent cannot act in the environment, its descriptions
            contradict each other, or the learner's devices are not there or cannot
            share its batches.
    """
    builder, seed = config.builder, config.seed
    spec = specs.make_environment_spec(environment)
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
        own_actions=environment.environment.action_spec(),
        networks=networks,
        policy=policy,
        evaluation_policy=evaluation_policy,
        rule=rule,
        plan=plan,
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
    plan = agent.plan
    num_updates = agent.config.builder.config.num_sgd_steps_per_step
    tables = [
        _with_slack(
            table,
            batch_size=plan.batch_sizes.get(table.name, 1) * num_updates,
            rows_per_append=rows_per_append,
        )
        for table in plan.tables
    ]
    return replay.Replay(
        plan.rows,
        tables,
        num_streams=num_streams,
        rows_per_append=rows_per_append,
        seed=seeds.derive(agent.config.seed, "replay"),
    )


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


def make_learner(
    agent: Agent, buffer: replay.Replay, *, timeout_s: float | None
) -> core.Learner:
    """The learner, which samples `buffer`.

    Args:
        agent: the descriptions.
        buffer: of `make_replay`.
        timeout_s: longest wait for a batch, in seconds; None waits for ever.
    """
    builder = agent.config.builder
    source = datasets.TableSource(
        buffer.tables,
        agent.plan.batch_sizes,
        num_batches=builder.config.num_sgd_steps_per_step,
        timeout_s=timeout_s,
    )
    return builder.make_learner(
        agent.rule, source, seed=seeds.derive(agent.config.seed, "learner")
    )


def make_actor(agent: Agent, client: core.ReplayClient) -> core.Actor:
    """The actor that explores and fills the replay behind `client`."""
    config = agent.config
    adder = config.builder.make_adder(agent.spec, client, plan=agent.plan)
    return config.builder.make_actor(
        agent.policy,
        agent.spec,
        seed=seeds.derive(config.seed, "actor"),
        environment_factory=config.make_environment,
        adder=adder,
    )


def make_loop(
    agent: Agent, environments: list[dm_env.Environment], actor: core.Actor
) -> environment_loop.EnvironmentLoop:
    """The loop in which `actor` trains."""
    observers = [make(agent.spec) for make in agent.config.observers]
    return environment_loop.EnvironmentLoop(environments, actor, observers=observers)


def make_evaluator(agent: Agent) -> evaluator.Evaluator:
    """The evaluator of the run."""
    config = agent.config
    actor = config.builder.make_actor(
        agent.evaluation_policy,
        agent.spec,
        seed=seeds.derive(config.seed, "evaluation"),
        environment_factory=config.make_environment,
    )
    return evaluator.Evaluator(
        actor,
        lambda: evaluator.make_environments(
            config.make_environment, config.eval_episodes, seed=config.seed
        ),
        num_episodes=config.eval_episodes,
    )
