"""The best choices of a block: R squared of all of them, many at a time."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from lambda_src.job import Span
from lambda_src.jobs.column_permutations.best import BILLION, TOP, Scored
from lambda_src.jobs.column_permutations.fit import Left, eliminate, inner_products, r_squared
from lambda_src.jobs.column_permutations.ranks import SIZES, Batch, batches, targets_of_row
from lambda_src.jobs.column_permutations.table import MAX_COLUMNS, Floats, Table


def evaluate(block: Span, table: Table) -> list[tuple[int, list[Scored]]]:
    """For each size, how many choices of ``block`` were tested and the best of them."""
    columns = len(table.columns)
    left = inner_products(table.cells)
    variances = left.high.diagonal()
    variances = np.where(variances > 0, variances, np.nan)
    in_order = {name: place for place, name in enumerate(sorted(table.columns))}
    name_order = np.array([in_order[name] for name in table.columns])

    @lru_cache(maxsize=1)
    def without(predictor: int) -> Left:
        return eliminate(left, predictor, slice(0, predictor))

    tested = [0 for _ in SIZES]
    best: list[list[Scored]] = [[] for _ in SIZES]
    for batch in batches(block, columns):
        rows = slice(batch.rows.start, batch.rows.stop)
        match batch.others:
            case ():
                rest = left._replace(high=left.high[rows], low=left.low[rows])
            case (other,):
                rest = eliminate(left, other, rows)
            case (other, last):
                rest = eliminate(without(last), other, rows)
        figures = r_squared(rest, batch.rows, variances)
        _leave_out_others(figures, batch)
        size = len(batch.others)
        tested[size] += batch.choices
        best[size] = _add(best[size], figures, batch, table.columns, name_order)
    return list(zip(tested, best, strict=True))


def _leave_out_others(figures: Floats, batch: Batch) -> None:
    """Set what is not a choice of ``batch`` to NaN."""
    numbers = np.arange(len(batch.rows))
    figures[numbers, batch.rows.start + numbers] = np.nan
    figures[:, batch.others] = np.nan
    if batch.skip:
        figures[0, targets_of_row(batch, 0, figures.shape[1])[: batch.skip]] = np.nan
    if batch.cut:
        figures[-1, targets_of_row(batch, -1, figures.shape[1])[-batch.cut :]] = np.nan


def _add(
    best: list[Scored],
    figures: Floats,
    batch: Batch,
    columns: tuple[str, ...],
    name_order: NDArray[np.int64],
) -> list[Scored]:
    """The best of ``best`` and the choices of ``batch``."""
    if len(best) == TOP:
        floor = (-best[-1].minus_billionths - 1) / BILLION
        worst_key = best[-1].minus_billionths * MAX_COLUMNS + name_order[columns.index(best[-1].target)]
    else:
        floor, worst_key = -1.0, MAX_COLUMNS
    places = np.flatnonzero(figures >= floor)
    if not len(places):
        return best
    billionths = np.rint(np.minimum(figures.ravel()[places], 1.0) * BILLION).astype(np.int64)
    numbers, targets = np.divmod(places, len(columns))
    keys = name_order[targets] - billionths * MAX_COLUMNS
    (kept,) = np.nonzero(keys <= worst_key)
    names_of_rows = name_order[batch.rows.start + numbers[kept]]
    found = [
        Scored(
            -int(billionths[place]),
            columns[targets[place]],
            tuple(columns[predictor] for predictor in (batch.rows[numbers[place]], *batch.others)),
        )
        for place in kept[np.lexsort((names_of_rows, keys[kept]))[:TOP]]
    ]
    return sorted(best + found)[:TOP]
