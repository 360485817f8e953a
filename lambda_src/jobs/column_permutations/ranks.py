"""Choices of columns: a target, and a set of predictors.

Sets are ranked: first all of one predictor, then of two, and so on; within a size by the combinatorial number
system. Each set is tried on every target, so that what its targets have in common is computed once. Reducers
divide the ranks of sets.
"""

from bisect import bisect_right
from functools import cache
from math import comb
from typing import NamedTuple

from lambda_src.job import Span

SHARE = 50_000_000
"""Choices that are worth a reducer: it tests about 55 million a second, and needs up to a second to add sums
of 500 columns."""

BEGIN = 5_000
"""Choices that could be tested while the arithmetic for one more batch begins, and one more for each pair of
predictors."""

SHARES = 64
"""As many reducers as there are for speed: each reads what all blocks have found."""

MOST_OF_A_SHARE = 6_000_000_000
"""Choices that a reducer tests within its time. So those of 500 columns, with up to four predictors, take 220
reducers."""


class Space(NamedTuple):
    """The choices of a run: 1 to ``most`` of ``predictors`` columns explain one of ``targets`` others; or
    without ``targets``, one of the predictors that are not chosen."""

    predictors: int
    targets: int | None
    most: int

    @property
    def sizes(self) -> range:
        return range(1, self.most + 1)

    def targets_of(self, size: int) -> int:
        """How many targets a set of this size has.

        >>> Space(5, None, 3).targets_of(2), Space(5, 1, 3).targets_of(2)
        (3, 1)
        """
        return max(self.predictors - size, 0) if self.targets is None else self.targets

    def sets_of(self, size: int) -> int:
        """How many sets of this size there are. A set without targets is none."""
        return comb(self.predictors, size) if self.targets_of(size) else 0

    def sets(self) -> int:
        """How many sets there are."""
        return sum(map(self.sets_of, self.sizes))

    def choices(self) -> int:
        """How many choices there are.

        >>> [Space(columns, None, 3).choices() for columns in (2, 3, 4, 500)]
        [2, 9, 28, 10354499500]
        """
        return sum(self.sets_of(size) * self.targets_of(size) for size in self.sizes)

    def work(self) -> int:
        """The same, plus what it takes to begin with sets that differ only in their first two predictors."""
        begun = sum(comb(self.predictors, size - 2) for size in self.sizes[1:] if self.sets_of(size))
        return self.choices() + begun * (BEGIN + self.predictors**2)

    def share(self, shard: int, shards: int) -> Span:
        """The sets of reducer ``shard`` of so many.

        >>> [Space(4, None, 3).share(shard, 3) for shard in range(3)]
        [Span(start=0, end=4), Span(start=4, end=9), Span(start=9, end=14)]
        """
        sets = self.sets()
        return Span(sets * shard // shards, sets * (shard + 1) // shards)


def shards_for(work: int) -> int:
    """How many reducers share so much work.

    >>> [shards_for(work) for work in (0, 6_600_000, 260_000_000, 10_354_499_500, 10**12)]
    [1, 1, 6, 64, 167]
    """
    return max(1, min(-(-work // SHARE), SHARES), -(-work // MOST_OF_A_SHARE))


def set_of(rank: int, space: Space) -> tuple[int, ...]:
    """The predictors of that rank, ascending.

    >>> [set_of(rank, Space(3, None, 2)) for rank in range(6)]
    [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2)]
    """
    size = 1
    while rank >= space.sets_of(size):
        rank -= space.sets_of(size)
        size += 1
    predictors: tuple[int, ...] = ()
    for place in range(size, 0, -1):
        # The combinatorial number system: the largest column with no more than that many sets below it.
        column = bisect_right(_sets_below(space.predictors, place), rank) - 1
        rank -= comb(column, place)
        predictors = (column, *predictors)
    return predictors


@cache
def _sets_below(columns: int, size: int) -> list[int]:
    """For each column, the number of sets of this size that have only columns before it."""
    return [comb(column, size) for column in range(columns)]
