"""D4PG's hyper-parameters."""

from __future__ import annotations

import dataclasses
import math

from tfagents_core import checks


@dataclasses.dataclass(frozen=True)
class D4PGConfig:
    """Every hyper-parameter of D4PG, with its unit and where its value is from.

    "Paper" is Barth-Maron et al. 2018, App. A; "Acme" the settings published for the
    control suite with Hoffman et al. 2020 (v2, 2022).

    Attributes:
        policy_layer_sizes: units of each hidden layer. Acme.
        critic_layer_sizes: units of each hidden layer. Acme.
        num_atoms: atoms of the return distribution. Paper and Acme: 51.
        vmin: least return, in units of reward. Acme: -150 on the control suite.
        vmax: greatest return, in units of reward. Acme: 150; the control suite's
            rewards are in [0, 1], so that no discounted return passes 100.
        discount: gamma, per environment step. Paper and Acme: 0.99.
        n_step: environment steps a target looks ahead. Paper and Acme: 5.
        sigma: standard deviation of the exploration noise, where actions span
            [-1, 1]. Acme: 0.2 (paper: 0.3).
        batch_size: transitions in an SGD step. Paper and Acme: 256.
        samples_per_insert: times each transition is sampled on average; with 256 a
            batch, 32 is one SGD step for 8 environment steps. Acme: 32.
        min_replay_size: transitions before learning begins. Acme: 1,000.
        max_replay_size: transitions kept. Paper and Acme: 1,000,000.
        policy_learning_rate: Adam's. Acme: 3e-4 (paper: 1e-4).
        critic_learning_rate: Adam's. Acme: 3e-4 (paper: 1e-4).
        target_update_period: SGD steps between copies to the targets. Paper and
            Acme: 100.
        gradient_clip_norm: longest global norm of either network's gradient. Acme: 40.
        dqda_clip_norm: longest slope of the value in the action; None for no limit.
            Acme: 1.
        num_sgd_steps_per_step: SGD steps in one call of the learner, on batches drawn
            together; more cost fewer calls of TensorFlow, but act a little later on
            what was learned. Ours.
        jit_compile: whether XLA compiles the update: a second or two at the start, then
            a seventh of a step less (docs/performance.md). Ours.
    """

    policy_layer_sizes: tuple[int, ...] = (256, 256, 256)
    critic_layer_sizes: tuple[int, ...] = (512, 512, 256)
    num_atoms: int = 51
    vmin: float = -150.0
    vmax: float = 150.0
    discount: float = 0.99
    n_step: int = 5
    sigma: float = 0.2
    batch_size: int = 256
    samples_per_insert: float = 32.0
    min_replay_size: int = 1_000
    max_replay_size: int = 1_000_000
    policy_learning_rate: float = 3e-4
    critic_learning_rate: float = 3e-4
    target_update_period: int = 100
    gradient_clip_norm: float = 40.0
    dqda_clip_norm: float | None = 1.0
    num_sgd_steps_per_step: int = 1
    jit_compile: bool = True

    def __post_init__(self) -> None:
        """Refuses impossible values; raises ValueError naming the field."""
        checks.check_replay(self)
        checks.check_positive(
            self,
            "policy_layer_sizes",
            "critic_layer_sizes",
            "n_step",
            "policy_learning_rate",
            "critic_learning_rate",
            "target_update_period",
            "gradient_clip_norm",
            "dqda_clip_norm",
            "num_sgd_steps_per_step",
        )
        checks.check_within(self, 0, 1, "discount")
        checks.check_within(self, 0, float("inf"), "sigma")
        if self.num_atoms < 2:
            raise ValueError(f"num_atoms must be at least 2, not {self.num_atoms}.")
        if not -math.inf < self.vmin < self.vmax < math.inf:
            raise ValueError(
                "vmin must be less than vmax, and both finite, but they are "
                f"{self.vmin} and {self.vmax}."
            )
