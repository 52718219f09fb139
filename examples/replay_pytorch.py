"""The replay with PyTorch: double DQN learns to balance a pole in about a minute.

    python examples/replay_pytorch.py [TICKS]

`torch.from_numpy` shares the memory of a sample's arrays without a copy. The replay
reuses that memory only after the last tensor that refers to it is gone.
"""

import copy
import sys

import numpy as np
import torch

from tfagents_core import replay

NUM_ENVS = 8
MAX_STEPS = 200

STEPS = {
    "observation": replay.Column((4,), np.float32),
    "action": replay.Column((), np.int64),
    "reward": replay.Column((), np.float32),
    "discount": replay.Column((), np.float32),
}


class CartPoles:
    """K cart-poles (Barto, Sutton and Anderson 1983); reward 1 for every step."""

    def __init__(self, num_envs: int, rng: np.random.Generator) -> None:
        self.rng = rng
        self.state = np.zeros((num_envs, 4))  # x, dx, angle, dangle.
        self.num_steps = np.zeros(num_envs, np.int64)
        self.last = np.ones(num_envs, bool)

    def step(self, action: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pushes left (0) or right (1); resets where the last step ended an episode.

        Returns:
            Which episodes begin with this step, and which poles fell, both bool `[K]`.
        """
        first = self.last
        start = self.rng.uniform(-0.05, 0.05, self.state.shape)
        self.state = np.where(first[:, None], start, self._push(action))
        self.num_steps = np.where(first, 0, self.num_steps + 1)
        fell = (np.abs(self.state[:, 0]) > 2.4) | (np.abs(self.state[:, 2]) > 0.21)
        self.last = fell | (self.num_steps >= MAX_STEPS)
        return first, fell

    def _push(self, action: np.ndarray) -> np.ndarray:
        _, dx, angle, dangle = self.state.T
        force = np.where(action == 1, 10.0, -10.0)
        push = (force + 0.05 * dangle**2 * np.sin(angle)) / 1.1
        inertia = 0.5 * (4 / 3 - 0.1 * np.cos(angle) ** 2 / 1.1)
        ddangle = (9.8 * np.sin(angle) - np.cos(angle) * push) / inertia
        ddx = push - 0.05 * ddangle * np.cos(angle) / 1.1
        return self.state + 0.02 * np.stack([dx, ddx, dangle, ddangle], axis=1)


def make_replay() -> replay.Replay:
    """A replay of one-step transitions, sampled uniformly."""
    table = replay.Table(
        "transitions",
        pattern=replay.NStep(1),
        outputs=replay.n_step_transition(STEPS, gamma=0.99),
        max_size=50_000,
        rate_limiter=replay.MinSize(500),
    )
    return replay.Replay(STEPS, [table], num_streams=NUM_ENVS, seed=0)


class Learner:
    """Double DQN with a target network q'.

    loss = huber(r_t + discount_t q'(o_t, argmax_a q(o_t, a)) - q(o_tm1, a_tm1))
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

    def act(self, observation: np.ndarray) -> np.ndarray:
        """The greedy actions `[K]` of observations `[K, 4]`."""
        with torch.no_grad():
            q = self.online(torch.from_numpy(observation))  # [K, A]
        return q.argmax(dim=1).numpy()

    def step(self, table: replay.TableHandle) -> None:
        """One SGD step on a batch of 128."""
        batch = table.sample(128).data
        o_tm1, a_tm1, r_t, discount_t, o_t = map(torch.from_numpy, batch[:5])
        with torch.no_grad():
            best = self.online(o_t).argmax(dim=1, keepdim=True)  # [B, 1]
            target = r_t + discount_t * self.target(o_t).gather(1, best)[:, 0]  # [B]
        q_tm1 = self.online(o_tm1).gather(1, a_tm1[:, None])[:, 0]  # [B]
        loss = torch.nn.functional.smooth_l1_loss(q_tm1, target)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.num_steps += 1
        if self.num_steps % 100 == 0:
            self.target.load_state_dict(self.online.state_dict())


def main(num_ticks: int = 4_000) -> float:
    """Trains; prints and returns the mean return of the last 20 episodes."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    poles, learner, buffer = CartPoles(NUM_ENVS, rng), Learner(), make_replay()
    table = buffer.tables["transitions"]
    action = np.zeros(NUM_ENVS, np.int64)
    returns: list[int] = []
    for tick in range(num_ticks):
        first, fell = poles.step(action)
        rows = {
            "observation": poles.state.astype(np.float32),
            "action": action,
            "reward": np.where(first, 0, 1).astype(np.float32),
            # 0 only where a pole fell: the time limit is not a terminal state.
            "discount": np.where(fell, 0, 1).astype(np.float32),
        }
        buffer.append(rows, first=first, last=poles.last)
        returns.extend(poles.num_steps[poles.last])
        explore = rng.random(NUM_ENVS) < max(0.05, 1 - tick / 1_000)
        random = rng.integers(2, size=NUM_ENVS)
        action = np.where(explore, random, learner.act(rows["observation"]))
        if table.can_sample(128):
            learner.step(table)
    mean = float(np.mean(returns[-20:]))
    print(f"Return {mean:.1f} of {MAX_STEPS} after {num_ticks * NUM_ENVS:,} steps.")
    return mean


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
