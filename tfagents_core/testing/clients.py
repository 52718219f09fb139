"""The contract of the replay's write side."""

from __future__ import annotations

import abc

import numpy as np

from tfagents_core import adders, core, specs


class ReplayClientContract(abc.ABC):
    """Tests that a client takes whole rows, in episodes, or nothing.

    Attributes:
        rows: the specs of a row.
    """

    rows = adders.Row(
        observation=specs.Array((2,), np.float32),
        action=specs.DiscreteArray(3),
        reward=specs.Array((), np.float32),
        discount=specs.Array((), np.float32),
    )

    @abc.abstractmethod
    def make_client(self, num_streams: int) -> core.ReplayClient:
        """An empty replay of `rows` that never makes an append wait."""

    @abc.abstractmethod
    def count_rows(self, client: core.ReplayClient) -> int:
        """How many rows have been appended, over all streams."""

    def test_an_append_adds_one_row_to_each_stream(self) -> None:
        """All in one call."""
        client = self.make_client(3)
        self._append(client, 3, first=True)
        self._append(client, 3)
        assert self.count_rows(client) == 6

    def test_streams_begin_and_end_episodes_on_their_own(self) -> None:
        """While the others continue."""
        client = self.make_client(2)
        self._append(client, 2, first=True)
        client.append(
            self._rows(2), first=np.array([False, False]), last=np.array([True, False])
        )
        client.append(
            self._rows(2), first=np.array([True, False]), last=np.array([False, False])
        )
        assert self.count_rows(client) == 6

    def test_a_row_outside_an_episode_is_refused(self) -> None:
        """And nothing is appended, not even to the other streams."""
        client = self.make_client(2)
        first = np.array([True, False])
        _check_refused(
            lambda: client.append(self._rows(2), first=first, last=np.zeros(2, bool))
        )
        assert self.count_rows(client) == 0

    def test_a_row_of_another_shape_is_refused(self) -> None:
        """And nothing is appended."""
        client = self.make_client(2)
        self._append(client, 2, first=True)
        rows = self._rows(2)._replace(observation=np.zeros((2, 5), np.float32))
        none = np.zeros(2, bool)
        _check_refused(lambda: client.append(rows, first=none, last=none))
        assert self.count_rows(client) == 2

    def _rows(self, size: int) -> adders.Row:
        generator = np.random.default_rng(0)
        return adders.Row(
            observation=generator.normal(size=(size, 2)).astype(np.float32),
            action=np.zeros(size, self.rows.action.dtype),
            reward=np.ones(size, np.float32),
            discount=np.ones(size, np.float32),
        )

    def _append(
        self, client: core.ReplayClient, size: int, *, first: bool = False
    ) -> None:
        client.append(
            self._rows(size), first=np.full(size, first), last=np.zeros(size, bool)
        )


def _check_refused(append: object) -> None:
    assert callable(append)
    try:
        append()
    except ValueError:
        return
    raise AssertionError("the append was not refused with a ValueError")
