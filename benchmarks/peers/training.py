"""The same work as `training_speed`, by Stable-Baselines3 (torch) or SBX (JAX).

Prints one JSON line a workload. Both need an environment of their own, with
`pip install stable-baselines3` or `pip install sbx-rl`; nothing of ours is imported.
Run it in the same sitting: machines differ twofold, and so does one machine by the hour.

    python -m benchmarks.peers.training {sb3,sbx} [WORKLOAD ...]
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from typing import Any

# Of the RL Zoo for CartPole; 128 SGD steps after 256 environment steps.
ZOO = {
    "learning_rate": 2.3e-3,
    "batch_size": 64,
    "buffer_size": 100_000,
    "learning_starts": 1_000,
    "gamma": 0.99,
    "target_update_interval": 10,
    "train_freq": 256,
    "gradient_steps": 128,
    "exploration_fraction": 0.16,
    "exploration_final_eps": 0.04,
    "policy_kwargs": {"net_arch": [256, 256]},
}
# By workload: algorithm, environment, options, steps of warm-up and timed steps.
WORKLOADS: dict[str, tuple[str, str, dict[str, Any], int, int]] = {
    "dqn-uniform": ("DQN", "CartPole-v1", ZOO, 10_000, 30_000),
    "sac": ("SAC", "Pendulum-v1", {"learning_starts": 100}, 1_000, 2_000),
    "ppo": ("PPO", "CartPole-v1", {}, 4_096, 20_480),
}


def main() -> None:
    """Trains, and prints the measurements."""
    library, *names = sys.argv[1:]
    module = importlib.import_module({"sb3": "stable_baselines3"}.get(library, library))
    for name in names or WORKLOADS:
        algorithm, environment, options, warm_up, steps = WORKLOADS[name]
        make = getattr(module, algorithm)
        model = make("MlpPolicy", environment, seed=1, **options)
        model.learn(warm_up)  # Compiles, and fills the replay until learning begins.
        start = time.perf_counter()
        model.learn(steps, reset_num_timesteps=False)
        speed = steps / (time.perf_counter() - start)
        line = {"workload": name, "library": library, "env_steps_per_s": round(speed)}
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
