"""Rows of a table as numbers: text in a known dialect, in chunks that cut no row.

A number is digits with an optional sign, decimal mark and exponent, in ASCII: nothing else. Its value is the
one that Python's ``float`` has. An empty cell and the dialect's missing words are missing, with blanks around
them or not. Every other cell is text, or one of the words for true and false: neither ends a run.

Quotes are read as Python's ``csv`` does: one opens only at the beginning of a cell, and two inside are one.
A quoted cell may hold line breaks, so a line may begin inside quotes. Where a block begins, ``csv_records``
decides that by the quotes that follow. A wrong decision ends the run: the block before, whose rows begin
where they must, then ends inside quotes, which ``read_rows`` refuses. So each row is read once, or none is.
"""

import re
from collections.abc import Callable
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lambda_src.errors import TableUnusable
from lambda_src.job import Place
from lambda_src.jobs.column_permutations.cells import NUMBER, Flags, Floats, Places, read_cells
from lambda_src.jobs.column_permutations.dialect import (
    THOUSANDS,
    Dialect,
    digest_of,
    end_of_marks,
    is_decimal,
    ragged_row,
)
from lambda_src.jobs.column_permutations.quotes import TEXT, carefully_unquoted, grammar
from lambda_src.records import LINES, Rule

LOOK_AHEAD_BYTES = 64 << 10
"""How far a block looks ahead for quotes that tell whether it begins inside a cell. Where a quoted cell is
longer, it may be wrong, which ends the run."""

_TEXT = ord(TEXT)
_BLANK = 3
"""Stands for blanks inside a cell, which make it text."""
_LINE_END, _QUOTE, _COMMA, _POINT = b'\n",.'
_BLANKS = b" \t"


class Texts(NamedTuple):
    """``cells`` cells of a column are neither numbers nor missing nor words for true and false. The row of
    the first begins at ``first``; ``like`` says what that cell looks like."""

    cells: int
    first: Place | None
    like: str


NO_TEXTS = Texts(0, None, "")


class Rows(NamedTuple):
    """``values`` has a row of floats for each row of the text, and a column for each of the dialect: NaN
    where a cell is missing or no number, 1 and 0 for true and false. ``booleans`` are how many words for true
    and false each column has: in a table, a column has only those, or only numbers, or it is text. Where a
    point may separate thousands, ``thousands`` are how many numbers of each column may have some, and
    ``decimals``, how many have decimals for sure."""

    values: Floats
    missing: Flags
    texts: tuple[Texts, ...]
    booleans: Places
    thousands: Places
    decimals: Places


def csv_records(dialect: Dialect) -> Rule:
    """Rows as records. They end at line breaks outside quotes."""
    patterns = grammar(dialect.separator)
    borders = dialect.separator.encode() + b"\r\n"

    def last_cut(data: bytes) -> int:
        if b'"' not in data:
            return data.rfind(b"\n") + 1
        begin = end_of_marks(data)
        found = patterns.rows.match(data, begin)
        return found.end() if found and found.end() > begin else 0

    def first_cut(data: bytes, at: int, is_all: bool) -> int | None:
        line = data.find(b"\n", at - 1) + 1
        if not line:
            return len(data) if is_all else None
        quoted = _begins_inside(data, line, borders, is_all)
        if not quoted:
            return None if quoted is None else line
        row = patterns.rest_of_quoted.match(data, line)
        return row.end() if row else len(data) if is_all else None

    if not dialect.quoted:
        return LINES._replace(what="row", last_cut=last_cut)
    return Rule("row", LINES.longest_bytes, LOOK_AHEAD_BYTES, first_cut, last_cut)


_QUOTES = re.compile(rb'"+')


def _begins_inside(data: bytes, line: int, borders: bytes, is_all: bool) -> bool | None:
    """Whether the line that begins at ``line`` seems to begin inside quotes; None if that depends on more
    data.

    Two quotes inside a cell are one, so an odd number of them opens or closes a cell. What opens one is
    behind a border, what closes one is before a border.
    """
    turns = 0
    end = line + LOOK_AHEAD_BYTES
    for quotes in _QUOTES.finditer(data, line, end):
        if quotes.end() == end or (quotes.end() == len(data) and not is_all):
            break
        if (quotes.end() - quotes.start()) % 2:
            opens = data[quotes.start() - 1] in borders
            if opens != (quotes.end() == len(data) or data[quotes.end()] in borders):
                return opens == bool(turns % 2)
            if not opens:  # inside a cell without quotes
                return bool(turns % 2)
            turns += 1
    if len(data) >= end:
        return False
    return bool(turns % 2) if is_all else None  # all quotes are closed in the end


def read_rows(text: bytes, dialect: Dialect, place: Place) -> Rows:
    """The rows of ``text``, which begins at ``place``, without the header of an object. Raises
    TableUnusable."""
    if not place.unpacked_from and place.offset < dialect.header_bytes:
        text, place = _without_header(text, dialect, place)
    written = _Written(text, dialect, place)
    plain = _plain(text, dialect, place)
    width, first = len(dialect.columns) + dialect.row_names, int(dialect.row_names)
    characters = np.frombuffer(plain, np.uint8)
    ends = np.flatnonzero((characters == _COMMA) | (characters == _LINE_END))
    shape = plain.count(b"\n"), width
    if len(ends) != shape[0] * width or (characters[ends[width - 1 :: width]] != _LINE_END).any():
        raise _ragged(characters[ends], width, written)
    cells = read_cells(plain, characters, ends, _missing_words(dialect))
    is_text = cells.texts.reshape(shape)[:, first:]
    ends = ends.reshape(shape)[:, first:]

    def cell(row: int, column: int) -> bytes:
        end = int(ends[row, column])
        return plain[max(plain.rfind(border, 0, end) for border in (b",", b"\n")) + 1 : end]

    texts = _texts(is_text, written, cell)
    return Rows(
        cells.values.reshape(shape)[:, first:],
        cells.missing.reshape(shape)[:, first:],
        texts,
        cells.truths.reshape(shape)[:, first:].sum(axis=0),
        *_points(plain, ends, dialect),
    )


def _without_header(text: bytes, dialect: Dialect, place: Place) -> tuple[bytes, Place]:
    """What follows the header of the first object, after a check that it is this object's, too."""
    preamble = dialect.preamble.encode()[place.offset : place.offset + len(text)]
    header = text[len(preamble) : dialect.header_bytes - place.offset]
    if not text.startswith(preamble) or (header and digest_of(header) != dialect.digest):
        raise TableUnusable(
            f"{place.key} begins with another header than the first object: give all objects the same first "
            "lines, to the byte."
        )
    return text[len(preamble) + len(header) :], place._replace(offset=dialect.header_bytes)


def _missing_words(dialect: Dialect) -> list[bytes]:
    return [_translated(word.encode() + b"\n", dialect)[:-1] for word in dialect.missing_words]


class _Written(NamedTuple):
    """The rows as they are written, for messages."""

    text: bytes
    dialect: Dialect
    place: Place

    def places(self, rows: set[int]) -> dict[int, Place]:
        """Where the ``rows`` begin, counted from 0 without blank ones."""
        blanks = b' \t\r\n"'.replace(self.dialect.separator.encode(), b"")
        found = grammar(self.dialect.separator).row.finditer(self.text)
        begins = enumerate(row.start() for row in found if row.group().strip(blanks))
        last = max(rows)
        return {
            row: self.place._replace(offset=self.place.offset + begin)
            for row, begin in islice(begins, last + 1)
            if row in rows
        }


def _plain(text: bytes, dialect: Dialect, place: Place) -> bytes:
    """The same rows with commas between cells, decimal points, and a line end after each row; without quotes,
    and blanks around cells. What a cell cannot hold then is ``_TEXT``, or ``_BLANK``."""
    if text and not text.endswith(b"\n"):
        text += b"\n"
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n")
    if b'"' in text:
        text = _unquoted(text, dialect.separator, place)
    text = _translated(text, dialect)
    if text.startswith(b"\n") or b"\n\n" in text:
        text = re.sub(rb"(?:\A|(?<=\n))\n+", b"", text)
    return text


def _translated(text: bytes, dialect: Dialect) -> bytes:
    """Whole rows with commas and decimal points, without blanks around cells."""
    if dialect.separator != ",":
        comma, point = (_POINT, _TEXT) if dialect.decimal == "," else (_TEXT, _POINT)
        marks = bytes([_COMMA, comma, point])
        text = text.translate(bytes.maketrans(dialect.separator.encode() + b",.", marks))
    return _without_blanks(text) if b" " in text or b"\t" in text else text


def _unquoted(text: bytes, separator: str, place: Place) -> bytes:
    """As ``carefully_unquoted``, and much faster where all quotes are around cells, or doubled inside."""

    def unclosed(offset: int) -> TableUnusable:
        at = place._replace(offset=place.offset + offset)
        return TableUnusable(
            f"A quoted cell that begins near {at.name()} does not end: close its quotes, or, if it has line "
            "breaks, choose a larger block_bytes."
        )

    characters = np.frombuffer(text, np.uint8)
    quotes = np.flatnonzero(characters == _QUOTE)
    opening, closing = quotes[::2], quotes[1::2]
    if len(opening) != len(closing):
        return carefully_unquoted(text, separator, unclosed)
    borders = (characters == ord(separator)) | (characters == _LINE_END)
    doubled = opening[1:] == closing[:-1] + 1
    opens, closes = borders[opening - 1], borders[closing + 1]  # before the text is its last line end
    opens[1:] |= doubled
    closes[:-1] |= doubled
    if not (opens.all() and closes.all()):
        return carefully_unquoted(text, separator, unclosed)
    unquoted = characters.copy()
    ends = np.flatnonzero(borders)
    inside = ends[np.searchsorted(quotes, ends) % 2 == 1]
    unquoted[inside] = _TEXT + (characters[inside] == _LINE_END)
    unquoted[opening[1:][doubled]] = _TEXT
    return bytes(unquoted[unquoted != _QUOTE])


def _without_blanks(text: bytes) -> bytes:
    characters = np.frombuffer(text, np.uint8)
    blanks = np.flatnonzero((characters == _BLANKS[0]) | (characters == _BLANKS[1]))
    first = blanks[np.diff(blanks, prepend=-2) != 1]
    last = blanks[np.diff(blanks, append=len(text) + 1) != 1]
    before, after = characters[first - 1], characters[last + 1]  # before the text is its last line end
    inner = (before != _COMMA) & (before != _LINE_END) & (after != _COMMA) & (after != _LINE_END)
    stripped = characters.copy()
    stripped[first[inner]] = _BLANK
    return bytes(stripped[(stripped != _BLANKS[0]) & (stripped != _BLANKS[1])])


_POINTED = re.compile(rb"[^,\n]*\.[^,\n]*")


def _points(plain: bytes, ends: Places, dialect: Dialect) -> tuple[Places, Places]:
    """The ``thousands`` and ``decimals`` of cells that end at ``ends``."""
    width = len(dialect.columns)
    if dialect.points or b"." not in plain:
        return np.zeros(width, np.int64), np.zeros(width, np.int64)
    found = [(cell.end(), cell.group()) for cell in _POINTED.finditer(plain)]

    def counted(is_one: Callable[[bytes], object]) -> Places:
        flags = np.isin(ends, [end for end, cell in found if is_one(cell)])
        counts: Places = flags.sum(axis=0)
        return counts

    return counted(THOUSANDS.fullmatch), counted(is_decimal)


_UNIT = rb"(?:%|\$|\xe2\x82\xac|\xc2\xa3|\xc2\xa5)"
_GROUP = rb"(?:[\x01\x03.'_]|\xc2\xa0|\xe2\x80[\x89\x99\xaf])"
_LIKE = {
    "a date": rb"(?=.{6})\d{1,4}([-/.\x01])\d{1,2}\1(?:\d{4}|\d\d?)(?:[T\x03].*)?",
    "a number with a minus sign that is not ASCII": rb"\xe2\x88\x92[\d.]+",
    "a number with separators of thousands": (
        rb"[+-]?\d{1,3}(?:" + _GROUP + rb"\d\d)*(?:" + _GROUP + rb"\d{3})+(?:[.\x01]\d*)?"
    ),
    "a number with another decimal mark": rb"[+-]?\d+[.\x01]\d+",
    "a number with a unit": rb"[+-]?(?:" + _UNIT + rb"\x03?[\d.\x01]+|[\d.\x01]+\x03?" + _UNIT + rb")",
    "infinity": rb"[+-]?(?i:inf|infinity)",
    "an integer too long for a 64-bit float": rb"[+-]?\d{16,309}",
    "a number too large for a 64-bit float": NUMBER.pattern,
}


def _like(cell: bytes) -> str:
    """What a cell that is text looks like, for people. The cell itself stays out of logs."""
    return next((like for like, pattern in _LIKE.items() if re.fullmatch(pattern, cell, re.DOTALL)), "text")


def _texts(is_text: Flags, written: _Written, cell: Callable[[int, int], bytes]) -> tuple[Texts, ...]:
    """The text of each column; ``cell(row, column)`` is that one."""
    counts = is_text.sum(axis=0).tolist()
    if not any(counts):
        return (NO_TEXTS,) * len(counts)
    first = is_text.argmax(axis=0).tolist()
    places = written.places({row for row, count in zip(first, counts, strict=True) if count})
    return tuple(
        Texts(count, places[row], _like(cell(row, column))) if count else NO_TEXTS
        for column, (row, count) in enumerate(zip(first, counts, strict=True))
    )


def _ragged(borders: NDArray[np.uint8], width: int, written: _Written) -> TableUnusable:
    """The error for the first row of another width; ``borders`` are the characters that end cells."""
    cells = np.diff(np.flatnonzero(borders == _LINE_END), prepend=-1)
    row = int(np.flatnonzero(cells != width)[0])
    at = written.places({row})[row].name()
    error = ragged_row(f"The row at {at}", int(cells[row]), width, written.dialect.separator)
    if not written.dialect.quoted:
        return error
    return TableUnusable(f"{str(error)[:-1]}; or, if cells have line breaks, choose a larger block_bytes.")
