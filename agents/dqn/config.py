"""DQN's hyper-parameters."""

from __future__ import annotations

import dataclasses

from tfagents_core import learning


@dataclasses.dataclass(frozen=True)
class DQNConfig(learning.TransitionConfig):
    """Every hyper-parameter of DQN, with its unit and where its value is from.

    "Nature" is Mnih et al. 2015, Ext. Data Table 1; "PER" Schaul et al. 2016, Section
    4 and App. B; "Acme" Hoffman et al. 2020. The defaults are for small tasks with
    vector observations; `for_atari` and `for_bsuite` give the others. Inherited:
    discount 0.99 (Nature), 32 samples per insert (with 64 a batch, one update for two
    environment steps), learning from 1,000 transitions on.

    Attributes:
        layer_sizes: hidden units: of the whole network for vectors, of each stream
            after the convolutions for frames (Nature: 512).
        dueling: whether value and advantage have streams of their own; Wang et al.
            2016.
        n_step: environment steps a target looks ahead. Acme: 5; Rainbow: 3.
        epsilon_initial: chance of a random action at the start. Nature: 1.
        epsilon_final: chance of a random action after the decay. Rainbow: 0.01 (Acme:
            0.05). Training then sees where greedy play drifts to.
        epsilon_decay_steps: environment steps of one actor from the one to the other.
        evaluation_epsilon: chance of a random action in evaluation.
        batch_size: transitions in an SGD step.
        max_replay_size: transitions kept.
        compress_frames: whether the replay compresses image observations, to a tenth
            and less of their size; drawing them takes about twice as long. Ours.
        priority_exponent: alpha; 0 draws uniformly. PER, proportional: 0.6.
        priority_epsilon: added to each new priority, in units of reward, so that no
            transition is lost for ever. PER: "a small positive constant"; value ours.
        importance_exponent_initial: beta at the start. PER: 0.4.
        importance_exponent_final: beta after the annealing. PER: 1.
        importance_annealing_steps: SGD steps from the one to the other.
        learning_rate: Adam's.
        adam_epsilon: Adam's. Rainbow: 1.5e-4. With 1e-8, steps stay large where gradients
            have become small, and a policy that had learned its task loses it again.
        huber_delta: where the loss becomes linear, in units of reward. Nature: 1.
        target_update_period: SGD steps between copies to the target.
        gradient_clip_norm: the gradient is clipped to this global norm; None for no limit.
        max_abs_reward: rewards are clipped to plus or minus this before they are
            stored; None for no limit. Returns are reported unclipped. Nature: 1.
    """

    layer_sizes: tuple[int, ...] = (128, 128)
    dueling: bool = True
    n_step: int = 3
    epsilon_initial: float = 1.0
    epsilon_final: float = 0.01
    epsilon_decay_steps: int = 5_000
    evaluation_epsilon: float = 0.0
    batch_size: int = 64
    max_replay_size: int = 100_000
    compress_frames: bool = False
    priority_exponent: float = 0.6
    priority_epsilon: float = 1e-3
    importance_exponent_initial: float = 0.4
    importance_exponent_final: float = 1.0
    importance_annealing_steps: int = 25_000
    learning_rate: float = 5e-4
    adam_epsilon: float = 1.5e-4
    huber_delta: float = 1.0
    target_update_period: int = 100
    gradient_clip_norm: float | None = 10.0
    max_abs_reward: float | None = None

    @classmethod
    def for_environment(cls, environment_id: str) -> DQNConfig:
        """The settings for the environment's suite."""
        presets = {"atari": cls.for_atari, "bsuite": cls.for_bsuite}
        suite, _, _ = environment_id.partition(":")
        return presets.get(suite, cls)()

    @classmethod
    def for_atari(cls) -> DQNConfig:
        """Nature's settings with PER's and Rainbow's (Hessel et al. 2018) changes.

        One SGD step of 32 for 4 agent steps, the target copied every 8,000 agent
        steps (Rainbow: 32,000 frames), epsilon to 0.01 over 250,000 agent steps.
        """
        return cls(
            layer_sizes=(512,),
            n_step=3,
            epsilon_final=0.01,
            epsilon_decay_steps=250_000,
            evaluation_epsilon=0.001,
            batch_size=32,
            samples_per_insert=8.0,
            min_replay_size=20_000,
            max_replay_size=1_000_000,
            importance_annealing_steps=12_500_000,
            learning_rate=6.25e-5,
            target_update_period=2_000,
            max_abs_reward=1.0,
        )

    @classmethod
    def for_bsuite(cls) -> DQNConfig:
        """As bsuite's own DQN (Osband et al. 2020): small, one SGD step a step."""
        return cls(
            layer_sizes=(50, 50),
            n_step=1,
            epsilon_initial=0.05,
            epsilon_final=0.05,
            epsilon_decay_steps=0,
            batch_size=32,
            samples_per_insert=32.0,
            min_replay_size=128,
            learning_rate=1e-3,
            adam_epsilon=1e-8,
            importance_annealing_steps=50_000,
            target_update_period=4,
        )

    def __post_init__(self) -> None:
        """Refuses impossible values; raises ValueError naming the field."""
        super().__post_init__()
        learning.check_positive(
            self,
            "layer_sizes",
            "learning_rate",
            "adam_epsilon",
            "huber_delta",
            "target_update_period",
            "gradient_clip_norm",
            "max_abs_reward",
        )
        learning.check_within(
            self,
            0,
            1,
            "epsilon_initial",
            "epsilon_final",
            "evaluation_epsilon",
        )
        learning.check_within(
            self,
            0,
            float("inf"),
            "epsilon_decay_steps",
            "priority_exponent",
            "priority_epsilon",
            "importance_exponent_initial",
            "importance_exponent_final",
            "importance_annealing_steps",
        )
