"""The Ray cluster that a run uses: one that exists, or its own on this machine."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Mapping
from typing import Any, ClassVar

try:
    import ray
except ImportError as error:  # pragma: no cover
    raise ImportError(
        "A run on Ray needs Ray, which is not installed: "
        "pip install 'tfagents-core[ray]'"
    ) from error
from ray._private import ray_constants
from ray.util import scheduling_strategies

_CONNECT_S = 10.0
# One thread per operation and one operation at a time: many small processes share the
# machine, and TensorFlow would start as many threads as there are cores in each.
_SINGLE_THREADED = {
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}
_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3"}
# Ray hides GPUs from who asks for none in some releases and not in others.
_NO_GPU = {"CUDA_VISIBLE_DEVICES": "-1"}


class Cluster:
    """A connection to a cluster; all of a process are the same one.

    Without an address, and where the process is not connected yet, it starts a cluster
    of this machine, which listens on loopback alone, has no dashboard, and ends when
    all are closed, or with the process.

    Args:
        address: of a cluster that exists, such as `"10.0.0.1:6379"` or `"auto"`; None
            or `"local"` for one of this machine.
        num_cpus: that the run asks for.

    Attributes:
        num_gpus: GPUs of the whole cluster.

    Raises:
        ConnectionError: there is no cluster at the address.
        ValueError: the cluster has fewer CPUs than the run asks for.
    """

    _num_open: ClassVar = 0  # Of those that share the connection that one has begun.

    def __init__(self, address: str | None, *, num_cpus: int) -> None:
        is_connected = ray.is_initialized()
        if not is_connected and address in (None, "local"):
            _start(num_cpus)
        elif not is_connected:
            _check_reachable(str(address))
            ray.init(address=address, log_to_driver=False, logging_level="ERROR")
        # Where somebody else has connected the process, that one ends it, too.
        self._is_own = not is_connected or Cluster._num_open > 0
        Cluster._num_open += self._is_own
        resources = ray.cluster_resources()
        self.num_gpus = int(resources.get("GPU", 0))
        there = int(resources.get("CPU", 0))
        if there < num_cpus:
            self.close()
            raise ValueError(
                f"The Ray cluster has {there} CPUs and the run needs {num_cpus}: one "
                "for each actor and one for the learner, or one for each environment "
                "worker; use fewer of them, or add nodes."
            )

    def close(self) -> None:
        """Leaves the cluster; the last to do so ends it if it was started here."""
        if not self._is_own:
            return
        self._is_own = False
        Cluster._num_open -= 1
        if Cluster._num_open == 0:
            ray.shutdown()


def _check_reachable(address: str) -> None:
    """Raises ConnectionError at once; Ray itself would go on trying for minutes."""
    host, _, port = address.rpartition(":")
    if not port.isdigit() or "://" in address:
        return  # Such as "auto".
    try:
        where = (host.strip("[]"), int(port))
        socket.create_connection(where, timeout=_CONNECT_S).close()
    except (OSError, OverflowError) as error:
        raise ConnectionError(str(error)) from error


def _start(num_cpus: int) -> None:
    # Ray's switch for systems where it supports no clusters of several machines: there
    # it listens on loopback. An address given to `ray.init` would not do: it replaces
    # 127.0.0.1 by the machine's address in the network.
    before = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = False
    # Ray's processes inherit the mask. They would end at once when all processes of the
    # job are sent SIGTERM, as Slurm does, and the learner with them, before it is saved.
    # (Ray itself blocks SIGINT in them.)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        ray.init(
            num_cpus=max(num_cpus, os.cpu_count() or 1),
            include_dashboard=False,
            log_to_driver=False,
            logging_level="ERROR",
            # Else whatever else this machine does goes before the run.
            _system_config={"worker_niceness": 0},
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        ray_constants.ENABLE_RAY_CLUSTER = before


def cpu_options(*, num_cpus: float, spread: bool = False) -> dict[str, Any]:
    """Options of a Ray actor that computes little and must not see a GPU.

    Args:
        num_cpus: that it occupies.
        spread: whether to place it apart from its like.
    """
    options = _options({**_QUIET, **_SINGLE_THREADED, **_NO_GPU}, num_cpus=num_cpus)
    if spread:
        options["scheduling_strategy"] = "SPREAD"
    return options


def learner_options(num_gpus: int) -> dict[str, Any]:
    """Options of the Ray actor that learns.

    Args:
        num_gpus: of the cluster; it takes one where there is one.
    """
    variables = {**_QUIET, "TF_FORCE_GPU_ALLOW_GROWTH": "true"}
    if num_gpus == 0:
        variables.update(_NO_GPU)
    return {**_options(variables, num_cpus=1), "num_gpus": min(num_gpus, 1)}


def here() -> dict[str, Any]:
    """Options that keep a Ray actor on this machine, where the run directory is."""
    node = ray.get_runtime_context().get_node_id()
    strategy = scheduling_strategies.NodeAffinitySchedulingStrategy(node, soft=False)
    return {"scheduling_strategy": strategy}


def _options(variables: Mapping[str, str], *, num_cpus: float) -> dict[str, Any]:
    return {
        "num_cpus": num_cpus,
        "runtime_env": {"env_vars": dict(variables)},
        "max_restarts": 0,
        "max_task_retries": 0,
    }
