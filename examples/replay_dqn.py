"""DQN with a prioritized replay, in PyTorch and Gymnasium: it balances a pole.

    python examples/replay_dqn.py [STEPS]

Double DQN (van Hasselt et al. 2016) on 3-step transitions, drawn by priority (Schaul et
al. 2016). `replay.transitions` takes steps as Gymnasium's environments give them.
"""

import copy
import sys

import gymnasium
import numpy as np
import torch

from tfagents_core import replay


class Learner:
    """Double DQN with a target network q'.

    loss = w huber(r_t + discount_t q'(o_t, argmax_a q(o_t, a)) - q(o_tm1, a_tm1))
    """

    def __init__(self) -> None:
        self.online = torch.nn.Sequential(
            torch.nn.Linear(4, 64),
            torch.nn.ReLU(),
            torch.nn.Linear(64, 64),
            torch.nn.ReLU(),
            torch.nn.Linear(64, 2),
        )
        self.target = copy.deepcopy(self.online)
        self.optimizer = torch.optim.Adam(self.online.parameters(), lr=1e-3)
        self.num_steps = 0

    def act(self, observation: np.ndarray) -> int:
        """The greedy action at an observation `[4]`."""
        with torch.no_grad():
            return int(self.online(torch.from_numpy(observation)).argmax())

    def step(self, batch: replay.Transition, weight: np.ndarray) -> np.ndarray:
        """One SGD step; returns the TD errors `[B]`."""
        o_tm1, a_tm1, r_t, discount_t, o_t = map(torch.from_numpy, batch[:5])
        with torch.no_grad():
            best = self.online(o_t).argmax(dim=1, keepdim=True)  # [B, 1]
            target = r_t + discount_t * self.target(o_t).gather(1, best)[:, 0]  # [B]
        q_tm1 = self.online(o_tm1).gather(1, a_tm1[:, None])[:, 0]  # [B]
        huber = torch.nn.functional.smooth_l1_loss(q_tm1, target, reduction="none")
        loss = (torch.from_numpy(weight).float() * huber).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.num_steps += 1
        if self.num_steps % 200 == 0:
            self.target.load_state_dict(self.online.state_dict())
        return (target - q_tm1).detach().numpy()


def main(num_steps: int = 15_000) -> float:
    """Trains; prints and returns the mean return of the last 20 episodes."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    env, learner = gymnasium.make("CartPole-v1"), Learner()
    returns = [0.0]
    spaces = env.observation_space, env.action_space
    buffer = replay.transitions(*spaces, max_size=50_000, n_step=3, prioritized=0.6)
    observation, _ = env.reset(seed=0)
    for step in range(num_steps):
        explore = rng.random() < max(0.05, 1 - step / 5_000)
        action = int(rng.integers(2)) if explore else learner.act(observation)
        following, reward, terminated, truncated, _ = env.step(action)
        buffer.add(observation, action, reward, following, terminated, truncated)
        returns[-1] += reward
        observation = following
        if terminated or truncated:
            observation, _ = env.reset()
            returns.append(0.0)
        if len(buffer) >= 500:
            info, batch = buffer.sample(64, beta=0.4)
            td_error = learner.step(batch, info.weight)
            buffer.update_priorities(info.key, np.abs(td_error) + 1e-3)
    mean = float(np.mean(returns[-21:-1]))
    print(f"Return {mean:.1f} of 500 after {num_steps:,} steps.")
    return mean


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
