"""The replay with NumPy alone: prioritized tabular Q-learning on a chain.

    python examples/replay_numpy.py

The chain has ten states; reaching the last one has reward 1 and ends the episode. The
optimal policy always goes right, so the first state's value is 0.9^8 = 0.43.
"""

import numpy as np

from tfagents_core import replay

NUM_STATES = 10
GAMMA = 0.9
LEFT, RIGHT = 0, 1

STEPS = {
    "observation": replay.Column((), np.int64),
    "action": replay.Column((), np.int64),
    "reward": replay.Column((), np.float64),
    "discount": replay.Column((), np.float64),
}


def make_replay() -> replay.Replay:
    """A replay of one-step transitions, sampled by priority."""
    table = replay.Table(
        "transitions",
        pattern=replay.NStep(1),
        outputs=replay.n_step_transition(STEPS, gamma=GAMMA),
        sampler=replay.Prioritized(alpha=0.6),
        max_size=2_000,
        rate_limiter=replay.MinSize(50),
    )
    return replay.Replay(STEPS, [table], seed=0)


def step(state: int, action: int) -> tuple[int, float, float]:
    """The next state, and the reward and discount of reaching it."""
    following = max(0, state - 1) if action == LEFT else state + 1
    at_end = following == NUM_STATES - 1
    return following, float(at_end), float(not at_end)


def main(num_steps: int = 6_000) -> np.ndarray:
    """Trains; prints the policy and returns the action values `[states, actions]`."""
    buffer, rng = make_replay(), np.random.default_rng(0)
    table = buffer.tables["transitions"]
    q = np.zeros((NUM_STATES, 2))
    # A row is (a_{t-1}, r_t, discount_t, o_t): of an episode's first, only o_0 is used.
    row = {"observation": 0, "action": 0, "reward": 0.0, "discount": 1.0}
    buffer.append_one(row, first=True)
    state = 0
    for _ in range(num_steps):
        # Ties are broken at random: at first all values are 0.
        greedy = rng.choice(np.flatnonzero(q[state] == q[state].max()))
        action = rng.integers(2) if rng.random() < 0.2 else greedy
        state, reward, discount = step(state, action)
        row = {
            "observation": state,
            "action": action,
            "reward": reward,
            "discount": discount,
        }
        buffer.append_one(row, last=discount == 0)
        if discount == 0:
            state = 0
            row = {"observation": 0, "action": 0, "reward": 0.0, "discount": 1.0}
            buffer.append_one(row, first=True)
        if table.can_sample(16):
            learn(q, table)
    policy = "".join("LR"[action] for action in q[:-1].argmax(axis=1))
    print(f"Policy {policy}; the start is worth {q[0].max():.3f}.")
    return q


def learn(q: np.ndarray, table: replay.TableHandle) -> None:
    """One step of Q-learning on 16 transitions; |TD error| becomes their priority."""
    info, batch = table.sample(16, beta=0.5)
    target = batch.reward + batch.discount * q[batch.next_observation].max(axis=1)
    td_error = target - q[batch.observation, batch.action]
    # `np.add.at` and not `+=`: a batch may contain the same state and action twice.
    np.add.at(q, (batch.observation, batch.action), 0.2 * info.weight * td_error)
    table.update_priorities(info.key, np.abs(td_error) + 1e-3)


if __name__ == "__main__":
    main()
