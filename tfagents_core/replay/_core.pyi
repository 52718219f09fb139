import enum
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

class ClosedError(RuntimeError): ...
class DamagedCheckpointError(RuntimeError): ...

class FileSum:
    def __init__(self, name: str, bytes: int, crc32c: int) -> None: ...
    @property
    def name(self) -> str: ...
    @property
    def bytes(self) -> int: ...
    @property
    def crc32c(self) -> int: ...

def verify_file(directory: str, expected: FileSum) -> None: ...

class ViewKind(enum.Enum):
    ROW = ...
    ROWS = ...
    RETURN = ...
    DISCOUNT = ...
    MASK = ...
    STEP = ...
    STEPS = ...
    IS_FIRST = ...

class PatternKind(enum.Enum):
    N_STEP = ...
    SEQUENCE = ...
    EPISODE = ...
    EXPLICIT = ...
    UNROLL = ...

class SelectorKind(enum.Enum):
    UNIFORM = ...
    PRIORITIZED = ...
    FIFO = ...
    LIFO = ...
    MIN_HEAP = ...
    MAX_HEAP = ...
    WITHOUT_REPLACEMENT = ...

class Column:
    def __init__(
        self, name: str, dtype: str, shape: Sequence[int], compression: str = ""
    ) -> None: ...

class View:
    def __init__(
        self,
        *,
        kind: ViewKind,
        column: int = 0,
        discount: int = 0,
        start: int = 0,
        stop: int = 0,
        stack: int = 0,
        gamma: float = 1.0,
        before: bool = False,
    ) -> None: ...
    time_major: bool

class Pattern:
    def __init__(
        self,
        *,
        kind: PatternKind,
        length: int = 1,
        period: int = 1,
        pad: bool = True,
        short_starts: bool = True,
    ) -> None: ...

class Selector:
    def __init__(
        self,
        *,
        kind: SelectorKind,
        alpha: float = 1.0,
        stratified: bool = False,
        uniform_mix: float = 0.0,
    ) -> None: ...

class RateLimiter:
    def __init__(
        self,
        *,
        samples_per_insert: float = 1.0,
        min_size: int = 1,
        min_diff: float = ...,
        max_diff: float = ...,
    ) -> None: ...

class TableOptions:
    def __init__(
        self,
        *,
        name: str,
        sampler: Selector,
        remover: Selector,
        max_size: int,
        max_times_sampled: int,
        rate_limiter: RateLimiter,
        pattern: Pattern,
        insert_on_sample: str,
        views: Sequence[View],
    ) -> None: ...

class ReplayOptions:
    def __init__(
        self,
        *,
        columns: Sequence[Column],
        tables: Sequence[TableOptions],
        num_streams: int,
        rows_per_append: int,
        history: int,
        segment_rows: int,
        max_bytes: int,
        seed: int,
        shard: int,
        epoch: int,
        storage_directory: str,
    ) -> None: ...

class TableStats:
    @property
    def size(self) -> int: ...
    @property
    def num_inserted(self) -> int: ...
    @property
    def num_sampled(self) -> int: ...
    @property
    def num_deleted(self) -> int: ...
    @property
    def num_stale_updates(self) -> int: ...
    @property
    def max_priority(self) -> float: ...
    @property
    def total_weight(self) -> float: ...
    @property
    def least_weight(self) -> float | None: ...

class Replay:
    def __init__(self, options: ReplayOptions) -> None: ...
    def append(
        self,
        arrays: Sequence[Any],
        first: bool | npt.ArrayLike,
        last: bool | npt.ArrayLike,
        streams: npt.ArrayLike | None,
        priorities: Sequence[npt.ArrayLike | None] | None,
        timeout: float | None,
        return_keys: bool,
        /,
    ) -> list[npt.NDArray[np.int64]] | None: ...
    def append_chunk(
        self,
        writer: str,
        number: int,
        arrays: Sequence[Any],
        first: bool | npt.ArrayLike,
        last: bool | npt.ArrayLike,
        priorities: Sequence[npt.ArrayLike | None] | None,
        timeout: float | None,
        ask_limiters: bool,
        /,
    ) -> bool: ...
    def close_writer(self, writer: str, number: int, /) -> bool: ...
    def last_number(self, writer: str, /) -> int: ...
    def writers(self) -> dict[str, int]: ...
    def event(self) -> int: ...
    def clear_event(self) -> None: ...
    def append_steps(
        self,
        arrays: Sequence[Any],
        first: bool | npt.ArrayLike,
        last: bool | npt.ArrayLike,
        stream: int,
        priorities: Sequence[npt.ArrayLike | None] | None,
        timeout: float | None,
        return_keys: bool,
        /,
    ) -> list[npt.NDArray[np.int64]] | None: ...
    def row_appender(
        self,
    ) -> Callable[
        [
            Sequence[Any],  # columns
            bool | npt.ArrayLike,  # first
            bool | npt.ArrayLike,  # last
            int,  # stream
            Sequence[npt.ArrayLike | None] | None,  # priorities
            float | None,  # timeout
            bool,  # return_keys
        ],
        list[npt.NDArray[np.int64]] | None,
    ]: ...
    def create_item(
        self,
        table: int,
        stream: int,
        back: int,
        length: int,
        priority: float | None,
        timeout: float | None,
        /,
    ) -> int: ...
    def sample(
        self,
        table: int,
        batch_size: int,
        beta: float,
        by_table: bool,
        timeout: float | None,
        out: tuple[Sequence[Any], Sequence[Any]] | None,
        num_batches: int,  # 0: no axis of batches
        /,
    ) -> tuple[tuple[Any, ...], tuple[Any, ...]]: ...
    def get(
        self, table: int, keys: npt.ArrayLike, skip: bool, /
    ) -> tuple[tuple[Any, ...], tuple[Any, ...]]: ...
    def keys(self, table: int, /) -> npt.NDArray[np.int64]: ...
    def set_alpha(self, table: int, alpha: float, /) -> None: ...
    def set_rate_limiter(self, table: int, rate_limiter: RateLimiter, /) -> None: ...
    def update_priorities(
        self, table: int, keys: npt.ArrayLike, priorities: npt.ArrayLike, /
    ) -> int: ...
    def delete(self, table: int, keys: npt.ArrayLike, /) -> int: ...
    def overwrite(
        self,
        table: int,
        keys: npt.ArrayLike,
        columns: Sequence[int],
        arrays: Sequence[Any],  # without a stop [N, *shape], else [N, T, *shape]
        start: int,
        stop: int | None,
        /,
    ) -> int: ...
    def outputs(self, table: int, /) -> list[tuple[str, tuple[int, ...], int]]: ...
    def why_not_sample(self, table: int, n: int, /) -> str: ...
    def why_not_insert(self, table: int, n: int, /) -> str: ...
    def check_batch_size(
        self, table: int, batch_size: int, num_prefetched: int, /
    ) -> None: ...
    def stats(self, table: int, /) -> TableStats: ...
    def projected_bytes(self, table: int, /) -> int: ...
    def reset(self) -> None: ...
    def save(
        self, directory: str, base: str, when_copied: Callable[[], object] | None, /
    ) -> list[FileSum]: ...
    def saved_names(self) -> list[str]: ...
    def restore(
        self, directory: str, files: Sequence[FileSum], epoch: int | None, /
    ) -> None: ...
    def wait_until_compressed(self, timeout: float | None, /) -> None: ...
    def close(self) -> None: ...
    def check_valid(self) -> None: ...
    @property
    def closed(self) -> bool: ...
    @property
    def bytes_allocated(self) -> int: ...
    @property
    def bytes_in_use(self) -> int: ...
    @property
    def pool_bytes_allocated(self) -> int: ...
