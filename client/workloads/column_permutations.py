"""Testing choices of columns: measured on one core of an x86 server, on tables of 80 to 500 columns and 1,000
to 20,000 rows. What a run takes depends on how many columns there are, and hardly on bytes."""

import csv
import math
from pathlib import Path

from client.sizes import size_text
from client.source import Local, SourceError
from client.workload import BYTE_BY_BYTE, Figure, Figures, NotModelled, Workload
from lambda_src.jobs.column_permutations import MAX_BYTES
from lambda_src.jobs.column_permutations.ranks import block_choices, choices

HEAD_BYTES = 1 << 20
"""So much is looked at, from which the number of rows is estimated."""

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
    """Raises NotModelled where only a size is known, and SourceError for what is no table."""
    if not isinstance(source, Local):
        raise NotModelled(
            "What column_permutations takes depends on how many columns the table has, which its size does "
            "not tell: name the table as a file on this machine."
        )
    if source.path.is_dir():
        raise SourceError(f"{source.path} is a folder; column_permutations reads one table: name a file.")
    if source.bytes > MAX_BYTES:
        raise SourceError(
            f"{source.path} has {size_text(source.bytes)}; column_permutations reads at most "
            f"{size_text(MAX_BYTES)}."
        )
    columns, rows = _shape(source.path, source.bytes)
    units = choices(columns)
    return Workload(
        f"column_permutations on {columns:,} columns and about {rows:,} rows, {units:,} choices",
        units,
        figures_of(columns, rows, source.bytes),
        "choices",
        block_choices(columns),
    )


def figures_of(columns: int, rows: int, table_bytes: int) -> Figures:
    """Those of a table."""
    read_s = table_bytes / 1e6 / READ_MB_PER_S
    products_s = columns**2 * (PAIR_S + rows * ROW_OF_PAIR_S)
    return {
        **BYTE_BY_BYTE,
        **FIGURES,
        "whole": Figure(
            table_bytes, "bytes", "code", "of the input that every block, and who measures it, reads"
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


def _shape(path: Path, table_bytes: int) -> tuple[int, int]:
    """How many columns and, about, rows there are."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    header, found, rest = head.partition(b"\n")
    try:
        names = next(csv.reader([header.decode("utf-8-sig")], strict=True), [])
    except (UnicodeDecodeError, csv.Error):
        names = []
    if len(names) < 2 or not found:
        raise SourceError(
            f"{path} does not begin with a CSV header that names at least 2 columns: is it the right file?"
        )
    rows_seen = max(rest.count(b"\n"), 1)
    rows = round(rows_seen * (table_bytes - len(header)) / max(len(rest), 1))
    return len(names), max(rows, 1)
