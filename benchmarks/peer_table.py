"""How well each column of a table explains another one: python -m benchmarks.peer_table LIBRARY FILE

It prints a JSON: R squared by the names of both columns.
"""

import csv
import json
import sys
from itertools import permutations

Explained = list[tuple[str, str, float]]
"""The target, its predictor and R squared."""


def duckdb(file: str) -> Explained:
    """By ``regr_r2`` in SQL, all pairs in one query."""
    import duckdb  # noqa: PLC0415 - a peer needs only its own package

    with open(file) as table:  # noqa: PTH123
        columns = next(csv.reader(table))
    pairs = list(permutations(columns, 2))
    asked = ", ".join(f'regr_r2("{target}", "{predictor}")' for target, predictor in pairs)
    found = duckdb.connect().execute(f"SELECT {asked} FROM read_csv(?)", [file]).fetchone() or ()  # noqa: S608
    return [(*pair, r2) for pair, r2 in zip(pairs, found, strict=True)]


def polars(file: str) -> Explained:
    """By squared correlations of its streaming engine."""
    import polars as pl  # noqa: PLC0415 - as above

    table = pl.scan_csv(file)
    pairs = list(permutations(table.collect_schema().names(), 2))
    asked = [pl.corr(*pair).pow(2).alias(str(number)) for number, pair in enumerate(pairs)]
    found = table.select(asked).collect(engine="streaming").row(0)
    return [(*pair, r2) for pair, r2 in zip(pairs, found, strict=True)]


def numpy(file: str) -> Explained:
    """By a least-squares fit of each pair."""
    import numpy as np  # noqa: PLC0415 - as above

    with open(file) as table:  # noqa: PTH123
        columns = next(csv.reader(table))
    cells = np.loadtxt(file, delimiter=",", skiprows=1)
    explained = []
    for target, predictor in permutations(range(len(columns)), 2):
        y = cells[:, target]
        design = np.column_stack([np.ones(len(cells)), cells[:, predictor]])
        _, residual, *_ = np.linalg.lstsq(design, y)
        r2 = 1 - float(residual[0]) / float(((y - y.mean()) ** 2).sum())
        explained.append((columns[target], columns[predictor], r2))
    return explained


if __name__ == "__main__":
    library = {"DuckDB": duckdb, "Polars": polars, "numpy lstsq": numpy}[sys.argv[1]]
    print(json.dumps(library(sys.argv[2])))
