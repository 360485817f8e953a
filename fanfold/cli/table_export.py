"""The result of a run as one flat table: Markdown, HTML, JSON Lines and Parquet. No text becomes markup."""

import html
import importlib
import importlib.util
import io
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import ModuleType
from typing import Any, Literal, NamedTuple

import msgspec

from fanfold.errors import ReportError
from fanfold.jobs import Cell, Summary, chosen_text, client_job
from fanfold.safe_text import shell_word, visible

_MARKUP = re.compile(r"[\\`*{}\[\]<>|&~!#^$]|(?<![^\W_])_|_(?![^\W_])|:(?=//)|(?<=www)\.", re.IGNORECASE)
"""What may begin or end markup in a cell of Markdown, or make a link of an address. An underscore between
letters or digits does not."""

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 16px/1.4 system-ui, sans-serif; margin: 2em }}
table {{ border-collapse: collapse }}
th, td {{ border-bottom: 1px solid #ccc; padding: 0.2em 0.8em; text-align: left; overflow-wrap: anywhere }}
.n {{ text-align: right; font-variant-numeric: tabular-nums }}
</style>
<table>
<caption>{title}</caption>
{rows}
</table>
"""

LARGEST_INTEGER = (1 << 63) - 1
Kind = Literal["integer", "number", "boolean", "text"]


class Column(NamedTuple):
    """A column whose cells, but for None, are all of one kind."""

    name: str
    kind: Kind
    cells: Sequence[Cell]


def as_markdown(job: str, summary: Summary) -> bytes:
    """A table of GitHub's Markdown; columns of numbers are aligned to the right. Options of the run are above
    it."""
    headings, rows = _table(job, summary)
    title = f"{_in_markdown(_title(job, summary))}\n\n" if _options(job, summary) else ""
    rule = ["---:" if numeric else "---" for numeric in _are_numeric(headings, rows)]
    lines = [map(_in_markdown, headings), rule, *(map(_in_markdown, row) for row in rows)]
    return (title + "".join(f"| {' | '.join(line)} |\n" for line in lines)).encode()


def as_html(job: str, summary: Summary) -> bytes:
    """A page that has the table alone, loads nothing and runs nothing."""
    headings, rows = _table(job, summary)
    classes = [' class="n"' if numeric else "" for numeric in _are_numeric(headings, rows)]

    def line(tag: str, cells: Sequence[Cell]) -> str:
        return "<tr>" + "".join(
            f"<{tag}{of}>{html.escape(_shown(cell))}</{tag}>" for of, cell in zip(classes, cells, strict=True)
        )

    title = html.escape(visible(_title(job, summary)))
    body = "\n".join([line("th", headings), *(line("td", row) for row in rows)])
    return _PAGE.format(title=title, rows=body).encode()


def as_json_lines(job: str, summary: Summary) -> bytes:
    """One JSON object for each row."""
    headings, rows = _table(job, summary)
    return b"".join(msgspec.json.encode(dict(zip(headings, row, strict=True))) + b"\n" for row in rows)


def as_parquet(job: str, summary: Summary) -> bytes:
    """A Parquet file, by pyarrow or polars. Raises ReportError if neither is installed."""
    written = io.BytesIO()
    library = check_parquet()
    columns = typed(*_table(job, summary))
    if library.__name__ == "polars":
        kinds = {"integer": library.Int64, "number": library.Float64, "boolean": library.Boolean}
        schema = {column.name: kinds.get(column.kind, library.String) for column in columns}
        library.DataFrame({column.name: column.cells for column in columns}, schema).write_parquet(written)
    else:
        kinds = {"integer": library.int64(), "number": library.float64(), "boolean": library.bool_()}
        arrays = {
            column.name: library.array(column.cells, kinds.get(column.kind, library.string()))
            for column in columns
        }
        importlib.import_module("pyarrow.parquet").write_table(library.table(arrays), written)
    return written.getvalue()


def check_parquet() -> ModuleType:
    """The library that writes Parquet. Raises ReportError if there is none."""
    for name in ("pyarrow", "polars"):
        if importlib.util.find_spec(name):
            with suppress(ImportError):  # one that does not fit this Python
                return importlib.import_module(name)
    raise ReportError(
        "Parquet needs pyarrow or polars, and neither is installed. To install one: "
        f"{shell_word(sys.executable)} -m pip install pyarrow"
    )


def typed(headings: Sequence[str], rows: Sequence[Sequence[Cell]]) -> list[Column]:
    """Columns of one kind each. What mixes texts with others, or is too large for 64 bits, is text.

    >>> typed(["a", "b", "c"], [[1, 1, 1], [None, 0.5, "x"]])[1:]
    [Column(name='b', kind='number', cells=[1.0, 0.5]), Column(name='c', kind='text', cells=['1', 'x'])]
    """
    columns = []
    for place, name in enumerate(headings):
        cells = [row[place] for row in rows]
        kind = _kind({type(cell) for cell in cells if cell is not None}, cells)
        of: Callable[[Any], Cell] = {"number": float, "text": _text}.get(kind, lambda cell: cell)  # type: ignore[assignment]
        columns.append(Column(name, kind, [None if cell is None else of(cell) for cell in cells]))
    return columns


def _kind(types: set[type], cells: Sequence[Cell]) -> Kind:
    largest = max((abs(cell) for cell in cells if isinstance(cell, int)), default=0)
    if types == {bool}:
        return "boolean"
    if types == {int} and largest <= LARGEST_INTEGER:
        return "integer"
    # A larger integer would be rounded.
    return "number" if types and types <= {int, float} and largest <= 1 << 53 else "text"


def _title(job: str, summary: Summary) -> str:
    """The run, with its options."""
    options = _options(job, summary)
    return f"{job}{f', {options}' if options else ''}, run {summary.get('run_id', '')}"


def _options(job: str, summary: Summary) -> str:
    return chosen_text(job, summary.get("options", {}))


def _table(job: str, summary: Summary) -> tuple[list[str], list[Sequence[Cell]]]:
    headings, *rows = client_job(job).rows(summary)
    return [str(heading) for heading in headings], list(rows)


def _are_numeric(headings: Sequence[str], rows: Sequence[Sequence[Cell]]) -> list[bool]:
    return [
        bool(rows) and all(isinstance(row[place], int | float | None) for row in rows)
        for place in range(len(headings))
    ]


def _shown(cell: Cell) -> str:
    """A cell as a text that is safe in a terminal."""
    return "" if cell is None else visible(_text(cell))


def _text(cell: Cell) -> str:
    """A cell as it is, booleans as in JSON."""
    return str(cell).lower() if isinstance(cell, bool) else str(cell)


def _in_markdown(cell: Cell) -> str:
    """A cell in which nothing is markup: entities never are. An ``@`` becomes code, because some readers make
    links of e-mail addresses even then.

    >>> print(_in_markdown("a|b"), _in_markdown("https://x.org"), _in_markdown("me@x.org"))
    a&#124;b https&#58;//x.org me`@`x.org
    >>> print(_in_markdown("log_messages"), _in_markdown("_a_"), _in_markdown("a__b"))
    log_messages &#95;a&#95; a&#95;&#95;b
    """
    text = _MARKUP.sub(lambda found: f"&#{ord(found[0])};", _shown(cell))
    return re.sub("@+", r"`\g<0>`", text)
