"""A replay service in a process of its own, which may be killed and made again."""

from __future__ import annotations

import pathlib
import signal
import subprocess
import sys
from collections.abc import Callable
from multiprocessing import connection
from typing import Any

SERVE = """
import sys
sys.path.append(sys.argv[1])
from tests.distributed import remote
remote.serve(sys.argv[2], sys.argv[3])
"""


def serve(directory: str, address: str) -> None:
    """Answers one caller's calls until it hangs up."""
    from tests.distributed import toys

    service = toys.make_service(pathlib.Path(directory))
    service.values = lambda: toys.values(service)  # type: ignore[attr-defined]
    with connection.Listener(address) as listener, listener.accept() as caller:
        while True:
            name, arguments = caller.recv()
            try:
                caller.send((getattr(service, name)(*arguments), None))
            except Exception as error:  # noqa: BLE001 - the caller raises it.
                caller.send((None, error))


class KilledShard:
    """A shard in a process that is killed at each of the calls `kill_at`.

    The call is on its way then: whether it was carried out, nobody knows. The next call
    finds a new process of the same directory.
    """

    def __init__(self, directory: pathlib.Path, *, kill_at: set[int]) -> None:
        self._directory = directory
        self._kill_at = kill_at
        self._num_calls = 0
        self._num_lives = 0
        self._caller: Any = None
        self._process: Any = None

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *arguments: self._call(name, arguments)

    def _call(self, name: str, arguments: tuple[Any, ...]) -> Any:
        if self._process is None:
            self._begin()
        self._num_calls += 1
        self._caller.send((name, arguments))
        if self._num_calls in self._kill_at:
            self.kill()
            raise ConnectionError("killed")
        result, error = self._caller.recv()
        if error is not None:
            raise error
        return result

    def _begin(self) -> None:
        address = str(self._directory / f"socket-{self._num_lives}")
        self._num_lives += 1
        root = str(pathlib.Path(__file__).parents[2])
        self._process = subprocess.Popen(
            [sys.executable, "-c", SERVE, root, str(self._directory / "r"), address]
        )
        while self._caller is None:  # Bounded by the process, and by the test.
            assert self._process.poll() is None, "the service did not start"
            try:
                self._caller = connection.Client(address)
            except (FileNotFoundError, ConnectionRefusedError):
                pass  # It is not up yet.

    def kill(self) -> None:
        """As `kill -9` does."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self._caller.close()
        self._process = self._caller = None
