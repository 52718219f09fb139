"""The replay with TensorFlow: Q-learning on Catch, with batches from `tf.data`.

    python examples/replay_tensorflow.py [TICKS]

One `tf.function` takes a batch from the pipeline and makes the SGD step. Batches are
sampled by priority, and their TD errors become the new priorities.
"""

import sys

import numpy as np
import tensorflow as tf

from tfagents_core import datasets, replay

NUM_ENVS = 8
ROWS, COLUMNS = 10, 5
BATCH_SIZE = 64

STEPS = {
    "observation": replay.Column((ROWS, COLUMNS), np.float32),
    "action": replay.Column((), np.int32),
    "reward": replay.Column((), np.float32),
    "discount": replay.Column((), np.float32),
}


class Catches:
    """K games of Catch: move the paddle under the ball; 1 for a catch, else -1."""

    def __init__(self, num_envs: int, rng: np.random.Generator) -> None:
        self.rng = rng
        self.row = np.full(num_envs, ROWS - 1)  # As if a game had ended.
        self.ball = np.zeros(num_envs, np.int64)
        self.paddle = np.zeros(num_envs, np.int64)

    def step(self, action: np.ndarray) -> np.ndarray:
        """Moves left, not or right (0, 1, 2); resets where the last game has ended.

        Returns:
            Which games begin with this step, bool `[K]`.
        """
        first = self.row == ROWS - 1
        start = self.rng.integers(COLUMNS, size=first.shape)
        moved = np.clip(self.paddle + action - 1, 0, COLUMNS - 1)
        self.row = np.where(first, 0, self.row + 1)
        self.ball = np.where(first, start, self.ball)
        self.paddle = np.where(first, COLUMNS // 2, moved)
        return first

    def board(self) -> np.ndarray:
        """Observations: 1 at the ball and the paddle, float32 `[K, rows, columns]`."""
        board = np.zeros((len(self.row), ROWS, COLUMNS), np.float32)
        every = np.arange(len(self.row))
        board[every, self.row, self.ball] = 1.0
        board[every, -1, self.paddle] = 1.0
        return board


def make_replay() -> replay.Replay:
    """A replay of 3-step transitions, sampled by priority, 4 samples per insert."""
    table = replay.Table(
        "transitions",
        pattern=replay.NStep(3),
        outputs=replay.n_step_transition(STEPS, gamma=0.99),
        sampler=replay.Prioritized(alpha=0.6),
        max_size=10_000,
        rate_limiter=replay.SampleToInsertRatio.for_batches(
            4, 500, batch_size=BATCH_SIZE, max_inserts=3 * NUM_ENVS
        ),
    )
    return replay.Replay(STEPS, [table], num_streams=NUM_ENVS, seed=0)


class Learner:
    """Q-learning with importance weights w.

    loss = w (r_t + discount_t max_a q(o_t, a) - q(o_tm1, a_tm1))^2
    """

    def __init__(self, table: replay.TableHandle) -> None:
        self.table = table
        self.batches = iter(datasets.from_table(table, batch_size=BATCH_SIZE))
        self.w1 = _weights((ROWS * COLUMNS, 50), seed=1)
        self.w2 = _weights((50, 3), seed=2)
        self.optimizer = tf.keras.optimizers.Adam(3e-3)

    def q(self, observation: tf.Tensor) -> tf.Tensor:
        """Action values `[B, A]`."""
        flat = tf.reshape(observation, (-1, ROWS * COLUMNS))
        return tf.nn.relu(flat @ self.w1) @ self.w2

    @tf.function
    def act(self, observation: tf.Tensor) -> tf.Tensor:
        """The greedy actions `[K]`."""
        return tf.argmax(self.q(observation), axis=1)

    def step(self) -> None:
        """One SGD step, and the update of its batch's priorities."""
        keys, td_error = self._step()
        self.table.update_priorities(keys.numpy(), np.abs(td_error.numpy()) + 1e-3)

    @tf.function
    def _step(self) -> tuple[tf.Tensor, tf.Tensor]:
        info, batch = next(self.batches)
        q_t = tf.reduce_max(self.q(batch.next_observation), axis=1)  # [B]
        target = batch.reward + batch.discount * q_t  # [B]
        variables = [self.w1, self.w2]
        with tf.GradientTape() as tape:
            q_tm1 = tf.gather(
                self.q(batch.observation), batch.action, batch_dims=1
            )  # [B]
            td_error = tf.stop_gradient(target) - q_tm1  # [B]
            loss = tf.reduce_mean(tf.cast(info.weight, tf.float32) * td_error**2)
        gradients = tape.gradient(loss, variables)
        self.optimizer.apply_gradients(zip(gradients, variables))
        return info.key, td_error


def _weights(shape: tuple[int, int], *, seed: int) -> tf.Variable:
    values = tf.random.stateless_normal(shape, (seed, 0)) / shape[0] ** 0.5
    return tf.Variable(values)


def main(num_ticks: int = 2_500) -> float:
    """Trains; prints and returns the mean return of the last 100 games."""
    rng = np.random.default_rng(0)
    games, buffer = Catches(NUM_ENVS, rng), make_replay()
    learner = Learner(buffer.tables["transitions"])
    action = np.zeros(NUM_ENVS, np.int32)
    returns: list[float] = []
    for tick in range(num_ticks):
        first = games.step(action)
        last = games.row == ROWS - 1
        reward = np.where(last, np.where(games.ball == games.paddle, 1, -1), 0)
        rows = {
            "observation": games.board(),
            "action": action,
            "reward": reward.astype(np.float32),
            "discount": np.where(last, 0, 1).astype(np.float32),
        }
        buffer.append(rows, first=first, last=last)
        returns.extend(reward[last])
        explore = rng.random(NUM_ENVS) < max(0.0, 1 - tick / 1_500)
        best = learner.act(tf.constant(rows["observation"])).numpy()
        action = np.where(explore, rng.integers(3, size=NUM_ENVS), best)
        action = action.astype(np.int32)
        # Learns as often as the rate limiter allows, before acting adds more items.
        while learner.table.can_sample(BATCH_SIZE):
            learner.step()
    mean = float(np.mean(returns[-100:]))
    print(f"Return {mean:.2f} of 1 after {num_ticks * NUM_ENVS:,} steps.")
    return mean


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
