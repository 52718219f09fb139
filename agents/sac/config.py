"""SAC's hyper-parameters."""

from __future__ import annotations

import dataclasses
import math

from tfagents_core import learning


@dataclasses.dataclass(frozen=True)
class SACConfig(learning.TransitionConfig):
    """Every hyper-parameter of SAC, with its unit and where its value is from.

    Inherited: batches of 256, discount 0.99 and 1,000,000 transitions (paper), 1,000
    transitions before learning begins (code). One-step targets (paper); with more
    steps, the entropy bonus of the steps between is left out.

    "Paper" is Haarnoja et al. 2018, https://arxiv.org/abs/1812.05905, Table 1; "code"
    is what its authors published with it, https://github.com/rail-berkeley/softlearning.

    Attributes:
        policy_layer_sizes: units of each hidden layer. Paper: two of 256.
        critic_layer_sizes: units of each hidden layer of both critics. Paper: two of
            256.
        samples_per_insert: times each transition is sampled on average. Paper: one
            update for each environment step, which is `batch_size` of it.
        learning_rate: Adam's, for the policy and the critics. Paper: 3e-4.
        temperature_learning_rate: Adam's, for the logarithm of the temperature; 0 keeps
            the temperature as it is. Paper: 3e-4.
        initial_temperature: alpha at the start, in units of reward per nat. Code: 1.
        target_entropy: entropy that the temperature is adjusted to, in nats; None for
            minus the dimension of an action. Paper: None.
        tau: step size of the target critics, per update. Paper: 0.005.
        num_random_steps: environment steps that each actor begins with, of actions
            drawn uniformly. Code: 1,000.
    """

    policy_layer_sizes: tuple[int, ...] = (256, 256)
    critic_layer_sizes: tuple[int, ...] = (256, 256)
    samples_per_insert: float = 256.0
    learning_rate: float = 3e-4
    temperature_learning_rate: float = 3e-4
    initial_temperature: float = 1.0
    target_entropy: float | None = None
    tau: float = 0.005
    num_random_steps: int = 1_000

    def __post_init__(self) -> None:
        """Refuses impossible values; raises ValueError naming the field."""
        super().__post_init__()
        learning.check_positive(
            self,
            "policy_layer_sizes",
            "critic_layer_sizes",
            "learning_rate",
            "initial_temperature",
            "tau",
        )
        learning.check_within(self, 0, 1, "tau")
        learning.check_within(
            self, 0, math.inf, "temperature_learning_rate", "num_random_steps"
        )
        if self.target_entropy is not None and not math.isfinite(self.target_entropy):
            raise ValueError(
                f"target_entropy must be finite or None, not {self.target_entropy}."
            )
