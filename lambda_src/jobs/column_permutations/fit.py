"""Least squares by inner products of columns, from which predictors are eliminated one by one.

**The same bits everywhere.** Inner products are exact (``sums``). The matrix of centred ones is made of
Python's integers, and all that follows is elementwise IEEE arithmetic. So a choice's figure depends on the
table alone: not on the blocks, the batch, the machine or the order of rows.

**Accuracy.** In inner products, nearly collinear columns lose half of the digits by which they differ. So
these have 106 bits (double-double arithmetic) until the predictors are eliminated. R squared is right to 9
decimals unless the predictors are collinear to about 1e-7 of their spread; below that, the rounding of cells
to 64-bit floats begins to decide, as it does in ``numpy.linalg.lstsq``.

**Collinear predictors.** A predictor adds nothing if the intercept and the predictors eliminated before it
leave only rounding noise of it (root mean square): at most 2**-50, about 1e-15, of its largest cell and of
the noise that those predictors pass on. R squared is then that of the pseudo-inverse, as from ``lstsq``. A
constant predictor adds nothing either.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lambda_src.jobs.column_permutations import double_double
from lambda_src.jobs.column_permutations.cells import Floats
from lambda_src.jobs.column_permutations.sums import Sums

_ROUNDING = -50
"""Rounding noise of a cell, as a power of two: twice what reading it may change, for up to four columns."""

_EXACT_BITS = 200
"""Of a centred inner product, more than enough for the 106 that are kept."""


class Left(NamedTuple):
    """What is left of the columns once some predictors are eliminated.

    ``high + low``: inner products of some columns (rows) with all columns. ``explained``: the explained part
    of each column's variance. ``noise``: the part of a column's variance that may be due to rounding."""

    high: Floats
    low: Floats
    explained: Floats
    noise: Floats

    def of(self, columns: Sequence[int]) -> "Left":
        """The same of these columns only. Needs all rows."""
        grid = np.ix_(columns, columns)
        return Left(self.high[grid], self.low[grid], self.explained[list(columns)], self.noise[list(columns)])


def inner_products(sums: Sums, largest: Sequence[float], columns: Sequence[int]) -> Left:
    """Inner products of the centred ``columns``, each scaled by a power of two to a variance of 1/4 to 1.
    They are exact except for rounding the result to 106 bits. ``largest`` is the absolutely largest cell of
    each column of ``sums``."""
    totals, rows, count = sums.totals(), sums.rows, len(columns)
    places = np.array([0, *(1 + column for column in columns)])
    totals = totals[np.ix_(places, places)]
    centred = rows * totals[1:, 1:] - totals[0, 1:, None] * totals[0, 1:]
    scales = np.array([(variance.bit_length() + 1) // 2 for variance in centred.diagonal()], np.int64)

    high, low = np.zeros((count, count)), np.zeros((count, count))
    shifts = np.zeros((count, count), np.int64)
    for row in range(count):
        for column, exact in enumerate(centred[row, row:].tolist(), row):
            shift = max(exact.bit_length() - _EXACT_BITS, 0)
            value = exact >> shift
            first = float(value)
            high[row, column] = high[column, row] = first
            low[row, column] = low[column, row] = float(value - int(first))
            shifts[row, column] = shifts[column, row] = shift
    shifts -= scales[:, None] + scales

    exponents = np.array([sums.exponents[column] for column in columns], np.int64)
    mantissas, powers = np.frexp(np.array([largest[column] for column in columns]))
    # A constant column has no scale, and no need of one.
    powers = np.where(scales > 0, powers - exponents - scales + _ROUNDING, 0)
    noise = rows * np.ldexp(mantissas, powers)
    return Left(np.ldexp(high, shifts), np.ldexp(low, shifts), np.zeros(count), noise * noise)


Pair = tuple[Floats, Floats]
"""Numbers of 106 bits, as their high and low parts."""


def eliminate(left: Left, predictor: int, rows: slice) -> Left:
    """What is left of ``rows`` once ``predictor``, one of the rows, is eliminated, too."""
    high, low = left.high[rows], left.low[rows]
    variance = left.high[predictor, predictor]
    if variance <= left.noise[predictor]:
        return left._replace(high=high, low=low)
    weight, weight_low = _weights(left, predictor)
    factor = high[:, predictor, None], low[:, predictor, None]
    high, low = _rest((high, low), factor, (weight, weight_low))
    return Left(
        high,
        low,
        left.explained + left.high[predictor] ** 2 / variance,
        left.noise + weight**2 * left.noise[predictor],
    )


def _weights(left: Left, predictor: int) -> Pair:
    """How much of the predictor is in each column."""
    return double_double.divide(
        left.high[predictor],
        left.low[predictor],
        left.high[predictor, predictor],
        left.low[predictor, predictor],
    )


def _rest(of: Pair, factor: Pair, weight: Pair) -> Pair:
    """``of - factor * weight``."""
    product, product_low = double_double.multiply(factor[0], weight[0])
    product_low += factor[0] * weight[1]
    product_low += factor[1] * weight[0]
    rest, rest_low = double_double.subtract(of[0], product)
    rest_low -= product_low
    rest_low += of[1]
    total = rest + rest_low
    return total, rest_low - (total - rest)


class Last(NamedTuple):
    """What is left for a last predictor, one of some rows: ``cross`` are its inner products with targets,
    ``own`` is its variance; the others are as in ``Left``, for targets and rows."""

    cross: Floats
    own: Floats
    explained: Floats
    noise: Floats


def last_of(left: Left, predictor: int | None, rows: slice, targets: slice) -> Last:
    """What is left for ``rows`` and ``targets`` once ``predictor`` is eliminated, too, if there is one."""
    numbers = np.arange(rows.start, rows.stop)
    own = left.high[numbers, numbers], left.low[numbers, numbers]
    cross = left.high[rows, targets], left.low[rows, targets]
    if predictor is None or left.high[predictor, predictor] <= left.noise[predictor]:
        return Last(cross[0], own[0], left.explained[targets], left.noise[rows])
    weight, weight_low = _weights(left, predictor)
    factor, factor_low = left.high[rows, predictor], left.low[rows, predictor]
    own = _rest(own, (factor, factor_low), (weight[rows], weight_low[rows]))
    cross = _rest(cross, (factor[:, None], factor_low[:, None]), (weight[targets], weight_low[targets]))
    return Last(
        cross[0],
        own[0],
        left.explained[targets] + left.high[predictor, targets] ** 2 / left.high[predictor, predictor],
        left.noise[rows] + weight[rows] ** 2 * left.noise[predictor],
    )


def r_squared(last: Last, variances: Floats) -> Floats:
    """R squared of every target (across), explained by each row (down) and all eliminated predictors."""
    own = np.where(last.own > last.noise, last.own, np.inf)
    # The same bits for a on b and b on a.
    figures = last.cross**2 / (own[:, None] * variances)
    figures += last.explained / variances
    return figures
