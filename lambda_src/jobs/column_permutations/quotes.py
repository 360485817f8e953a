"""Cells in quotes, as Python's ``csv`` reads them: a quote opens only at the beginning of a cell, and two
inside are one. A quoted cell may hold separators and line breaks."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

TEXT = b"\x01"
"""A byte that makes a cell text, in place of what would be misread."""

_INSIDE = rb'[^"]*+(?:""[^"]*+)*+'


class Grammar(NamedTuple):
    """Patterns for one separator. ``row`` has its line end, or ends with the text; ``rows`` are whole rows;
    ``rest_of_quoted`` is what is left of a row inside a quoted cell. ``quoted`` is a quoted cell: what is
    inside, the quote that closes it, and what follows in the same cell."""

    row: re.Pattern[bytes]
    rows: re.Pattern[bytes]
    rest_of_quoted: re.Pattern[bytes]
    quoted: re.Pattern[bytes]
    special: re.Pattern[bytes]


@lru_cache(maxsize=8)
def grammar(separator: str) -> Grammar:
    border = re.escape(separator.encode())
    rest_of_cell = rb"[^" + border + rb"\n]*+"
    cell = rb'(?:"' + _INSIDE + rb'"?+)?+' + rest_of_cell
    more_cells = rb"(?:" + border + cell + rb")*+"
    return Grammar(
        re.compile(cell + more_cells + rb"\n?"),
        re.compile(rb"(?:" + cell + more_cells + rb"\n)*+"),
        re.compile(_INSIDE + rb'"' + rest_of_cell + more_cells + rb"\n"),
        re.compile(rb"(?:\A|(?<=[" + border + rb'\n]))"(' + _INSIDE + rb')("?)(' + rest_of_cell + rb")"),
        re.compile(rb"[" + border + rb'\n"]'),
    )


def carefully_unquoted(text: bytes, separator: str, unclosed: Callable[[int], Exception]) -> bytes:
    """Whole rows without the quotes around cells. A quoted cell with a separator, a line break or a quote
    becomes ``TEXT``, as does one that does not end with its quotes. Raises ``unclosed(offset)``."""
    _, _, _, quoted, special = grammar(separator)

    def content(cell: re.Match[bytes]) -> bytes:
        inside, closed, behind = cell.groups()
        if not closed:
            raise unclosed(cell.start())
        return TEXT if behind or special.search(inside) else inside

    return quoted.sub(content, text)
