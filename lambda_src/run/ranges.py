"""Where the blobs have the lines of each shard, and what these hold."""

from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import NamedTuple

from lambda_src.job import Shards
from lambda_src.store.digests import digest_at
from lambda_src.store.keys import variant
from lambda_src.wire.reports import BlockReport, Range


def ranges_of(blocks: Iterable[BlockReport], line: int) -> list[Range]:
    """The ranges of a line in the blobs of ``blocks``."""
    return [_range(block, line, _start(block, line)) for block in blocks]


def ranges_by_shard(blocks: Sequence[BlockReport], shards: Shards) -> list[list[Range]]:
    """The ranges that the reducers of all shards read, in order."""
    found: list[list[Range]] = [[] for _ in range(shards.lines)]
    for block in blocks:
        starts = accumulate((size + 1 for size in block.line_bytes), initial=block.header_bytes)
        for line, (ranges, start) in enumerate(zip(found, starts, strict=False)):
            ranges.append(_range(block, line, start))
    return [found[shards.line_of(shard)] for shard in range(shards.count)]


def _start(block: BlockReport, line: int) -> int:
    """A newline is behind each line."""
    return block.header_bytes + sum(block.line_bytes[:line]) + line


def _range(block: BlockReport, line: int, start: int) -> Range:
    return Range(
        block.block,
        start,
        block.line_bytes[line],
        digest_at(line, block.line_digests),
        block.blob or variant(block.left_out),
        block.observed_in_line(line),
    )


class Written(NamedTuple):
    """What the blocks wrote for a reducer, or what that has read: the number of blobs, the sum of the digests
    of the lines, which identifies them in any order, and their observations. Versions without digests have
    an empty sum."""

    blobs: int
    lines: str
    observed: int


def written(blocks: Sequence[BlockReport], line: int) -> Written:
    """What ``blocks`` wrote in this line of theirs."""
    observed = sum(block.observed_in_line(line) for block in blocks)
    return Written(len(blocks), lines_written([line], blocks), observed)


def written_at(ranges: Sequence[Range]) -> Written:
    """What the blocks wrote at ``ranges``."""
    return Written(len(ranges), _sum(one.digest for one in ranges), sum(one.observed for one in ranges))


def lines_written(lines: Sequence[int], blocks: Iterable[BlockReport]) -> str:
    """The sum of the digests of these ``lines`` in all ``blocks``."""
    return _sum(digest_at(line, block.line_digests) for block in blocks for line in lines)


def _sum(digests: Iterable[bytes]) -> str:
    every = list(digests)
    return f"{sum(map(int.from_bytes, every)):x}" if every and all(every) else ""
