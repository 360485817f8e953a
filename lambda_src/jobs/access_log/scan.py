"""What a scanner does: it counts the requests of a block's lines. There is one in C, and one in Python for
where the layer lacks the library. Both give the same bytes."""

from collections.abc import Callable, Sequence
from typing import Protocol

from lambda_src.job import Line, Shards
from lambda_src.jobs.access_log.formats import Noticed

LIBRARY = "fanfold.libs/scan-0f53c6be.so"
ASKED_LIBRARY = "fanfold.libs/asked-2dfafc30.so"
"""The paths of the compiled scan.c and asked.c in the layer, with a hash of the source."""

HOURS = tuple(str(hour) for hour in range(24))
MALFORMED = "malformed"
PARTS = (*HOURS, MALFORMED)

LONGEST_PATH = 2048
"""Bytes. 24 hours of 20 such paths fit Lambda's 6 MB, even if JSON needs 6 bytes for each of theirs."""

REQUESTS, FAILED = "requests", "5xx"
"""The columns of a path."""

SENT, SENT_HIGH, SENT_BITS = "sent", "sent_high", 40
"""Names of sums: bytes sent may take more than 64 bits, so what is above ``SENT_BITS`` is summed by itself.
All others are statuses."""

MOST_HELD_BYTES = 200_000_000
"""Estimated memory of the distinct paths that a block holds at once, those of each hour apart. With more,
what was counted is written to its lines, and counting begins again."""
ENTRY_BYTES = 64
"""Estimated memory of a path in C beside its own bytes."""


class Scan(Protocol):
    """Counts the lines of one block. An error ends it."""

    def add(self, chunk: bytes, start: int, end: int) -> Noticed:
        """Count the lines ``chunk[start:end]``, which all end with ``\\n``. Raises TooManyDistinct,
        OutOfMemory."""

    def lines(self) -> Sequence[Line]:
        """What was counted, shard by shard, as ``counts.table`` describes it. Malformed lines have an empty
        key. This ends the scan. Raises TooManyDistinct, OutOfMemory."""


Scanner = Callable[[Shards], Scan]
