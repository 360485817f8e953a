"""Rows of CSV, for jobs. Every object begins with the same header, which ``measure_csv`` puts among the
facts.

A row is a line. Cells may be quoted, but a line break inside quotes cannot be read: it ends the run. Rows
with more or fewer cells than the header are left out and noted as ``RAGGED``.
"""

import csv
from collections.abc import Mapping
from typing import Any

from lambda_src.errors import TableUnusable
from lambda_src.input.reading import Reading
from lambda_src.job import Concern, Input, Measured, measure_bytes
from lambda_src.records import LINES, lines_of, offset_of_line

MOST_COLUMNS, MOST_HEADER_BYTES = 1000, 100_000

RAGGED = "ragged_rows"
CSV_ROWS = {
    RAGGED: Concern(
        "row",
        "has more or fewer cells than the header, and was left out",
        "have more or fewer cells than the header, and were left out",
    )
}
"""The ``concerns`` of a job that reads CSV."""


def measure_csv(source: Input) -> Measured:
    """The ``measure`` of a job that reads CSV. Raises TableUnusable, and what ``source`` raises."""
    header = _header(source.first_record(LINES))
    if not 0 < len(header.encode()) <= MOST_HEADER_BYTES or "\r" in header:
        raise TableUnusable(f"A table begins with a header of 1 to {MOST_HEADER_BYTES:,} bytes and a \\n.")
    measured = measure_bytes(source)
    return measured._replace(facts={**measured.facts, "header": header})


def columns_of(facts: Mapping[str, Any], separator: str = ",") -> list[str]:
    """The names of the columns. Raises TableUnusable."""
    names = _cells(facts["header"], separator)
    if len(names) > MOST_COLUMNS:
        raise TableUnusable(f"The header names more than {MOST_COLUMNS:,} columns.")
    return names


def csv_rows(text: bytes, reading: Reading, separator: str = ",") -> list[list[str]]:
    """The cells of the rows of ``text``, without the header. Raises TableUnusable."""
    width = len(columns_of(reading.facts, separator))
    if reading.place.begins_object():
        first, _, text = text.partition(b"\n")
        if _header(first) != reading.facts["header"]:
            raise TableUnusable(f"{reading.place.key} begins with another header than the first object.")
        reading.place = reading.place._replace(offset=len(first) + 1)
    lines = lines_of(text)
    if b'"' in text:
        rows = [_cells(line, separator) for line in lines]
    else:
        rows = [line.split(separator) for line in lines]
    ragged = [number for number, row in enumerate(rows) if len(row) != width]
    first_at = offset_of_line(text, ragged[0]) if ragged else 0
    reading.note(RAGGED, len(ragged), len(rows), first_at)
    return [row for row in rows if len(row) == width] if ragged else rows


def _cells(line: str, separator: str) -> list[str]:
    if '"' not in line:
        return line.split(separator)
    try:
        return next(csv.reader([line], delimiter=separator, strict=True))
    except csv.Error as error:
        raise TableUnusable(
            f"A line break inside quotes cannot be read: {error} in {line[:99]!r}."
        ) from error


def _header(record: bytes) -> str:
    return "".join(lines_of(record)[:1]).removeprefix("\ufeff").removesuffix("\r")
