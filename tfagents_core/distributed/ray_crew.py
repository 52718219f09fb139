"""Ray actors that are asked one thing at a time, and are made again when they fail."""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import ray
from ray import exceptions

from tfagents_core.distributed import ray_shards, service, supervision

_COLOR = re.compile("\x1b\\[[0-9;]*m")  # Of terminals, which Ray puts into tracebacks.

MAX_RESTARTS = 10
WINDOW_S = 600.0
STATS_S = 1.0
_ANSWER_S = 60.0
STALLED_S = 900.0
"""An answer that takes longer, in seconds, is given up with who was asked."""


@dataclasses.dataclass(eq=False)
class Member:
    """One of the crew.

    Attributes:
        name: for people, such as `"actor 3"`.
        begin: makes its Ray actor; called again after each failure.
        budget: how often it may fail.
        handle: of the present Ray actor.
        call: what it was asked and has not answered; None when it is idle.
        also: the further objects that the newest call returns, as references.
        since_s: when that was.
    """

    name: str
    begin: Callable[[], Any]
    budget: supervision.RestartBudget
    handle: Any
    call: Any = None
    also: Sequence[Any] = ()
    since_s: float = 0.0


class Crew:
    """Ray actors, each of which has at most one call under way. Not thread-safe.

    Args:
        fatal: errors that end the run at once: they would come back.
    """

    def __init__(self, fatal: tuple[type[Exception], ...] = ()) -> None:
        self._fatal = fatal
        self._members: list[Member] = []

    def add(self, name: str, begin: Callable[[], Any]) -> Member:
        """Begins another member."""
        budget = supervision.RestartBudget(MAX_RESTARTS, WINDOW_S)
        member = Member(name, begin, budget, begin())
        self._members.append(member)
        return member

    @property
    def members(self) -> list[Member]:
        """All members, in the order in which they were added."""
        return list(self._members)

    def ask(self, member: Member, method: str, *arguments: Any) -> None:
        """Asks an idle member for something, which `answers` will give."""
        assert member.call is None
        returned = getattr(member.handle, method).remote(*arguments)
        several = returned if isinstance(returned, list) else [returned]
        member.call, *member.also = several
        member.since_s = time.monotonic()

    def answers(
        self, timeout_s: float, *, restart: bool = True
    ) -> Iterator[tuple[Member, Any]]:
        """What has been answered; waits up to `timeout_s` seconds for the first.

        Args:
            timeout_s: longest wait.
            restart: whether a member that failed is made again.

        Yields:
            A member that is idle now, and its answer; None when it failed.

        Raises:
            BudgetSpentError: one failed too often; with the first traceback.
        """
        asked = {each.call: each for each in self._members if each.call is not None}
        if not asked:
            time.sleep(timeout_s)
            return
        ray.wait(list(asked), num_returns=1, timeout=timeout_s)
        ready, late = ray.wait(list(asked), num_returns=len(asked), timeout=0)
        for call in ready:
            member = asked[call]
            member.call = None
            yield member, self._take(member, call, restart)
        for call in late:
            member = asked[call]
            if time.monotonic() - member.since_s > STALLED_S:
                member.call = None
                error = f"{member.name} did not answer for {STALLED_S:g} s"
                self._fail(member, error, restart)
                yield member, None

    def _take(self, member: Member, call: Any, restart: bool) -> Any:
        try:
            return ray.get(call)
        except exceptions.RayError as error:
            if isinstance(error, self._fatal):
                raise
            self._fail(member, _describe(error), restart)
            return None

    def _fail(self, member: Member, error: str, restart: bool) -> None:
        if not restart:
            return
        ray.kill(member.handle, no_restart=True)
        member.budget.note(member.name, error)
        member.handle = member.begin()

    def kill(self) -> None:
        """Ends all members."""
        for member in self._members:
            ray.kill(member.handle, no_restart=True)
        self._members.clear()


class WatchedShard:
    """A shard, and what it holds. Ray makes its process again; this counts."""

    def __init__(self, index: int, handle: Any) -> None:
        self.handle = handle
        self.calls = ray_shards.RayShard(handle)
        self.stats: service.ShardStats | None = None
        self.budget = supervision.RestartBudget(MAX_RESTARTS, WINDOW_S)
        self._name = f"replay shard {index}"
        self._process = 0
        self._call: Any = None
        self._next_s = 0.0

    def poll(self) -> None:
        """Takes the newest counts if they are there, and asks for others.

        Raises:
            BudgetSpentError: the shard cannot be made again, or died too often.
        """
        if self._call is not None:
            ready, _ = ray.wait([self._call], timeout=0)
            if ready:
                self._take(ready[0])
        if self._call is None and time.monotonic() >= self._next_s:
            self._call = self.handle.stats.remote()
            self._next_s = time.monotonic() + STATS_S

    def read(self) -> None:
        """Takes the counts of this moment, if the shard answers."""
        self._take(self.handle.stats.remote())

    def _take(self, call: Any) -> None:
        self._call = None
        try:
            process, self.stats = ray.get(call, timeout=_ANSWER_S)
        except exceptions.ActorDiedError as error:
            raise supervision.BudgetSpentError(
                f"{self._name} could not be made again: {_describe(error)}"
            ) from None
        except (exceptions.RayActorError, exceptions.GetTimeoutError):
            return  # It is being made again.
        if self._process not in (0, process):
            self.budget.note(self._name, "its process died")
        self._process = process

    def describe(self) -> dict[str, Any]:
        """Its line of the status."""
        line: dict[str, Any] = {
            "role": self._name,
            "restarts": self.budget.num_restarts,
        }
        if self.stats is not None:
            line["bytes_in_use"] = self.stats.bytes_in_use
            reasons = [r for r in self.stats.why_not_insert.values() if r]
            line["waits_for"] = "; ".join(reasons)
        return line


def _describe(error: Exception) -> str:
    """The traceback in the member's process, or why its process died."""
    return _COLOR.sub("", str(error)).strip()
