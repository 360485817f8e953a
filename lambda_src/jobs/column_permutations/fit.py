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
from lambda_src.jobs.column_permutations.cells import Floats, Places
from lambda_src.jobs.column_permutations.sums import Sums

_ROUNDING = -50
"""Rounding noise of a cell, as a power of two: twice what reading it may change, for up to four columns."""

NOISE_OF_ROUNDING = 2 ** (53 + _ROUNDING)
"""How many times that is what reading a cell may change at most."""

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

    exponents = np.array(sums.exponents, np.int64)[columns]
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
    own = slice(predictor, predictor + 1)
    variance, variance_low = left.high[own, predictor], left.low[own, predictor]
    if variance <= left.noise[predictor]:
        return left._replace(high=high, low=low)
    weight, weight_low = double_double.divide(
        left.high[predictor], left.low[predictor], variance, variance_low
    )
    factor = high[:, predictor, None], low[:, predictor, None]
    high, low = _rest((high, low), factor, (weight, weight_low))
    return Left(
        high,
        low,
        left.explained + left.high[predictor] ** 2 / variance,
        left.noise + weight**2 * left.noise[predictor],
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


class Begun(NamedTuple):
    """How much of each row of ``left`` is in each column: ``weight + weight_low``, and 0 of a row that adds
    nothing. ``explained`` is the explained part of each column's variance once the row is eliminated, too."""

    left: Left
    weight: Floats
    weight_low: Floats
    explained: Floats


def begin(left: Left) -> Begun:
    """What choices that differ in their first two predictors have in common."""
    rows = np.arange(len(left.high))
    variance, variance_low = left.high[rows, rows, None], left.low[rows, rows, None]
    adds = variance > left.noise[rows, None]
    variance = np.where(adds, variance, 1.0)
    weight, weight_low = double_double.divide(left.high, left.low, variance, variance_low)
    return Begun(
        left,
        np.where(adds, weight, 0.0),
        np.where(adds, weight_low, 0.0),
        left.explained + np.where(adds, left.high**2 / variance, 0.0),
    )


class Last(NamedTuple):
    """What is left for the last predictor (down) of each choice and its target (across): ``cross`` are the
    inner products of both, ``own`` is the variance of the predictor; the others are as in ``Left``, for
    targets and predictors."""

    cross: Floats
    own: Floats
    explained: Floats
    noise: Floats


def last_alone(left: Left, lasts: Places, targets: slice) -> Last:
    """What is left for each of ``lasts``."""
    return Last(
        left.high[lasts, targets], left.high[lasts, lasts], left.explained[targets], left.noise[lasts]
    )


def last_of_two(begun: Begun, others: Places, lasts: Places, targets: slice) -> Last:
    """What is left for each of ``lasts`` once that one of ``others`` is eliminated that stands beside it, or
    the only one of these."""
    left = begun.left
    factor, factor_low = left.high[lasts, others], left.low[lasts, others]
    weight, weight_low = begun.weight[others, lasts], begun.weight_low[others, lasts]
    own = _rest((left.high[lasts, lasts], left.low[lasts, lasts]), (factor, factor_low), (weight, weight_low))
    cross = _rest(
        (left.high[lasts, targets], left.low[lasts, targets]),
        (factor[:, None], factor_low[:, None]),
        (begun.weight[others, targets], begun.weight_low[others, targets]),
    )
    noise = left.noise[lasts] + weight**2 * left.noise[others]
    return Last(cross[0], own[0], begun.explained[others, targets], noise)


def r_squared(last: Last, variances: Floats) -> Floats:
    """R squared of each choice, with all its predictors."""
    own = np.where(last.own > last.noise, last.own, np.inf)
    # The same bits for a on b and b on a.
    figures = last.cross**2 / (own[:, None] * variances)
    figures += last.explained / variances
    return figures
