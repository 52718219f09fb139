"""D4PG's hyper-parameters."""

from __future__ import annotations

import dataclasses
import math

from tfagents_core import learning


@dataclasses.dataclass(frozen=True)
class D4PGConfig(learning.TransitionConfig):
    """Every hyper-parameter of D4PG, with its unit and where its value is from.

    Inherited: batches of 256 and discount 0.99 (paper and Acme), 32 samples per insert
    (one update for 8 environment steps; Acme), 1,000 to 1,000,000 transitions (Acme).

    "Paper" is Barth-Maron et al. 2018, App. A; "Acme" the settings published for the
    control suite with Hoffman et al. 2020 (v2, 2022).

    Attributes:
        policy_layer_sizes: units of each hidden layer. Acme.
        critic_layer_sizes: units of each hidden layer. Acme.
        num_atoms: atoms of the return distribution. Paper and Acme: 51.
        vmin: least return, in units of reward. Acme: -150 on the control suite.
        vmax: greatest return, in units of reward. Acme: 150; the control suite's
            rewards are in [0, 1], so that no discounted return passes 100.
        n_step: environment steps a target looks ahead. Paper and Acme: 5.
        sigma: standard deviation of the exploration noise, where actions span
            [-1, 1]. Acme: 0.2 (paper: 0.3).
        policy_learning_rate: Adam's. Acme: 3e-4 (paper: 1e-4).
        critic_learning_rate: Adam's. Acme: 3e-4 (paper: 1e-4).
        target_update_period: SGD steps between copies to the targets. Paper and
            Acme: 100.
        gradient_clip_norm: each network's gradient is clipped to this global norm.
            Acme: 40.
        dqda_clip_norm: the norm of dQ/da is clipped to this; None for no limit. Acme: 1.
        jit_compile: whether XLA compiles the update: on, which takes a sixth off.
    """

    policy_layer_sizes: tuple[int, ...] = (256, 256, 256)
    critic_layer_sizes: tuple[int, ...] = (512, 512, 256)
    num_atoms: int = 51
    vmin: float = -150.0
    vmax: float = 150.0
    n_step: int = 5
    sigma: float = 0.2
    policy_learning_rate: float = 3e-4
    critic_learning_rate: float = 3e-4
    target_update_period: int = 100
    gradient_clip_norm: float = 40.0
    dqda_clip_norm: float | None = 1.0
    jit_compile: bool = True

    def __post_init__(self) -> None:
        """Refuses impossible values; raises ValueError naming the field."""
        super().__post_init__()
        learning.check_positive(
            self,
            "policy_layer_sizes",
            "critic_layer_sizes",
            "policy_learning_rate",
            "critic_learning_rate",
            "target_update_period",
            "gradient_clip_norm",
            "dqda_clip_norm",
        )
        learning.check_within(self, 0, float("inf"), "sigma")
        if self.num_atoms < 2:
            raise ValueError(f"num_atoms must be at least 2, not {self.num_atoms}.")
        if not -math.inf < self.vmin < self.vmax < math.inf:
            raise ValueError(
                "vmin must be less than vmax, and both finite, but they are "
                f"{self.vmin} and {self.vmax}."
            )
