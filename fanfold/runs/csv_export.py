"""The result of a run as one flat table, for a spreadsheet: CSV."""

import csv
import io
import re
import unicodedata

from fanfold.jobs import Cell, Summary, client_job

_SPLIT = re.compile("([;\\t\\r\\n\\v\\f\\x1c\\x1d\\x1e\\x85\\u2028\\u2029])")
"""Characters besides commas where a spreadsheet may split a row into cells. It then ignores the quotes around
our cell, which are in the middle of one of its own."""


def as_csv(job: str, summary: Summary) -> bytes:
    """The result of ``job`` as CSV in UTF-8, with a header. Words and paths come from the input, so they are
    kept from being formulas."""
    text = io.StringIO()
    # All text is quoted: otherwise a carriage return in it would end the row.
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    for row in client_job(job).rows(summary):
        writer.writerow([harmless(cell) for cell in row])
    return text.getvalue().encode(errors="backslashreplace")


def harmless(cell: Cell) -> Cell:
    """A number as it is; text with an apostrophe, which spreadsheets read as 'this is text', wherever a
    formula could begin (https://owasp.org/www-community/attacks/CSV_Injection)."""
    if isinstance(cell, bool):
        return str(cell).lower()
    if not isinstance(cell, str):
        return cell
    text = "".join(f"'{piece}" if _is_formula(piece) else piece for piece in _SPLIT.split(cell))
    return f"'{text}" if text.startswith(("\t", "\r", "\n")) else text


def _is_formula(text: str) -> bool:
    """Whether a spreadsheet might read it as a formula: it may skip white space, quotes and invisible
    characters, and accept full-width signs.

    >>> _is_formula("=1"), _is_formula(' "=1'), _is_formula("\uff1d1"), _is_formula("a=1")
    (True, True, True, False)
    """
    shown = (char for char in text if char.isprintable() and not char.isspace() and char not in "\"'")
    return unicodedata.normalize("NFKC", next(shown, " "))[0] in "=+-@"
