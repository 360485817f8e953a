"""The result of a run as one flat table, for a spreadsheet: CSV."""

import csv
import io
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Summary = Mapping[str, Any]
Cell = str | int | float
Rows = Iterator[tuple[Cell, ...]]

_SPLIT = re.compile("([;\\t\\r\\n\\v\\f\\x1c\\x1d\\x1e\\x85\\u2028\\u2029])")
"""Where a spreadsheet may split a row into cells, besides commas. It then does not heed the quotes around our
own cell, which it finds in the middle of one of its own."""


def as_csv(job: str, summary: Summary) -> bytes:
    """The result of ``job`` as CSV in UTF-8, a header first. Words and paths are others' text: none of them
    is a formula."""
    text = io.StringIO()
    # With quotes around all text: without, a carriage return in it would end the row.
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    for row in ROWS.get(job, _rows_of_any)(summary):
        writer.writerow([_harmless(cell) for cell in row])
    return text.getvalue().encode(errors="backslashreplace")


def _harmless(cell: Cell) -> Cell:
    """A number is a number. Text gets an apostrophe, which spreadsheets take for 'this is text', wherever a
    formula could begin (https://owasp.org/www-community/attacks/CSV_Injection)."""
    if not isinstance(cell, str):
        return cell
    text = "".join(f"'{piece}" if _is_formula(piece) else piece for piece in _SPLIT.split(cell))
    return f"'{text}" if text.startswith(("\t", "\r", "\n")) else text


def _is_formula(text: str) -> bool:
    """Whether it might be one: white space, quotes and what does not show may be skipped, and signs may be
    as wide as a Chinese letter.

    >>> _is_formula("=1"), _is_formula(' "=1'), _is_formula("\uff1d1"), _is_formula("a=1")
    (True, True, True, False)
    """
    shown = (char for char in text if char.isprintable() and not char.isspace() and char not in "\"'")
    return unicodedata.normalize("NFKC", next(shown, " "))[0] in "=+-@"


def _rows_of_top_words(summary: Summary) -> Rows:
    yield "length", "rank", "word", "count"
    for length, words in _by_number(summary["top_words"]):
        for rank, top in enumerate(words, 1):
            yield int(length), rank, top["word"], top["count"]


def _rows_of_access_log(summary: Summary) -> Rows:
    """One figure a row: statuses and paths are as many as there happen to be."""
    yield "hour", "figure", "of", "count"
    for hour, found in _by_number(summary["hours"]):
        yield int(hour), "requests", "", found["requests"]
        yield int(hour), "bytes_sent", "", found["bytes_sent"]
        for status, count in sorted(found["status"].items()):
            yield int(hour), "status", status, count
        for field in ("top_paths", "top_paths_5xx"):
            for top in found.get(field, ()):
                yield int(hour), field, top["path"], top["count"]


def _rows_of_column_permutations(summary: Summary) -> Rows:
    yield "size", "rank", "r_squared", "target", "predictor_1", "predictor_2", "predictor_3"
    for size, choices in _by_number(summary["best"]):
        for rank, choice in enumerate(choices, 1):
            predictors = [*choice["predictors"], "", ""][:3]
            yield int(size), rank, choice["r_squared"], choice["target"], *predictors


def _rows_of_any(summary: Summary) -> Rows:
    """Each value with where it is, as a JSON pointer."""
    yield "pointer", "value"
    yield from _leaves("", summary)


def _leaves(pointer: str, value: Any) -> Iterator[tuple[Cell, ...]]:
    match value:
        case dict():
            for name, entry in value.items():
                yield from _leaves(f"{pointer}/{str(name).replace('~', '~0').replace('/', '~1')}", entry)
        case list():
            for place, entry in enumerate(value):
                yield from _leaves(f"{pointer}/{place}", entry)
        case str() | int() | float():
            yield pointer, value
        case _:
            yield pointer, ""


def _by_number(parts: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return sorted(parts.items(), key=lambda entry: int(entry[0]))


ROWS: dict[str, Callable[[Summary], Rows]] = {
    "top_words": _rows_of_top_words,
    "access_log": _rows_of_access_log,
    "column_permutations": _rows_of_column_permutations,
}
