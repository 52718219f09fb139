"""The contract of agents."""

from __future__ import annotations

import abc
import dataclasses
import pathlib
import shutil
import tempfile
from typing import Any, ClassVar

import dm_env
import numpy as np

from tfagents_core import core, datasets, experiments, specs
from tfagents_core.checkpointing import snapshots
from tfagents_core.experiments import roles
from tfagents_core.testing import policies, rules, values


class BuilderContract(policies.PolicyContract, rules.UpdateRuleContract):
    """Tests that an agent's descriptions fit together, train, and resume exactly.

    Includes the contracts of its policy and its rule. Give the agent a small replay and
    a small batch, so that it learns within `num_actor_steps`.

    Attributes:
        num_actor_steps: length of the test's runs, in environment steps.
    """

    num_actor_steps: int = 60
    _batch: ClassVar[Any]

    @abc.abstractmethod
    def make_builder(self) -> core.Builder[Any, Any]:
        """The agent, in a small configuration."""

    @abc.abstractmethod
    def make_environment(
        self, *, seed: int, evaluation: bool = False
    ) -> dm_env.Environment:
        """An environment that the agent can act in."""

    def make_spec(self) -> specs.EnvironmentSpec:
        """The specs of `make_environment`."""
        environment = self._config(pathlib.Path()).make_environment(seed=0)
        return specs.make_environment_spec(environment)

    def make_policy(self) -> core.Policy:
        """The agent's exploring policy."""
        builder, spec = self.make_builder(), self.make_spec()
        networks = builder.make_networks(spec, seed=0)
        return builder.make_policy(networks, spec, evaluation=False)

    def make_rule(self, *, seed: int = 0) -> core.UpdateRule:
        """The agent's rule."""
        builder, spec = self.make_builder(), self.make_spec()
        networks = builder.make_networks(spec, seed=seed)
        return builder.make_rule(networks, spec, seed=seed)

    def make_batch(self) -> Any:
        """A batch of the agent's own replay, filled by its own actor."""
        # Drawn once for all tests of a class: filling a replay takes a while.
        if "_batch" not in vars(type(self)):
            type(self)._batch = self._draw_batch()
        return type(self)._batch

    def _draw_batch(self) -> Any:
        config = self._config(pathlib.Path())
        size = config.envs_per_actor
        assert size is not None
        batch = roles.make_environments(config)
        agent = roles.make_agent(config, batch)
        buffer = roles.make_replay(agent, num_streams=size, rows_per_append=size)
        actor = roles.make_actor(agent, buffer)
        loop = roles.make_loop(agent, batch, actor)
        source = datasets.TableSource(
            buffer.tables, agent.plan.batch_sizes, timeout_s=0
        )
        for _ in range(self.num_actor_steps):
            if source.is_ready():
                break
            loop.step()
        assert source.is_ready(), (
            f"the replay has no batch after {self.num_actor_steps} ticks: lower the "
            "agent's min_replay_size, or raise num_actor_steps"
        )
        return source.next()

    def test_networks_follow_from_their_seed(self) -> None:
        """And from nothing else."""
        one, same, other = (self.make_rule(seed=s) for s in (0, 0, 1))
        mine, again, yours = (
            [v.numpy() for v in rule.variables["policy"]] for rule in (one, same, other)
        )
        for a, b in zip(mine, again, strict=True):
            np.testing.assert_array_equal(a, b)
        assert any((a != b).any() for a, b in zip(mine, yours, strict=True))

    def test_the_evaluation_policy_fits_the_spec(self) -> None:
        """And reads the same variables as the one that explores."""
        builder, spec = self.make_builder(), self.make_spec()
        networks = builder.make_networks(spec, seed=0)
        both = [
            builder.make_policy(networks, spec, evaluation=evaluation)
            for evaluation in (False, True)
        ]
        refs = [[v.ref() for v in policy.variables] for policy in both]
        assert refs[0] == refs[1]
        policies.check_output(both[1], spec)

    def test_the_rules_group_policy_is_what_the_policy_reads(self) -> None:
        """In the same order: actors, evaluations and snapshots depend on it."""
        builder, spec = self.make_builder(), self.make_spec()
        networks = builder.make_networks(spec, seed=0)
        policy = builder.make_policy(networks, spec, evaluation=False)
        roles.check_policy_variables(builder.make_rule(networks, spec, seed=0), policy)

    def test_a_run_resumes_exactly_and_its_snapshot_acts(self) -> None:
        """A run that was stopped ends with the variables of one that was not."""
        with tempfile.TemporaryDirectory() as directory:
            root = pathlib.Path(directory)
            config = self._config(
                root / "whole", checkpoint_every=max(1, self.num_actor_steps // 2)
            )
            whole = experiments.run_experiment(config)
            assert whole.num_learner_steps > 0
            self._check_snapshot(config)
            shutil.copytree(config.run_dir, root / "stopped")
            resumed = experiments.run_experiment(_rewind(root / "stopped", config))
            assert resumed.variables_sha256 == whole.variables_sha256
            assert resumed.episode_returns == whole.episode_returns

    def _check_snapshot(self, config: experiments.ExperimentConfig) -> None:
        (path,) = (config.run_dir / "snapshots").iterdir()
        own = config.make_environment(seed=0).environment.action_spec()
        policy = snapshots.SnapshotPolicy(snapshots.load(path))
        output = policies.call(policy, self.make_spec(), 2)
        values.check_fits(own, output.action, batch=(2,))

    def _config(
        self, run_dir: pathlib.Path, **options: Any
    ) -> experiments.ExperimentConfig:
        return experiments.ExperimentConfig(
            agent="agent",
            environment="environment",
            builder=self.make_builder(),
            num_actor_steps=self.num_actor_steps,
            run_dir=run_dir,
            eval_every=0,
            eval_episodes=1,
            environment_factory=self.make_environment,
            **options,
        )


def _rewind(
    run_dir: pathlib.Path, config: experiments.ExperimentConfig
) -> experiments.ExperimentConfig:
    """The run as it is on disk if it was killed after its last checkpoint but one."""
    (run_dir / "result.json").unlink()
    *_, last = sorted((run_dir / "checkpoints").iterdir())
    shutil.rmtree(last)
    return dataclasses.replace(config, run_dir=run_dir)
