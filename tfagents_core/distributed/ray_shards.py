"""Shards of the replay as Ray actors. They import no TensorFlow."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import ray
from ray import exceptions

from tfagents_core import replay
from tfagents_core.distributed import ray_cluster, service

# Calls that wait for a rate limiter cannot keep others from being answered.
_THREADS = {"insert": 4, "sample": 4, "admin": 1}
_ANSWER_S = 30.0


class _Host:
    """Runs a `ReplayService`; Ray makes it again after its process died."""

    def __init__(
        self,
        rows: Any,
        tables: Sequence[replay.Table],
        options: Mapping[str, Any],
        directory: str,
        batch_sizes: Mapping[str, int],
    ) -> None:
        buffer = replay.Replay(rows, tables, **options)
        self._service = service.ReplayService(
            buffer, directory, batch_sizes=batch_sizes
        )

    @ray.method(concurrency_group="insert")
    def open_writers(self, *arguments: Any) -> None:
        self._service.open_writers(*arguments)

    @ray.method(concurrency_group="insert")
    def append_chunk(self, *arguments: Any) -> bool:
        return self._service.append_chunk(*arguments)

    @ray.method(concurrency_group="sample")
    def sample(self, *arguments: Any) -> list[replay.Sample]:
        return self._service.sample(*arguments)

    @ray.method(concurrency_group="sample")
    def update_priorities(self, *arguments: Any) -> int:
        return self._service.update_priorities(*arguments)

    @ray.method(concurrency_group="admin")
    def stats(self) -> tuple[int, service.ShardStats]:
        """The process's id, which tells its lives apart, and what the shard holds."""
        return os.getpid(), self._service.stats()

    @ray.method(concurrency_group="admin")
    def save(self) -> None:
        self._service.save()


def start(
    rows: Any,
    tables: Sequence[replay.Table],
    *,
    options: Mapping[str, Any],
    directory: pathlib.Path,
    batch_sizes: Mapping[str, int],
) -> Any:
    """Starts a shard on this machine; returns its handle.

    Args:
        rows: nest of specs of a row.
        tables: of the shard.
        options: the other arguments of `replay.Replay`.
        directory: for the shard's checkpoints and logs.
        batch_sizes: items that one draw takes, by table.
    """
    made = {**ray_cluster.cpu_options(num_cpus=0), **ray_cluster.here()}
    made.update(max_restarts=-1, concurrency_groups=_THREADS)
    host = ray.remote(**made)(_Host)
    return host.remote(rows, list(tables), dict(options), str(directory), batch_sizes)


class RayShard:
    """Passes calls on to a shard; a `service.Shard` for any process of the cluster.

    Args:
        handle: of `start`.
    """

    def __init__(self, handle: Any) -> None:
        self._handle = handle

    def open_writers(self, actor: str, token: str) -> None:
        """See `service.ReplayService.open_writers`."""
        _call(self._handle.open_writers, actor, token)

    def append_chunk(self, *arguments: Any) -> bool:
        """See `service.ReplayService.append_chunk`."""
        return bool(_call(self._handle.append_chunk, *arguments))

    def sample(self, *arguments: Any) -> list[replay.Sample]:
        """See `service.ReplayService.sample`."""
        samples: list[replay.Sample] = _call(self._handle.sample, *arguments)
        return samples

    def update_priorities(self, *arguments: Any) -> int:
        """See `service.ReplayService.update_priorities`."""
        return int(_call(self._handle.update_priorities, *arguments))


def _call(method: Any, *arguments: Any) -> Any:
    try:
        return ray.get(method.remote(*arguments), timeout=_ANSWER_S)
    except exceptions.GetTimeoutError as error:  # Is a TimeoutError too.
        raise ConnectionError(f"no answer within {_ANSWER_S:g} s") from error
    except (exceptions.RayActorError, exceptions.ObjectLostError) as error:
        raise ConnectionError(str(error)) from error
