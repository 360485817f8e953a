"""Blocks: ranges of a run's units."""

from typing import NamedTuple

MAX_BLOCKS = 100_000
"""Bounds the manifest and the reducers' reads however many units there are."""


SMALLEST_BYTES = 5 << 20
"""Below it, a Lambda's start and requests outweigh its work."""

ENOUGH_BYTES = 16 << 20
"""Above it, a Lambda that dies, or is slow, costs more; and a block may have too many distinct words."""

ENOUGH_BLOCKS = 64
"""As many are begun at once. Every block is one more read for every reducer: with more blocks these wait for
S3 longer than the blocks get faster, and cost more (docs/performance.md)."""

MOST_PER_LAMBDA = 16
"""With more blocks each, invoking them and reading their blobs takes longer than they do."""


class Block(NamedTuple):
    """Block ``number`` (from 0), nominally units ``[start, end)``."""

    number: int
    start: int
    end: int


def fitting_block_bytes(input_bytes: int, max_concurrency: int) -> int:
    """The size of a block where nobody says one: for ``ENOUGH_BLOCKS``, but not below ``SMALLEST_BYTES``, nor
    above ``ENOUGH_BYTES`` unless each of so many Lambdas would have more than ``MOST_PER_LAMBDA``.

    >>> [fitting_block_bytes(size, 250) / 10**6 for size in (10**8, 10**9, 10**10)]
    [5.24288, 15.625, 16.777216]
    >>> fitting_block_bytes(10**12, 500) // 10**6
    125
    """
    few = -(-input_bytes // ENOUGH_BLOCKS)
    most = -(-input_bytes // (MOST_PER_LAMBDA * max_concurrency))
    return max(SMALLEST_BYTES, min(ENOUGH_BYTES, few), most)


def bounded_block_units(units: int, block_units: int) -> int:
    """``block_units``, raised as far as it takes to need at most ``MAX_BLOCKS``.

    >>> bounded_block_units(1_000_000_000, 5_000_000)
    5000000
    >>> bounded_block_units(5 * 10**12, 5_000_000)
    50000000
    """
    return max(block_units, -(-units // MAX_BLOCKS))


def split(units: int, block_units: int) -> list[Block]:
    """Cut ``units`` into blocks of ``block_units``, the last one shorter.

    >>> split(5, 2)
    [Block(number=0, start=0, end=2), Block(number=1, start=2, end=4), Block(number=2, start=4, end=5)]
    >>> split(0, 2)
    []
    """
    starts = range(0, units, block_units)
    return [Block(number, start, min(start + block_units, units)) for number, start in enumerate(starts)]
