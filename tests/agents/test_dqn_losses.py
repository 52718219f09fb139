"""DQN's loss, computed by hand for a batch of two transitions.

Observations are one-hot, so that a linear network without bias is a table: row s of its
weights holds the values of the actions in state s.
"""

from __future__ import annotations

import numpy as np
import pytest
import sonnet as snt
import tensorflow as tf

from tfagents_core import replay
from tfagents_core.agents import dqn


def make_networks(*rows: list[float]) -> dqn.DQNNetworks:
    """The values of two actions in each state."""
    q = snt.Linear(2, with_bias=False)
    q(tf.zeros((1, len(rows))))
    q.w.assign(rows)
    return dqn.DQNNetworks(q)


ONLINE = ([1, 2], [0, 3])
TARGET = ([5, 6], [10, -1])


def make_transition() -> replay.Transition:
    """From state 0 by action 0 to state 1; and from state 1 by action 1 to the end."""
    states = tf.eye(2)
    return replay.Transition(
        observation=states,
        action=tf.constant([0, 1]),
        reward=tf.constant([1.0, 5.0]),
        discount=tf.constant([0.5, 0.0]),
        next_observation=tf.reverse(states, [0]),
    )


@pytest.mark.parametrize(
    ("huber_delta", "expected"),
    [
        (1.0, [0.125, 1.5]),  # 0.5 * 0.5^2, 1 * (2 - 0.5)
        (0.25, [0.09375, 0.46875]),  # 0.25 * (0.5 - 0.125), 0.25 * (2 - 0.125)
        (10.0, [0.125, 2.0]),  # 0.5 * 0.5^2, 0.5 * 2^2
    ],
)
def test_dqn_loss_gives_the_values_computed_by_hand(
    huber_delta: float, expected: list[float]
) -> None:
    output = dqn.dqn_loss(
        make_networks(*ONLINE),
        make_networks(*TARGET),
        make_transition(),
        huber_delta=huber_delta,
    )
    # First: in state 1 the online network likes action 1 best (3 > 0), which the target
    # network values -1: 1 + 0.5 * -1 = 0.5. Second: 5 + 0 * anything = 5.
    np.testing.assert_allclose(output.target, [0.5, 5])
    # The online values of the actions taken are 1 and 3.
    np.testing.assert_allclose(output.td_error, [-0.5, 2])
    np.testing.assert_allclose(output.loss, expected)


def test_dqn_loss_moves_the_online_values_of_the_actions_taken_and_nothing_else() -> (
    None
):
    online, target = make_networks(*ONLINE), make_networks(*TARGET)
    with tf.GradientTape() as tape:
        output = dqn.dqn_loss(online, target, make_transition(), huber_delta=1.0)
        loss = tf.reduce_sum(output.loss)
    gradient, none = tape.gradient(loss, [online.q.w, target.q.w])
    # Minus the TD errors -0.5 and 2, clipped to 1, at (state 0, action 0) and (1, 1).
    np.testing.assert_allclose(gradient, [[0.5, 0], [0, -1]])
    assert none is None


def test_dqn_loss_is_the_same_eagerly_and_in_a_graph() -> None:
    online, target = make_networks(*ONLINE), make_networks(*TARGET)

    def loss() -> tuple[tf.Tensor, ...]:
        return tuple(dqn.dqn_loss(online, target, make_transition(), huber_delta=1.0))

    for eager, graph in zip(loss(), tf.function(loss)(), strict=True):
        np.testing.assert_allclose(eager, graph)
