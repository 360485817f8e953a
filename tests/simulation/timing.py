"""How long the engine's own work takes in a simulation: a little in small runs, by a job's figures in large
ones."""

import math
import random
from collections.abc import Sequence

from lambda_src.figures import Figures, values_of
from lambda_src.job import Shards, Span
from lambda_src.run.model import blob_share

BYTES_PER_S = 80e6
"""Between a Lambda and S3."""


class Timing:
    """Of a small run: a block takes ``map_s``, or up to ``spread`` times as long; all else takes no time."""

    invoke_s, connect_s = 0.0005, 0.0
    """Processor time of a call, and more of one on a new connection."""

    reads_in_bulk = False
    """Whether a reducer's reads are one event, because they are too many to have one each."""

    def __init__(self, chance: random.Random, map_s: float, spread: float) -> None:
        self._chance, self._map_s, self._spread = chance, map_s, spread

    def map_s(self, _block: Span, _get_s: Sequence[float]) -> float:
        """From the first request for a block's input until its lines are counted; the requests would take
        ``get_s`` each."""
        return self._map_s * self._chance.uniform(1.0, self._spread)

    def gets(self, _block: Span) -> int:
        """Requests for the input of a block."""
        return 1

    def blob_bytes(self, _block_units: int, real: int) -> float:
        """The size of a blob, which really has ``real`` bytes."""
        return real

    def line_bytes(self, _shards: Shards, _shard: int, real: int) -> float:
        """The size of a line of a blob."""
        return real

    def line_s(self, _line_bytes: float) -> float:
        """Processor time to read and sum a line."""
        return 0.0

    def imports_s(self, _function: str) -> float:
        """Of a cold start."""
        return 0.09

    def memory_mb(self, _function: str) -> int:
        """Of a function."""
        return 1769


class FiguredTiming(Timing):
    """Of a large run of a job with these figures."""

    def __init__(self, figures: Figures, *, reads_in_bulk: bool) -> None:
        self._of = of = values_of(figures)
        self.invoke_s, self.connect_s = of["invoke"], of["connect_call"]
        self.reads_in_bulk = reads_in_bulk
        self._blob_bytes = 0.0

    def map_s(self, block: Span, get_s: Sequence[float]) -> float:
        """Text is counted while it arrives."""
        of, size = self._of, block.end - block.start
        fetch_s, count_s = size / BYTES_PER_S, size / 1e6 / of["count"] / of["arm"]
        return sum(get_s) + of["prepare"] / of["arm"] + max(fetch_s, count_s)

    def gets(self, block: Span) -> int:
        """One for each window."""
        return math.ceil((block.end - block.start) / self._of["window"])

    def blob_bytes(self, block_units: int, _real: int) -> float:
        """By the size of the block."""
        self._blob_bytes = block_units * blob_share(block_units, self._of)
        return self._blob_bytes

    def line_bytes(self, shards: Shards, shard: int, _real: int) -> float:
        """One part is the largest; the others have the rest, and shards of keys the same."""
        mean, largest = self._blob_bytes / shards.count, self._of["largest_part"]
        if shards.by == "key" or shards.count == 1:
            return mean
        return mean * (largest if shard == 0 else (shards.count - largest) / (shards.count - 1))

    def line_s(self, line_bytes: float) -> float:
        """As figures say."""
        return self._of["read"] + line_bytes / 1e6 / self._of["reduce"] / self._of["arm"]

    def imports_s(self, function: str) -> float:
        """As figures say."""
        of = self._of
        if function == "parse_block":
            return of["imports_map"] + of["imports_job"] + of["connect"]
        return of["imports_other"]

    def memory_mb(self, function: str) -> int:
        """As the stack has it."""
        return 1769 if function in ("parse_file", "parse_block", "get_occurrences") else 885
