"""Testing choices of columns: measured on one core of an x86 server, on tables of 80 to 500 columns and 1,000
to 20,000 rows. What a run takes depends on how many columns there are, and hardly on bytes."""

import math

from fanfold.estimate.contents import input_of
from fanfold.estimate.workload import BYTE_BY_BYTE, Figure, Figures, NotModelled, Workload
from fanfold.runs.source import Local, SourceError
from lambda_src.errors import FanfoldError
from lambda_src.jobs.column_permutations import JOB, MAX_BYTES

READ_MB_PER_S = 55.0
PAIR_S = 2.1e-6
ROW_OF_PAIR_S = 0.25e-9
TESTS_PER_COLUMN = 0.3
MOST_TESTS = 75.0
"""Millions of choices that a core tests a second: so many for each column, and no more than that."""

FIGURES: Figures = {
    "reads": Figure(0, "bytes", "code", "of the input that a block reads for each of its units"),
    "imports_job": Figure(0.11, "s", "measured", "imports of NumPy, with its bytecode"),
    "reduce": Figure(75, "MB/s", "measured", "merging lines, per core"),
    "blob": Figure(1.4e-4, "", "measured", "bytes of a blob per choice in a block of 5 Mi: 750 in all"),
    "blob_growth": Figure(
        -1, "", "code", "exponent by which that changes: a blob has the ten best, be there many"
    ),
    "largest_part": Figure(2.8, "", "measured", "the largest part's line against the mean of all"),
    "entry": Figure(25, "bytes", "measured", "a choice in a line"),
    "parts": Figure(3, "", "code", "parts, one reducer each"),
    "distinct": Figure(math.inf, "choices", "code", "a reducer keeps the ten best"),
    "block_distinct": Figure(math.inf, "choices", "code", "a block keeps the ten best"),
}


def workload(source: Local | int) -> Workload:
    """Raises NotModelled where only a size is known, and SourceError for what the job refuses: the job itself
    reads the table."""
    if not isinstance(source, Local):
        raise NotModelled(
            "What column_permutations takes depends on how many columns the table has, which its size does "
            "not tell: name the table as a file on this machine."
        )
    check(source)
    try:
        table = input_of(source)
        text_bytes = len(table.whole(MAX_BYTES))
        measured = JOB.measure(table)
    except FanfoldError as error:
        raise SourceError(f"column_permutations cannot read {source.path}: {error}") from error
    columns = len(measured.facts["columns"])
    rows = measured.facts["rows_used"] + measured.facts["rows_left_out"]
    return Workload(
        f"column_permutations on {columns:,} columns and {rows:,} rows, {measured.units:,} choices",
        measured.units,
        figures_of(columns, rows, source.bytes, text_bytes),
        "choices",
        measured.block_units,
    )


def check(source: Local) -> None:
    """Raises SourceError for a folder."""
    if source.path.is_dir():
        raise SourceError(f"{source.path} is a folder; column_permutations reads one table: name a file.")


def figures_of(columns: int, rows: int, stored_bytes: int, text_bytes: int | None = None) -> Figures:
    """Those of a table; compressed, it has more ``text_bytes`` than are stored."""
    read_s = (text_bytes or stored_bytes) / 1e6 / READ_MB_PER_S
    products_s = columns**2 * (PAIR_S + rows * ROW_OF_PAIR_S)
    return {
        **BYTE_BY_BYTE,
        **FIGURES,
        "whole": Figure(
            stored_bytes, "bytes", "code", "of the input that every block, and who measures it, reads"
        ),
        "prepare": Figure(
            read_s + products_s,
            "s",
            "measured",
            "processor time of a block to read the table and multiply its columns",
        ),
        "measure": Figure(read_s, "s", "measured", "processor time of parse_file to read the table"),
        "count": Figure(
            min(TESTS_PER_COLUMN * columns, MOST_TESTS), "M choices/s", "measured", "tests, per core"
        ),
    }
