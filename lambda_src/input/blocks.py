"""Blocks: ranges of a run's units."""

from typing import NamedTuple

MAX_BLOCKS = 100_000
"""Most blocks of a run, which bounds the manifest and the reads of reducers for any input."""


SMALLEST_BYTES = 5 << 20
"""Smallest block: below this, a Lambda's start and requests outweigh its work."""

LARGEST_BYTES = 1 << 30
"""Largest block: a Lambda that dies on a larger one loses more than 13 s of work."""

LEAST_BLOCKS = 16
"""Fewest blocks, unless they would be smaller than ``SMALLEST_BYTES``: a lost or slow block costs a sixteenth
of the work, and people see progress."""


class Block(NamedTuple):
    """Block ``number`` (from 0), nominally units ``[start, end)``."""

    number: int
    start: int
    end: int


def bounded_block_units(units: int, block_units: int) -> int:
    """``block_units``, raised so that there are at most ``MAX_BLOCKS``.

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
