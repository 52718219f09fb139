"""What a run's roles are made of, and what contradicts itself is refused."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import dm_env
import numpy as np
import pytest
import tensorflow as tf

from tfagents_core import acting, core, environments, experiments, replay, specs
from tfagents_core.agents import d4pg
from tfagents_core.experiments import roles

from .. import toys


class Rule(core.UpdateRule):
    """As much of a rule as has variables."""

    def __init__(self, **groups: list[tf.Variable]) -> None:
        self.variables = groups

    def update(self, batch: Any, *, seed: Any, num_steps: Any) -> core.Update:
        raise NotImplementedError


A, B, SAME_VALUE = tf.Variable(1.0), tf.Variable(2.0), tf.Variable(1.0)


def make_policy(*variables: tf.Variable) -> core.Policy:
    return acting.FeedForwardPolicy(lambda o, context: o, variables)


@pytest.mark.parametrize("variables", [[], [A], [A, B]])
def test_a_rules_policy_group_may_be_what_the_policy_reads(
    variables: list[tf.Variable],
) -> None:
    rule = Rule(policy=variables, other=[SAME_VALUE])
    roles.check_policy_variables(rule, make_policy(*variables))


@pytest.mark.parametrize(
    ("group", "read"),
    [
        ([A], [A, B]),
        ([A, B], [A]),
        ([A, B], [B, A]),
        ([A], [SAME_VALUE]),
        ([], [A]),
    ],
)
def test_a_policy_group_of_other_variables_is_refused(
    group: list[tf.Variable], read: list[tf.Variable]
) -> None:
    words = (
        rf"Rule.variables\['policy'\] has {len(group)} variables and "
        f"FeedForwardPolicy.variables {len(read)}; they must be the same variables in "
        "the same order"
    )
    with pytest.raises(ValueError, match=words):
        roles.check_policy_variables(Rule(policy=group), make_policy(*read))


def test_a_rule_without_a_policy_group_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\['policy'\] has 0 variables"):
        roles.check_policy_variables(Rule(critic=[A]), make_policy(A))


@pytest.mark.parametrize("evaluation", [False, True])
def test_both_policies_of_an_agent_are_checked_before_anything_is_written(
    evaluation: bool, tmp_path: pathlib.Path
) -> None:
    class Odd(toys.Builder):
        """One of its policies says that it reads nothing."""

        def make_policy(
            self, networks: Any, spec: Any, *, evaluation: bool
        ) -> core.Policy:
            """Of other variables, where the test wants it."""
            policy = super().make_policy(networks, spec, evaluation=evaluation)
            if evaluation is odd:
                policy.variables = ()
            return policy

    odd = evaluation
    config = make_config(Odd(toys.Config()), run_dir=tmp_path / "run")
    with pytest.raises(ValueError, match="the same variables in the same order"):
        experiments.run_experiment(config)
    assert not (tmp_path / "run").exists()


def make_config(
    builder: core.Builder[Any, Any], **changes: Any
) -> experiments.ExperimentConfig:
    defaults: dict[str, Any] = {
        "agent": "agent",
        "environment": "test",
        "builder": builder,
        "num_actor_steps": 50,
        "run_dir": pathlib.Path("unused"),
        "eval_every": 0,
        "eval_episodes": 1,
        "environment_factory": toys.make_environment,
    }
    return experiments.ExperimentConfig(**{**defaults, **changes})


class Still(dm_env.Environment):
    """As much of an environment as has specs, of continuous actions."""

    def reset(self) -> dm_env.TimeStep:
        raise NotImplementedError

    def step(self, action: Any) -> dm_env.TimeStep:
        raise NotImplementedError

    def observation_spec(self) -> specs.Array:
        return specs.Array((2,), np.float32)

    def action_spec(self) -> specs.BoundedArray:
        return specs.BoundedArray((1,), np.float32, -1, 1)


def make_d4pg(**changes: Any) -> roles.Agent:
    small: dict[str, Any] = {"policy_layer_sizes": (2,), "critic_layer_sizes": (2,)}
    builder = d4pg.D4PGBuilder(d4pg.D4PGConfig(**{**small, **changes}))
    environment = environments.make_canonical(Still(), seed=0)
    batch = environments.SerialEnvironments([environment])
    return roles.make_agent(make_config(builder), batch)


def error_buffer(agent: roles.Agent, **sizes: int) -> float | None:
    buffer = roles.make_replay(agent, **sizes)
    (table,) = buffer.tables.values()
    limiter = table.config.rate_limiter
    assert isinstance(limiter, replay.SampleToInsertRatio)
    assert (limiter.samples_per_insert, limiter.min_size) == (32, 1_000)
    return limiter.error_buffer


@pytest.mark.parametrize("num_streams", [1, 64])
def test_the_limiters_slack_does_not_follow_the_environments_of_the_whole_run(
    num_streams: int,
) -> None:
    # A tenth of the 32 * 1,000 samples that are due when sampling starts.
    slack = error_buffer(make_d4pg(), num_streams=num_streams, rows_per_append=1)
    assert slack == 3_200


@pytest.mark.parametrize(
    ("num_sgd_steps", "rows_per_append", "expected"),
    [
        (1, 64, 256 + 32 * 64 * 5),  # Each row may end an episode, with 5 items.
        (16, 1, 16 * 256 + 32 * 5),
        (16, 64, 16 * 256 + 32 * 64 * 5),
    ],
)
def test_the_limiters_slack_lets_a_learners_step_and_an_append_through(
    num_sgd_steps: int, rows_per_append: int, expected: int
) -> None:
    agent = make_d4pg(num_sgd_steps_per_step=num_sgd_steps)
    assert expected > 3_200
    slack = error_buffer(agent, num_streams=64, rows_per_append=rows_per_append)
    assert slack == expected


def test_a_slack_that_the_agent_chose_is_kept() -> None:
    agent = make_d4pg()
    (table,) = agent.plan.tables
    limiter = replay.SampleToInsertRatio(32, 1_000, error_buffer=777)
    plan = dataclasses.replace(
        agent.plan, tables=[dataclasses.replace(table, rate_limiter=limiter)]
    )
    agent = dataclasses.replace(agent, plan=plan)
    assert error_buffer(agent, num_streams=1, rows_per_append=1) == 777


def test_a_table_of_another_limiter_is_as_the_plan_has_it() -> None:
    agent = make_d4pg()
    (table,) = agent.plan.tables
    table = dataclasses.replace(table, rate_limiter=replay.MinSize(3))
    agent = dataclasses.replace(
        agent, plan=dataclasses.replace(agent.plan, tables=[table])
    )
    buffer = roles.make_replay(agent, num_streams=2, rows_per_append=2)
    (made,) = buffer.tables.values()
    assert made.config.rate_limiter == replay.MinSize(3)


@pytest.mark.parametrize(
    ("given", "expected"),
    [(1, 255 + 3 * 5), (270, 270), (5_000, 5_000)],  # A batch but one, and an append.
)
def test_a_queue_has_room_for_a_batch_and_an_append(given: int, expected: int) -> None:
    agent = make_d4pg()
    (table,) = agent.plan.tables
    queue = dataclasses.replace(
        table, sampler=replay.Fifo(), max_size=300, rate_limiter=replay.Queue(given)
    )
    plan = dataclasses.replace(agent.plan, tables=[queue])
    agent = dataclasses.replace(agent, plan=plan)
    buffer = roles.make_replay(agent, num_streams=64, rows_per_append=3)
    (made,) = buffer.tables.values()
    assert made.config.rate_limiter == replay.Queue(expected)
    assert made.config.max_size == max(300, expected)


def test_a_plan_of_batches_from_no_table_is_refused() -> None:
    plan = make_d4pg().plan
    with pytest.raises(ValueError, match=r"names \['other'\].* are \['transitions'\]"):
        dataclasses.replace(plan, batch_sizes={"other": 3})
    with pytest.raises(ValueError, match="names no table"):
        dataclasses.replace(plan, batch_sizes={})


def test_roles_have_seeds_of_their_own_that_follow_from_the_runs() -> None:
    seeds: dict[str, list[int]] = {}

    class Noting(toys.Builder):
        """Keeps the seeds that it is given."""

        def make_networks(self, spec: Any, *, seed: int) -> Any:
            """Notes."""
            seeds["networks"].append(seed)
            return super().make_networks(spec, seed=seed)

        def make_rule(self, networks: Any, spec: Any, *, seed: int) -> Any:
            """Notes."""
            seeds["rule"].append(seed)
            return super().make_rule(networks, spec, seed=seed)

        def make_actor(self, *arguments: Any, seed: int, **options: Any) -> Any:
            """Notes; there is an actor to explore and one to evaluate."""
            seeds["actor" if "adder" in options else "evaluation"].append(seed)
            return super().make_actor(*arguments, seed=seed, **options)

        def make_learner(self, *arguments: Any, seed: int) -> Any:
            """Notes."""
            seeds["learner"].append(seed)
            return super().make_learner(*arguments, seed=seed)

    names = ("networks", "rule", "actor", "evaluation", "learner")
    seeds.update({name: [] for name in names})
    for seed in (0, 0, 1):
        config = make_config(Noting(toys.Config()), seed=seed)
        experiments.InlineExperiment(config)
    for of_role in seeds.values():
        first, again, other = of_role
        assert first == again != other
    assert len({of_role[0] for of_role in seeds.values()}) == len(names)


def test_an_actor_that_plans_is_given_a_way_to_make_environments() -> None:
    made = []

    class Planning(toys.Builder):
        """Makes an environment for its actor."""

        def make_actor(
            self, *arguments: Any, environment_factory: Any, **options: Any
        ) -> Any:
            """One of the run's."""
            made.append(environment_factory(seed=7))
            return super().make_actor(
                *arguments, environment_factory=environment_factory, **options
            )

    experiments.InlineExperiment(make_config(Planning(toys.Config())))
    for environment in made:  # One for each actor.
        assert environment.reset().observation.dtype == np.float32
        assert isinstance(environment.environment.environment.environment, toys.Recall)
    assert len(made) == 2
