"""Least squares by inner products of columns, from which predictors are eliminated one by one.

**The same bits everywhere.** Each column is shifted by its midrange, scaled by a power of two and rounded to
an integer of 53 bits, which is cut into three slices. They are so short that all sums of their products are
integers below 2**53: the matrix product is exact, in whatever order a processor's BLAS adds. The matrix of
centred inner products is then made of Python's integers. All that follows is elementwise IEEE arithmetic. So
a choice's figure depends on the table alone: not on the block, the batch, the machine or the order of rows.

**Accuracy.** In inner products, nearly collinear columns lose half of the digits by which they differ. So
these have 106 bits (double-double arithmetic) until the predictors are eliminated. R squared is right to 9
decimals unless the predictors are collinear to about 1e-7 of their spread; below that, the rounding of cells
to 64-bit floats begins to decide, as it does in ``numpy.linalg.lstsq``.

**Collinear predictors.** A predictor adds nothing if the intercept and the predictors eliminated before it
leave only rounding noise of it (root mean square): at most 2**-50, about 1e-15, of its largest cell and of
the noise that those predictors pass on. R squared is then that of the pseudo-inverse, as from ``lstsq``. A
constant predictor adds nothing either.
"""

from typing import NamedTuple

import numpy as np

from lambda_src.jobs.column_permutations import double_double
from lambda_src.jobs.column_permutations.table import Floats

_integers = np.frompyfunc(int, 1, 1)

_SLICE_BITS = 18
_ROWS_AT_ONCE = 1 << 11
_ROUNDING = -50
"""Rounding noise of a cell, as a power of two: twice what reading, shifting and scaling may change, for up to
four columns."""


class Left(NamedTuple):
    """What is left of the columns once some predictors are eliminated.

    ``high + low``: inner products of some columns (rows) with all columns. ``explained``: the explained part
    of each column's variance. ``noise``: the part of a column's variance that may be due to rounding."""

    high: Floats
    low: Floats
    explained: Floats
    noise: Floats


def inner_products(cells: Floats) -> Left:
    """Inner products of the centred columns, each scaled by a power of two to a variance of 1/4 to 1. They
    are exact except for rounding the result to 106 bits."""
    rows, columns = cells.shape
    smallest, largest = cells.min(axis=0), cells.max(axis=0)
    exponents = np.frexp(np.maximum(-smallest, largest))[1]
    smallest, largest = np.ldexp(smallest, -exponents), np.ldexp(largest, -exponents)
    middles = (smallest + largest) / 2
    spreads = np.frexp(np.maximum(largest - middles, middles - smallest))[1]

    sums = np.zeros((1 + 3 * columns, 1 + 3 * columns))
    for start in range(0, rows, _ROWS_AT_ONCE):
        rest = np.ldexp(cells[start : start + _ROWS_AT_ONCE], -exponents) - middles
        rest = np.ldexp(rest, _SLICE_BITS - 1 - spreads)
        slices = [np.ones((len(rest), 1))]
        while len(slices) <= 3 and rest.any():
            slices.append(np.rint(rest))
            rest = (rest - slices[-1]) * 2.0**_SLICE_BITS
        sliced = np.concatenate(slices, axis=1)
        width = sliced.shape[1]
        sums[:width, :width] += sliced.T @ sliced

    # Every sum is an integer below MAX_ROWS * 2**34 < 2**53; from here on they are Python's.
    totals = sum(
        _integers(sums[0, 1:].reshape(3, columns)[one]) * 2 ** (_SLICE_BITS * (2 - one)) for one in range(3)
    )
    products = sum(
        _integers(sums[1:, 1:].reshape(3, columns, 3, columns)[one, :, other])
        * 2 ** (_SLICE_BITS * (4 - one - other))
        for one in range(3)
        for other in range(3)
    )
    centred = rows * products - totals[:, None] * totals
    high = centred.astype(np.float64)
    low = (centred - _integers(high)).astype(np.float64)

    scales = np.array([(variance.bit_length() + 1) // 2 for variance in centred.diagonal()])
    noise = rows * np.ldexp(
        np.maximum(-smallest, largest), 3 * _SLICE_BITS - 1 - spreads + _ROUNDING - scales
    )
    return Left(
        np.ldexp(high, -scales[:, None] - scales),
        np.ldexp(low, -scales[:, None] - scales),
        np.zeros(columns),
        noise * noise,
    )


def eliminate(left: Left, predictor: int, rows: slice) -> Left:
    """What is left of ``rows`` once ``predictor`` is eliminated, too."""
    high, low = left.high[rows], left.low[rows]
    variance = left.high[predictor, predictor]
    if variance <= left.noise[predictor]:
        return left._replace(high=high, low=low)
    factor, factor_low = high[:, predictor, None], low[:, predictor, None]
    weight, weight_low = double_double.divide(
        left.high[predictor], left.low[predictor], variance, left.low[predictor, predictor]
    )
    product, product_low = double_double.multiply(factor, weight)
    product_low += factor * weight_low
    product_low += factor_low * weight
    rest, rest_low = double_double.subtract(high, product)
    rest_low -= product_low
    rest_low += low
    total = rest + rest_low
    return Left(
        total,
        rest_low - (total - rest),
        left.explained + left.high[predictor] ** 2 / variance,
        left.noise + weight**2 * left.noise[predictor],
    )


def r_squared(left: Left, rows: range, variances: Floats) -> Floats:
    """R squared of every column (across), explained by each of ``rows`` (down) and all eliminated
    predictors."""
    own = left.high[:, rows.start : rows.stop].diagonal()
    own = np.where(own > left.noise[rows.start : rows.stop], own, np.inf)
    # The same bits for a on b and b on a.
    figures = left.high**2 / (own[:, None] * variances)
    figures += left.explained / variances
    return figures
