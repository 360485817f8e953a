"""Choices of columns, and their ranks: first all with one predictor, then two, then three.

Within a size the predictor sets are ranked by the combinatorial number system, and each set is tried on every
other column, so that what the targets of a set have in common is computed once.
"""

from bisect import bisect_right
from collections.abc import Iterator
from functools import cache
from math import comb
from typing import NamedTuple

from lambda_src.job import Span

SIZES = (1, 2, 3)

BLOCKS = 32
MIN_BLOCK_CHOICES = 100_000

BATCH_CHOICES = 1 << 14
"""Number of choices computed at once: about ten arrays of as many floats fit into a processor's second-level
cache."""


class Choice(NamedTuple):
    """Columns by number; ``predictors`` ascending."""

    target: int
    predictors: tuple[int, ...]


def choices(columns: int) -> int:
    """How many choices a table has.

    >>> [choices(columns) for columns in (2, 3, 4, 500)]
    [2, 9, 28, 10354499500]
    """
    return sum(_of_size(size, columns) for size in SIZES)


def _of_size(size: int, columns: int) -> int:
    return comb(columns, size) * max(columns - size, 0)


def block_choices(columns: int) -> int:
    """How many choices a block has by default.

    A processor tests 25 to 60 million a second, but every block reads the table (50 MB/s) and multiplies its
    columns (up to 6 s). So a table has at most ``BLOCKS`` blocks. With 500 columns, the most, a block takes 5
    s of tests on a core of a server, and about twice that on Lambda. Fewer choices than ``MIN_BLOCK_CHOICES``
    are not worth starting a function.

    >>> [block_choices(columns) for columns in (2, 80, 500)]
    [100000, 205598, 323578110]
    """
    return max(-(-choices(columns) // BLOCKS), MIN_BLOCK_CHOICES)


def unrank(rank: int, columns: int) -> Choice:
    """The choice of that rank.

    >>> [unrank(rank, 3) for rank in (0, 1, 5, 8)]  # doctest: +NORMALIZE_WHITESPACE
    [Choice(target=1, predictors=(0,)), Choice(target=2, predictors=(0,)),
     Choice(target=1, predictors=(2,)), Choice(target=0, predictors=(1, 2))]
    """
    size = 1
    while rank >= _of_size(size, columns):
        rank -= _of_size(size, columns)
        size += 1
    set_rank, target = divmod(rank, columns - size)
    predictors: tuple[int, ...] = ()
    for place in range(size, 0, -1):
        # The combinatorial number system: the largest column with no more than that many sets below it.
        column = bisect_right(_sets_below(columns, place), set_rank) - 1
        set_rank -= comb(column, place)
        predictors = (column, *predictors)
    for predictor in predictors:
        target += predictor <= target
    return Choice(target, predictors)


@cache
def _sets_below(columns: int, size: int) -> list[int]:
    """For each column, the number of sets of this size that have only columns before it."""
    return [comb(column, size) for column in range(columns)]


class Batch(NamedTuple):
    """Consecutive choices: ``others`` and one of ``rows`` predict each other column, except the first
    ``skip`` targets of the first row and the last ``cut`` targets of the last."""

    rows: range
    others: tuple[int, ...]
    skip: int
    cut: int
    choices: int


def batches(block: Span, columns: int) -> Iterator[Batch]:
    """The choices of ``block``, in order."""
    rank = block.start
    while rank < block.end:
        target, (row, *others) = unrank(rank, columns)
        skip = target - sum(predictor < target for predictor in (row, *others))
        targets = columns - 1 - len(others)
        most = min(max(1, BATCH_CHOICES // columns), -(-(block.end - rank + skip) // targets))
        rows = range(row, min(row + most, others[0] if others else columns))
        cut = max(0, rank - skip + len(rows) * targets - block.end)
        tested = len(rows) * targets - skip - cut
        yield Batch(rows, tuple(others), skip, cut, tested)
        rank += tested


def targets_of_row(batch: Batch, row: int, columns: int) -> list[int]:
    return [column for column in range(columns) if column not in (batch.rows[row], *batch.others)]
