"""What testing columns takes: measured on one core of an x86 server, on tables of 80 to 500 columns."""

import math

from lambda_src.figures import BYTE_BY_BYTE, Figure, Figures
from lambda_src.jobs.column_permutations.ranks import Space, shards_for

READ_MB_PER_S = 80.0
PAIR_OF_ROW_S = 0.35e-9
BLOB_BYTES_OF_PAIR = 10
TESTS_PER_S = 55e6


def figures_of(columns: int, row_bytes: float, space: Space) -> Figures:
    """The figures of a table of so many columns, with rows of so many bytes, whose choices are ``space``."""
    read_s = 1e-6 / READ_MB_PER_S + columns**2 * PAIR_OF_ROW_S / row_bytes
    blob = BLOB_BYTES_OF_PAIR * columns**2
    return {
        **BYTE_BY_BYTE,
        "imports_job": Figure(0.11, "s", "measured", "imports of NumPy, with its bytecode"),
        "count": Figure(1e-6 / read_s, "MB/s", "measured", "reading rows and adding products, per core"),
        "reduce": Figure(55, "MB/s", "measured", "adding sums, per core"),
        "shared": Figure(
            space.work() / TESTS_PER_S,
            "s",
            "measured",
            "processor time to test all choices, which reducers share",
        ),
        "shares": Figure(shards_for(space.work()), "", "code", "reducers that share it"),
        "blob": Figure(
            blob / (5 << 20), "", "measured", f"bytes of a blob per byte of a block of 5 MiB: {blob:,} in all"
        ),
        "blob_growth": Figure(-1, "", "code", "exponent by which that changes: a blob has the same sums"),
        "largest_part": Figure(1, "", "code", "each reducer reads all"),
        "entry": Figure(BLOB_BYTES_OF_PAIR, "bytes", "measured", "a sum of products in a line"),
        "distinct": Figure(math.inf, "sums", "code", "there are as many as pairs of columns"),
        "block_distinct": Figure(math.inf, "sums", "code", "there are as many as pairs of columns"),
        "block_counts": Figure(math.inf, "sums", "code", "there are as many as pairs of columns"),
    }


FIGURES = figures_of(80, 520, Space(80, None, 3))
"""Of a table that nobody has looked at yet."""
