"""A table from CSV in UTF-8 (RFC 4180; a byte order mark, ``\\n`` alone and blank lines are fine).

The first row names the columns; other cells are decimal numbers or empty, with spaces around them or not.
Rows with an empty cell are left out and counted. Anything else is an error that names the row and column; the
header is row 1.
"""

import csv
import io
import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lambda_src.errors import TableUnusable

Floats = NDArray[np.float64]

MAX_COLUMNS = 500
MAX_ROWS = 100_000
MAX_HEADER_BYTES = 100_000
MAX_NAME_CHARACTERS = 256
"""Limits of a table. Names are stored in the results table, whose items have at most 400 KB."""

CHUNK_BYTES = 1 << 20
"""Number of bytes parsed at once. A longer row is an error."""


class Table(NamedTuple):
    """``cells`` has a row of floats for each row of the file without an empty cell."""

    columns: tuple[str, ...]
    cells: Floats
    rows_left_out: int


def read_table(data: bytes) -> Table:
    """The table in ``data``. Raises TableUnusable."""
    if not data:
        raise TableUnusable(
            "The table is empty: it needs a header with at least 2 columns, and rows of numbers."
        )
    stream = io.BytesIO(data)
    columns = _header(stream)
    start = stream.tell()
    # Memory that no row is written to is never touched.
    cells = np.empty((min(data.count(b"\n", start) + 1, MAX_ROWS), len(columns)))
    used = left_out = 0
    for row, chunk in _chunks(data, start):
        values = _values(chunk, columns, row)
        complete = values[~np.isnan(values).any(axis=1)]
        if used + left_out + len(values) > MAX_ROWS:
            raise TableUnusable(f"The table has more than {MAX_ROWS:,} rows.")
        cells[used : used + len(complete)] = complete
        used += len(complete)
        left_out += len(values) - len(complete)
    if used < 2:
        raise TableUnusable(f"A fit needs at least 2 rows without an empty cell; the table has {used}.")
    return Table(columns, cells[:used], left_out)


def _header(stream: io.BytesIO) -> tuple[str, ...]:
    """The columns' names; leaves ``stream`` at the row after them."""

    def lines() -> Iterator[str]:
        while line := stream.readline(MAX_HEADER_BYTES + 1):
            if stream.tell() > MAX_HEADER_BYTES:
                raise TableUnusable(f"The header does not end within {MAX_HEADER_BYTES:,} bytes.")
            yield line.decode("utf-8-sig" if stream.tell() == len(line) else "utf-8")

    try:
        names = tuple(next(csv.reader(lines(), strict=True), ()))
    except UnicodeDecodeError:
        raise TableUnusable("The header is not UTF-8 text: the table must be CSV, not compressed.") from None
    except csv.Error:
        raise TableUnusable("The header is not a CSV row: check its quotes and line ends.") from None
    if len(names) < 2:
        raise TableUnusable(
            f"The header must name at least 2 columns, separated by commas; it names {len(names)}."
            f"{_other_separator(names)}"
        )
    if len(names) > MAX_COLUMNS:
        raise TableUnusable(f"The table has {len(names)} columns; at most {MAX_COLUMNS} are possible.")
    for number, name in enumerate(names, start=1):
        if not name.strip():
            raise TableUnusable(
                f"Column {number} has no name: give it one"
                f"{', or leave it out if it holds row names' if number == 1 else ''}."
            )
        if len(name) > MAX_NAME_CHARACTERS:
            raise TableUnusable(
                f"The name of column {number} has more than {MAX_NAME_CHARACTERS} characters."
            )
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise TableUnusable(f"More than one column is named {twice!r}.")
    return names


_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "vertical bars", "^": "carets"}


def _other_separator(names: tuple[str, ...]) -> str:
    """A hint if the only name in a header looks like several."""
    header = "".join(names)
    most = max(_SEPARATORS, key=header.count)
    if not header.count(most):
        return ""
    return f" It looks separated by {_SEPARATORS[most]}: replace them, and decimal commas, then upload that."


def _chunks(data: bytes, start: int) -> Iterator[tuple[int, bytes]]:
    """The rows from ``start`` on, some at a time, each ended by ``\\n``, with the number of the first."""
    row = 2
    while start < len(data):
        end = data.rfind(b"\n", start, start + CHUNK_BYTES) + 1
        if not end:
            if len(data) - start > CHUNK_BYTES:
                raise TableUnusable(f"Row {row} is longer than {CHUNK_BYTES:,} bytes.")
            end = len(data)
        chunk = data[start:end].replace(b"\r\n", b"\n")
        chunk += b"" if chunk.endswith(b"\n") else b"\n"
        yield row, chunk
        row += chunk.count(b"\n")
        start = end


_PLAIN = b"0123456789+-.eE,\n"
_NUMBER = re.compile(rb"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def _values(chunk: bytes, columns: tuple[str, ...], first_row: int) -> Floats:
    """The cells of whole rows, empty ones as NaN. Raises TableUnusable."""
    if b'"' in chunk:
        chunk = _unquoted(chunk, columns, first_row)
    values = _plain_values(chunk, len(columns))
    return _careful_values(chunk, columns, first_row) if values is None else values


def _plain_values(chunk: bytes, columns: int) -> Floats | None:
    """The cells of rows that have nothing unusual in them, else None."""
    chunk = chunk.replace(b", ", b",")
    # No blanks may remain: NumPy reads a number from a cell that has only blanks.
    if chunk.translate(None, _PLAIN):
        return None
    characters = np.frombuffer(chunk, np.uint8)
    ends = np.flatnonzero((characters == ord(",")) | (characters == ord("\n")))
    rows = chunk.count(b"\n")
    if len(ends) != rows * columns or (characters[ends[columns - 1 :: columns]] != ord("\n")).any():
        return None
    text = chunk.replace(b"\n", b",")
    values = _short_decimals(text, np.flatnonzero(characters == ord(".")), ends)
    if values is None:
        values = _floats(text)
    if values is None or len(values) != len(ends):
        return None
    return values.reshape(rows, columns)


def _short_decimals(text: bytes, points: NDArray[np.int64], ends: NDArray[np.int64]) -> Floats | None:
    """Cells without exponents, each as an integer divided by a power of ten. Both are exact, so the quotient
    is rounded correctly.

    Ten times as fast as ``_floats``; None if a cell has too many digits, or none.
    """
    digits = text.replace(b".", b"")
    if digits.translate(None, b"0123456789-,") or b"-," in digits or b".-" in text:
        return None
    lengths = np.diff(ends, prepend=-1) - 1
    cells_with_point = np.searchsorted(ends, points)
    decimals = np.zeros(len(ends), np.int64)
    decimals[cells_with_point] = ends[cells_with_point] - points - 1
    if (np.diff(cells_with_point) == 0).any() or (lengths[cells_with_point] == 1).any():
        return None
    try:
        numbers = np.fromstring(_filled(digits, b"0"), np.int64, sep=",")
    except ValueError:
        return None
    if (
        len(numbers) != len(ends)
        or decimals.max() >= len(_POWERS)
        or not -(2**53) <= numbers.min() <= numbers.max() <= 2**53
    ):
        return None
    return np.where(lengths > 0, numbers / _POWERS[decimals], np.nan)


_POWERS = np.array([float(10**power) for power in range(23)])
"""Powers of ten that floats represent exactly."""


def _floats(text: bytes) -> Floats | None:
    try:
        values = np.fromstring(_filled(text, b"nan"), sep=",")
    except ValueError:
        return None
    return None if np.isinf(values).any() else values


def _filled(text: bytes, filler: bytes) -> bytes:
    """``text`` with ``filler`` in its empty cells."""
    text = b"," + text
    while b",," in text:
        text = text.replace(b",,", b"," + filler + b",")
    return text[1:]


def _unquoted(chunk: bytes, columns: tuple[str, ...], first_row: int) -> bytes:
    """The same rows without quotes."""
    lines = chunk.decode("latin-1").split("\n")[:-1]  # Text that is not ASCII is not a number either way.
    rows = csv.reader(lines, strict=True)
    unquoted = []
    for number in range(len(lines)):
        row = first_row + number
        try:
            cells = next(rows)
        except csv.Error:
            raise TableUnusable(f"Row {row} is not a CSV row: check its quotes.") from None
        if rows.line_num != number + 1:
            raise TableUnusable(f"Row {row} has a cell with a line break, which is not a number.")
        for cell, column in zip(cells, columns, strict=False):
            if "," in cell:
                raise _no_number(row, column)
        unquoted.append(",".join(cells))
    return "\n".join([*unquoted, ""]).encode("latin-1")


def _careful_values(chunk: bytes, columns: tuple[str, ...], first_row: int) -> Floats:
    """The cells of any rows, one by one."""
    rows = []
    for row, line in enumerate(chunk.split(b"\n")[:-1], start=first_row):
        if not line.strip(b" \t"):
            continue
        cells = line.split(b",")
        if len(cells) != len(columns):
            raise TableUnusable(f"Row {row} has {len(cells)} cells, the header {len(columns)}.")
        rows.append([_number(cell, row, column) for cell, column in zip(cells, columns, strict=True)])
    return np.array(rows, np.float64).reshape(-1, len(columns))


def _number(cell: bytes, row: int, column: str) -> float:
    text = cell.strip(b" \t")
    if not text:
        return np.nan
    if not _NUMBER.fullmatch(text):
        raise _no_number(row, column)
    number = float(text)
    if np.isinf(number):
        raise TableUnusable(f"Row {row}, column {column!r}: the number is too large for a 64-bit float.")
    return number


def _no_number(row: int, column: str) -> TableUnusable:
    # The cell itself stays out of logs.
    return TableUnusable(f"Row {row}, column {column!r}: the cell is neither a decimal number nor empty.")
