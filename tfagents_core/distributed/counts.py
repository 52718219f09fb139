"""What several shards of a replay hold together."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from tfagents_core import replay
from tfagents_core.distributed import service


@dataclasses.dataclass(frozen=True)
class Totals:
    """Counts of a table over all shards.

    Attributes:
        table: its name.
        size: items in it.
        num_inserted: items ever inserted.
        num_sampled: items ever sampled.
        target: samples per insert that its rate limiter keeps; None where it keeps none.
    """

    table: str
    size: int
    num_inserted: int
    num_sampled: int
    target: float | None

    @staticmethod
    def of(table: replay.Table, shards: Sequence[service.ShardStats]) -> Totals:
        """Sums up the counts of those shards that are known."""
        counts = [shard.tables[table.name] for shard in shards]
        return Totals(
            table.name,
            size=sum(count.size for count in counts),
            num_inserted=sum(count.num_inserted for count in counts),
            num_sampled=sum(count.num_sampled for count in counts),
            target=getattr(table.rate_limiter, "samples_per_insert", None),
        )

    @property
    def ratio(self) -> float:
        """Samples per insert so far."""
        return self.num_sampled / self.num_inserted if self.num_inserted else 0.0


def describe(totals: Totals, *, is_only: bool) -> str:
    """Such as `12,924 items; 29.8 samples per insert (target 32)`."""
    words = f"{totals.size:,} items; {totals.ratio:.1f} samples per insert"
    if totals.target is not None:
        words += f" (target {totals.target:g})"
    return words if is_only else f"{totals.table}: {words}"
