"""How a table is written: its separator, decimal mark and header, from the beginning of its text.

A table is CSV in UTF-8: rows end with ``\\n`` or ``\\r\\n``, cells are separated by commas, semicolons, tabs
or vertical bars, and may be quoted. Before the header there may be a byte order mark, a line such as
``sep=;``, and blank lines. The header names the columns; if the first has no name, it holds the names of
rows, and is left out.

Where the beginning allows two readings that give different numbers, the table is refused.
"""

import csv
import hashlib
import io
import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

from msgspec import Struct

from lambda_src.errors import TableUnusable
from lambda_src.jobs.column_permutations.cells import TRUTHS
from lambda_src.jobs.column_permutations.quotes import carefully_unquoted, grammar

HEAD_BYTES = 1 << 20
"""How much of a text ``dialect_of`` should be given. Less is the whole text."""

MAX_COLUMNS = 500
MAX_HEADER_BYTES = 100_000
MAX_PREAMBLE_BYTES = 1000
MAX_NAME_CHARACTERS = 256
"""Limits of a table. Names are stored in the results table, whose items have at most 400 KB."""

MISSING_WORDS = ("NA", "NaN", "null")

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_NOT_READ = {"^": "carets", "~": "tildes", "\x01": "characters U+0001", " ": "blanks"}


class Dialect(Struct, frozen=True):
    """``columns`` are the names in the header, without an unnamed first one, which is ``row_names``. The rows
    begin at byte ``header_bytes`` of a text: behind ``preamble`` and the header, which has the ``digest``.
    ``quoted`` says whether quotes were seen; ``points``, whether a point is a decimal mark for sure."""

    separator: str
    decimal: Literal[".", ","]
    columns: tuple[str, ...]
    row_names: bool
    preamble: str
    header_bytes: int
    digest: str
    quoted: bool
    missing_words: tuple[str, ...] = MISSING_WORDS
    points: bool = True


_BOM = b"\xef\xbb\xbf"
_SEP_LINE = re.compile(rb'"?sep=([^\r\n]*?)"?\r?\n', re.IGNORECASE)
_BLANK_LINE = re.compile(rb"[ ]*\r?\n")
_JSON = re.compile(rb'[ \t]*(?:\{\s*"|\[\s*[\[{])')
_LINES_LOOKED_AT = 50


def dialect_of(head: bytes, missing_words: Sequence[str] = MISSING_WORDS) -> Dialect:
    """The dialect of a text that begins with ``head``: ``HEAD_BYTES`` of it, or all. Raises TableUnusable."""
    start = end_of_marks(head)
    separators: Sequence[str] = list(SEPARATORS)
    if named := _SEP_LINE.match(head, start):
        separators = [_separator_named(named[1])]
        start = named.end()
    while blank := _BLANK_LINE.match(head, start):
        start = blank.end()
    if start > MAX_PREAMBLE_BYTES:
        raise TableUnusable(f"The table begins with more than {MAX_PREAMBLE_BYTES:,} bytes of blank lines.")
    if start == len(head):
        raise TableUnusable(
            "The table is empty: it needs a header with at least 2 columns, and rows of numbers."
        )
    if _JSON.match(head, start):
        raise TableUnusable("The table is JSON: convert it to CSV.")
    reading = _chosen([_read(head, start, separator) for separator in separators], head[start:])
    row_names = not reading.names[0].strip()
    columns = tuple(reading.names[row_names:])
    _check_names(columns, row_names)
    decimal = _decimal(reading, columns, missing_words)
    return Dialect(
        separator=reading.separator,
        decimal=decimal,
        columns=columns,
        row_names=row_names,
        preamble=head[:start].decode(),
        header_bytes=reading.rows_at,
        digest=digest_of(head[start : reading.rows_at]),
        quoted=b'"' in head,
        missing_words=tuple(missing_words),
        points=reading.separator == "," or decimal == "," or _has_decimal_points(reading),
    )


def end_of_marks(text: bytes) -> int:
    """Where the byte order marks end with which ``text`` begins: some programs write two."""
    return len(text) - len(text.removeprefix(_BOM).removeprefix(_BOM))


def digest_of(header: bytes) -> str:
    """What tells headers apart."""
    return hashlib.blake2b(header, digest_size=16).hexdigest()


def _separator_named(named: bytes) -> str:
    separator = named.decode(errors="replace")
    if separator not in SEPARATORS:
        raise TableUnusable(
            f"The first line names the separator {separator!r}: a table is separated by "
            f"{', '.join(SEPARATORS.values())}."
        )
    return separator


class _Reading(NamedTuple):
    """The head of a table as it is with one separator. ``rows`` are without quotes, each with its number:
    the header is row 1."""

    separator: str
    names: list[str]
    rows_at: int
    rows: list[tuple[int, list[bytes]]]

    def ragged(self) -> list[tuple[int, int]]:
        """The numbers of the rows with more or fewer cells than the header, and how many they have."""
        width = len(self.names)
        return [(number, len(cells)) for number, cells in self.rows if len(cells) != width]


def _read(head: bytes, start: int, separator: str) -> _Reading:
    patterns = grammar(separator)
    found = patterns.row.finditer(head, start)
    header = next(found)
    names = _names(header.group(), start, separator)
    rows: list[tuple[int, list[bytes]]] = []
    if len(names) > 1:
        number = 1 + header.group().count(b"\n")
        for match in found:
            row = match.group()
            if len(head) >= HEAD_BYTES and match.end() == len(head):
                break  # it may be cut
            cells = _cells(row, separator)
            if len(cells) > 1 or cells[0]:
                rows.append((number, cells))
            number += row.count(b"\n")
    return _Reading(separator, names, header.end(), rows)


def _names(header: bytes, start: int, separator: str) -> list[str]:
    """The names in a header, which begins at byte ``start``; none if it is no CSV with this separator. Raises
    TableUnusable."""
    if len(header) > MAX_HEADER_BYTES:
        raise TableUnusable(f"The header does not end within {MAX_HEADER_BYTES:,} bytes.")
    try:
        text = header.decode()
    except UnicodeDecodeError as error:
        raise TableUnusable(
            f"The header is not UTF-8 from byte {start + error.start} on: convert the table to UTF-8."
        ) from None
    if "\r" in text.removesuffix("\n").removesuffix("\r") and "\n" not in text.removesuffix("\n"):
        raise TableUnusable(
            "The header has a carriage return without a line feed: end rows with \\n or \\r\\n."
        )
    try:
        return next(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True), [])
    except csv.Error:
        return []


def _cells(row: bytes, separator: str) -> list[bytes]:
    """The cells of a row, without the blanks around them."""
    row = row.removesuffix(b"\n").removesuffix(b"\r")
    if b'"' in row:
        row = carefully_unquoted(row, separator, _unclosed)
    return [cell.strip(b" \t") for cell in row.split(separator.encode())]


def _unclosed(_offset: int) -> TableUnusable:
    return TableUnusable("The last row begins a quoted cell that does not end: close its quotes.")


def _chosen(readings: Sequence[_Reading], text: bytes) -> _Reading:
    """The one reading of ``text`` in which the rows have as many cells as the header."""
    possible = [reading for reading in readings if len(reading.names) > 1]
    if not possible:
        raise _no_columns(max(len(reading.names) for reading in readings), text)
    fitting = [reading for reading in possible if not reading.ragged()]
    fitting = [reading for reading in fitting if all(map(str.strip, reading.names[1:]))] or fitting
    widest = max(fitting or possible, key=lambda reading: len(reading.names))
    if not fitting:
        number, cells = widest.ragged()[0]
        if text.startswith(b"#"):
            raise TableUnusable(
                f"Row {number} has {_number_of_cells(cells)}, the header {len(widest.names)}, separated by "
                f"{SEPARATORS[widest.separator]}: remove comments before the header, and lines that are not "
                "rows."
            )
        raise ragged_row(f"Row {number}", cells, len(widest.names), widest.separator)
    if len(fitting) > 1 and widest.rows:
        ways = " or ".join(SEPARATORS[reading.separator] for reading in fitting)
        raise TableUnusable(
            f"The table can be read as separated by {ways}: say which, with a first line such as "
            f"sep={fitting[0].separator}"
        )
    return widest


def _no_columns(found: int, text: bytes) -> TableUnusable:
    """What is wrong with a ``text`` whose header names ``found`` columns: one or none."""
    *others, last = SEPARATORS.values()
    what = (
        f"The header must name at least 2 columns, separated by {', '.join(others)} or {last}; it names "
        f"{found}."
        if found
        else "The header is not a CSV row: check its quotes and line ends."
    )
    header, *rows = text.decode(errors="replace").splitlines()[:_LINES_LOOKED_AT]
    if header.startswith("<"):
        return TableUnusable(f"{what} It looks like HTML or XML: convert it to CSV.")
    for number, row in enumerate(rows, start=2):
        if any(separator in row for separator in SEPARATORS) and found:
            return TableUnusable(
                f"{what} Line {number} has more: if that is the header, remove the lines before it."
            )
    most = max(_NOT_READ, key=header.count)
    hint = f" It looks separated by {_NOT_READ[most]}: replace them." if header.count(most) else ""
    return TableUnusable(what + hint)


def ragged_row(where: str, cells: int, width: int, separator: str) -> TableUnusable:
    """What is wrong with a row of ``cells`` cells under a header of ``width``."""
    advice = (
        "name the first column if it holds row names, or remove the separator at the end of rows, or lines "
        "before the header"
        if cells == width + 1
        else "quote cells that have a separator inside, and remove lines that are not rows"
    )
    return TableUnusable(
        f"{where} has {_number_of_cells(cells)}, the header {width}, separated by "
        f"{SEPARATORS[separator]}: {advice}."
    )


def _number_of_cells(cells: int) -> str:
    return f"{cells} cell{'s' if cells > 1 else ''}"


_VALUE = re.compile(
    r"[+-]?(?:[0-9]+[.,]?[0-9]*|[.,][0-9]+)(?:[eE][+-]?[0-9]+)?"  # a number
    r"|[0-9]{1,4}([-/.])[0-9]{1,2}\1[0-9]{1,4}(?:[T ].*)?|[0-9]{1,2}:[0-9]{2}.*"  # a date or time
)


def _check_names(columns: Sequence[str], row_names: bool) -> None:
    names = {name.strip() for name in columns}
    values = [name for name in names if _VALUE.fullmatch(name)]
    others = names.difference(values, MISSING_WORDS, TRUTHS, [""])
    if values and not others and not row_names:
        raise TableUnusable(
            f"All names in the header are values such as {min(values)!r}: put a line with the names of the "
            "columns in front, or, if these are their names, add a letter to each."
        )
    if len(columns) < 2:
        raise TableUnusable(
            f"The header must name at least 2 columns besides the names of rows; it names {len(columns)}."
        )
    if len(columns) > MAX_COLUMNS:
        raise TableUnusable(f"The table has {len(columns)} columns; at most {MAX_COLUMNS} are possible.")
    for number, name in enumerate(columns, start=1 + row_names):
        if not name.strip():
            raise TableUnusable(
                f"Column {number} has no name: give it one, or remove the separator at the end of rows, or "
                "lines before the header."
            )
        if len(name) > MAX_NAME_CHARACTERS:
            raise TableUnusable(
                f"The name of column {number} has more than {MAX_NAME_CHARACTERS} characters."
            )
    if len(set(columns)) < len(columns):
        twice = next(name for name in columns if columns.count(name) > 1)
        raise TableUnusable(f"More than one column is named {twice!r}: rename all but one.")


_DECIMAL = re.compile(rb"[+-]?(?=[.,]?[0-9])([0-9]*)([.,])([0-9]*)(?:[eE][+-]?[0-9]+)?")
_INTEGER = re.compile(rb"[+-]?[0-9]+(?:[eE][+-]?[0-9]+)?")
THOUSANDS = re.compile(rb"[+-]?[1-9][0-9]{0,2}[.,][0-9]{3}")
"""A number that may have decimals or thousands."""


def is_decimal(cell: bytes) -> bool:
    """Whether ``cell`` is a number with decimals for sure."""
    return bool(_DECIMAL.fullmatch(cell)) and not THOUSANDS.fullmatch(cell)


def _has_decimal_points(reading: _Reading) -> bool:
    return any(b"." in cell and is_decimal(cell) for _, cells in reading.rows for cell in cells)


def _decimal(reading: _Reading, columns: Sequence[str], missing_words: Sequence[str]) -> Literal[".", ","]:
    """The decimal mark. A number such as 1,234 may have decimals or thousands: others must tell. Raises
    TableUnusable where none do."""
    if reading.separator == "," or not any(b"," in cell for _, cells in reading.rows for cell in cells):
        return "."
    missing = {b"", *(word.encode() for word in missing_words)}
    sure: dict[bytes, str] = {}
    unsure: dict[bytes, str] = {}
    first = len(reading.names) - len(columns)
    for number, name in enumerate(columns, start=first):
        cells = {cells[number] for _, cells in reading.rows} - missing
        decimals = [(cell, found[2]) for cell in cells if (found := _DECIMAL.fullmatch(cell))]
        if 2 * (len(decimals) + sum(_INTEGER.fullmatch(cell) is not None for cell in cells)) < len(cells):
            continue  # text, most of it
        for cell, mark in decimals:
            (unsure if THOUSANDS.fullmatch(cell) else sure).setdefault(mark, name)
        if {mark for _, mark in decimals} == {b",", b"."} and sure:
            raise TableUnusable(
                f"Column {name!r} has decimal commas and decimal points: write all its numbers with points."
            )
    if len(sure) == 2:
        raise TableUnusable(
            f"Column {sure[b',']!r} has decimal commas and column {sure[b'.']!r} decimal points: write all "
            "numbers with points."
        )
    if sure:
        return "," if b"," in sure else "."
    if b"," in unsure:
        raise TableUnusable(
            f"Column {unsure[b',']!r} has numbers such as 1,234, separated by "
            f"{SEPARATORS[reading.separator]}: nothing tells decimals from thousands. Write decimals with "
            "points, and thousands without a separator."
        )
    return "."
