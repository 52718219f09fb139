"""PPO's hyper-parameters."""

from __future__ import annotations

import dataclasses

from tfagents_core import learning


@dataclasses.dataclass(frozen=True)
class PPOConfig(learning.LearnerConfig):
    """Every hyper-parameter of PPO, with its unit and where its value is from.

    "Paper" is Schulman et al. 2017, Tables 3 (MuJoCo) and 5 (Atari); "GAE" Schulman et
    al. 2016; "Baselines" OpenAI's `ppo2`, whose choices Huang et al. 2022, The 37
    Implementation Details of Proximal Policy Optimization, lists. The defaults are for
    small tasks: the paper's for MuJoCo, with half the steps in an update. `for_control`
    and `for_atari` give the others. An update takes `num_unrolls * unroll_length`
    environment steps and is `num_epochs * num_minibatches` SGD steps.

    Attributes:
        layer_sizes: hidden units: of the policy and of the value for vectors, of the
            layers that both share after the convolutions for frames. Paper: 64, 64;
            frames 512.
        initial_std: standard deviation of continuous actions at the start, where they
            span [-1, 1]. Baselines: 1.
        num_unrolls: unrolls in an update; as many as there are environments for one of
            each. Paper: 8 (Atari).
        unroll_length: environment steps in an unroll, T. Paper: 128 (Atari).
        num_epochs: times that each step of an update is used. Paper: 10 (MuJoCo), 3
            (Atari).
        num_minibatches: SGD steps in an epoch. Paper: minibatches of 64 steps (MuJoCo)
            or 256 (Atari).
        discount: gamma, per environment step. Paper: 0.99.
        gae_lambda: lambda of the advantages. Paper: 0.95; GAE: 0.9 to 0.99.
        clip_epsilon: how far a probability ratio may leave 1 with gain. Paper: 0.2.
        value_clip_epsilon: how far a value may usefully move in an update, in units of
            return; None for no limit. Baselines: 0.2; Engstrom et al. 2020 and
            Andrychowicz et al. 2021 find that it does not help.
        value_coefficient: c1, weight of half the squared error of the value. Baselines:
            0.5.
        entropy_coefficient: c2, weight of the entropy, in nats. Paper: 0 (MuJoCo), 0.01
            (Atari).
        normalize_advantages: whether each minibatch's advantages are given mean 0 and
            variance 1. Baselines: yes.
        normalize_observations: whether observations are shifted and scaled by the mean
            and variance of all that were seen. Baselines: for MuJoCo.
        max_abs_observation: largest magnitude of a component after that. Baselines: 10.
        learning_rate: Adam's. Paper: 3e-4 (MuJoCo), 2.5e-4 (Atari).
        learning_rate_decay_updates: updates over which the learning rate falls to 0 in
            a straight line; None to keep it. Paper: the whole run (Atari).
        adam_epsilon: Adam's. Baselines: 1e-5.
        gradient_clip_norm: the gradient of the whole loss is clipped to this global
            norm; None for no limit. Baselines: 0.5.
        max_abs_reward: rewards are clipped to plus or minus this before they are
            stored; None for no limit. Returns are reported unclipped. Paper: 1 (Atari).
        jit_compile: whether XLA compiles the update: on, with a third of the time,
            but not for Atari, whose convolutions it makes slower on the CPU.
    """

    layer_sizes: tuple[int, ...] = (64, 64)
    initial_std: float = 1.0
    num_unrolls: int = 8
    unroll_length: int = 128
    num_epochs: int = 10
    num_minibatches: int = 16
    discount: float = 0.99
    gae_lambda: float = 0.95
    clip_epsilon: float = 0.2
    value_clip_epsilon: float | None = None
    value_coefficient: float = 0.5
    entropy_coefficient: float = 0.0
    normalize_advantages: bool = True
    normalize_observations: bool = False
    max_abs_observation: float = 10.0
    learning_rate: float = 3e-4
    learning_rate_decay_updates: int | None = None
    adam_epsilon: float = 1e-5
    gradient_clip_norm: float | None = 0.5
    max_abs_reward: float | None = None
    jit_compile: bool = True

    @classmethod
    def for_environment(cls, environment_id: str) -> PPOConfig:
        """The settings for the environment's suite."""
        presets = {"atari": cls.for_atari, "control": cls.for_control}
        suite, _, _ = environment_id.partition(":")
        return presets.get(suite, cls)()

    @classmethod
    def for_control(cls) -> PPOConfig:
        """The paper's settings for MuJoCo: 2,048 steps, 10 epochs, minibatches of 64.

        The steps are those of 8 environments instead of one.
        """
        return cls(
            unroll_length=256,
            num_minibatches=32,
            normalize_observations=True,
        )

    @classmethod
    def for_atari(cls) -> PPOConfig:
        """The paper's settings for Atari, but that nothing is annealed."""
        return cls(
            layer_sizes=(512,),
            num_epochs=3,
            num_minibatches=4,
            entropy_coefficient=0.01,
            learning_rate=2.5e-4,
            max_abs_reward=1.0,
            jit_compile=False,
        )

    def __post_init__(self) -> None:
        """Refuses impossible values; raises ValueError naming the field."""
        super().__post_init__()
        learning.check_positive(
            self,
            "layer_sizes",
            "initial_std",
            "num_unrolls",
            "unroll_length",
            "num_epochs",
            "num_minibatches",
            "clip_epsilon",
            "value_clip_epsilon",
            "max_abs_observation",
            "learning_rate",
            "learning_rate_decay_updates",
            "adam_epsilon",
            "gradient_clip_norm",
            "max_abs_reward",
        )
        learning.check_within(self, 0, 1, "discount", "gae_lambda")
        learning.check_within(
            self, 0, float("inf"), "value_coefficient", "entropy_coefficient"
        )
        num_steps = self.num_unrolls * self.unroll_length
        if num_steps % self.num_minibatches:
            raise ValueError(
                f"num_minibatches ({self.num_minibatches}) must divide the steps of an "
                f"update, num_unrolls * unroll_length = {num_steps:,}."
            )
