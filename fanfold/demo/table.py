"""A table of numbers in which the best choices of columns are known, because they were planted.

Most columns are noise. One is a multiple of another plus noise, one is the sum of two plus less noise, and
one is exactly the sum of three. So the best choices of 1, 2 and 3 predictors are known without a fit. The
bytes depend on the seed alone.
"""

from math import comb
from pathlib import Path
from random import Random
from typing import NamedTuple

NOISE_COLUMNS = 71
ROWS = 1_000
ROWS_WITH_EMPTY_CELL = 20


class ExpectedBest(NamedTuple):
    """The correct result. ``best`` is a target and its predictors, in column order, by the number of
    predictors: "1" to "3"."""

    choices: int
    rows_used: int
    rows_left_out: int
    best: dict[str, tuple[str, tuple[str, ...]]]


def write_table(path: Path, seed: int) -> ExpectedBest:
    """Write a table of 80 columns, with 6.6 million choices, to ``path``. Raises OSError."""
    random = Random(seed)  # noqa: S311 -- a table that can be made again keeps no secret

    def noise() -> int:
        return int(random.random() * 2_000) - 1_000

    rows = []
    for _ in range(ROWS):
        row = {f"noise_{number:02}": noise() for number in range(NOISE_COLUMNS)}
        row |= {name: noise() for name in ("one_a", "two_a", "two_b", "three_a", "three_b", "three_c")}
        row["one_b"] = 4 * row["one_a"] + noise()
        row["two_sum"] = 7 * (row["two_a"] + row["two_b"]) + noise()
        row["three_sum"] = row["three_a"] + row["three_b"] + row["three_c"]
        rows.append(row)

    columns = sorted(rows[0], key=lambda _: random.random())
    lines = [",".join(columns)]
    for number, row in enumerate(rows):
        cells = [f"{row[column] / 100:.2f}" for column in columns]
        if number % (ROWS // ROWS_WITH_EMPTY_CELL) == 0:
            cells[int(random.random() * len(cells))] = ""
        lines.append(",".join(cells))
    path.write_text("\n".join([*lines, ""]), encoding="ascii")

    def in_order(*predictors: str) -> tuple[str, ...]:
        return tuple(sorted(predictors, key=columns.index))

    count = len(columns)
    return ExpectedBest(
        sum(comb(count, size) * (count - size) for size in (1, 2, 3)),
        ROWS - ROWS_WITH_EMPTY_CELL,
        ROWS_WITH_EMPTY_CELL,
        {
            # Each of the two predicts the other equally well: the smaller name comes first.
            "1": ("one_a", ("one_b",)),
            # Noise is a smaller part of the sum than of its parts, which are predicted less well.
            "2": ("two_sum", in_order("two_a", "two_b")),
            # The sum is exact whichever of the four is the target, so again the smallest name comes first.
            "3": ("three_a", in_order("three_b", "three_c", "three_sum")),
        },
    )
