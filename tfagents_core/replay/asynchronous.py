"""A replay for an event loop: whoever waits needs no thread."""

from __future__ import annotations

import asyncio
import collections
import os
from collections.abc import Callable
from typing import Any, TypeVar, final

from tfagents_core.replay import _core, columns, tables
from tfagents_core.replay.buffer import Replay

_T = TypeVar("_T")


@final
class AsyncReplay:
    """Samples from a replay and appends to it in an event loop.

    For services with many clients. What a rate limiter stops waits for the replay's next
    change, in the order in which it came: those who sample a table in one line, those
    who append in another. Arguments and errors are those of `Replay` and `TableHandle`.
    Cancellation, as by `asyncio.timeout`, ends a wait. A call whose turn has come by then
    has happened, and its result is lost: repeat only `append_chunk` without a thought.
    The replay may be used by other threads meanwhile.

    To be used by the tasks of one loop only, from its creation to `aclose`. One loop per
    replay.

    Args:
        buffer: the replay.
    """

    def __init__(self, buffer: Replay) -> None:
        self._buffer = buffer
        self._loop = asyncio.get_running_loop()
        self._lines: dict[str, collections.deque[_Waiter]] = collections.defaultdict(
            collections.deque
        )
        # A descriptor of our own, which stays when the replay is closed.
        self._event = os.dup(buffer.event())
        self._loop.add_reader(self._event, self._look_again)

    async def sample(
        self, table: str, batch_size: int, **options: Any
    ) -> tables.Sample:
        """As `TableHandle.sample`, but for `timeout`."""
        handle = self._buffer.tables[table]
        return await self._wait_in(
            f"sample {table}", lambda: handle.sample(batch_size, timeout=0, **options)
        )

    async def append(self, rows: columns.Nest, *flags: Any, **options: Any) -> Any:
        """As `Replay.append`, but for `timeout`."""
        return await self._wait_in(
            "append", lambda: self._buffer.append(rows, *flags, timeout=0, **options)
        )

    async def append_steps(
        self, rows: columns.Nest, *flags: Any, **options: Any
    ) -> Any:
        """As `Replay.append_steps`, but for `timeout`."""
        return await self._wait_in(
            "append",
            lambda: self._buffer.append_steps(rows, *flags, timeout=0, **options),
        )

    async def append_chunk(
        self, writer: str, number: int, rows: columns.Nest, *flags: Any, **options: Any
    ) -> bool:
        """As `Replay.append_chunk`, but for `timeout`."""
        return await self._wait_in(
            "append",
            lambda: self._buffer.append_chunk(
                writer, number, rows, *flags, timeout=0, **options
            ),
        )

    async def aclose(self) -> None:
        """Ends all waits with `ClosedError`. The replay stays open."""
        self._loop.remove_reader(self._event)
        os.close(self._event)
        for line in self._lines.values():
            for waiter in line:
                if not waiter.future.done():
                    waiter.future.set_exception(
                        _core.ClosedError("the AsyncReplay is closed")
                    )
            line.clear()

    async def _wait_in(self, line: str, attempt: Callable[[], _T]) -> _T:
        waiters = self._lines[line]
        if not waiters:
            try:
                return attempt()
            except TimeoutError:
                pass
        waiter = _Waiter(attempt, self._loop.create_future())
        waiters.append(waiter)
        self._look_again()  # What changed before it stood in line.
        try:
            result: _T = await waiter.future
        except asyncio.CancelledError:
            self._look_again()  # Those behind it need not wait for a change.
            raise
        return result

    def _look_again(self) -> None:
        """Serves each line until its first cannot go."""
        self._buffer.clear_event()
        for waiters in self._lines.values():
            while waiters and waiters[0].try_to_go():
                waiters.popleft()


class _Waiter:
    """A call that waits."""

    def __init__(self, attempt: Callable[[], Any], future: asyncio.Future[Any]) -> None:
        self._attempt = attempt
        self.future = future

    def try_to_go(self) -> bool:
        """Whether it has gone, or has failed, or is waited for no more."""
        if self.future.done():
            return True
        try:
            self.future.set_result(self._attempt())
        except TimeoutError:
            return False
        except Exception as error:  # noqa: BLE001
            # Whatever it is, it belongs to the task that made the call.
            self.future.set_exception(error)
        return True
