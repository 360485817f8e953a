"""Parts that the terminal views of several jobs share."""

from collections.abc import Sequence

from rich.columns import Columns
from rich.console import Console
from rich.table import Table as TerminalTable
from rich.text import Text

from fanfold.format import counted
from fanfold.jobs import Cell
from fanfold.report.figures import Table
from fanfold.safe_text import visible

MOST_ROWS = 100
"""Rows of a table in a terminal."""

MOST_OF_A_KEY = 30
"""Characters of a first column for which others may be left out."""

NARROWEST = 8
"""Characters that a longer column keeps; where that does not fit, each row becomes lines of its own."""


def side_by_side(counts: Sequence[tuple[str, int]]) -> Columns:
    """Texts with their counts, as many in a line as fit."""
    return Columns(
        [Text.assemble(visible(text), " ", (f"{count:,}", "cyan")) for text, count in counts], padding=(0, 2)
    )


def cell_text(cell: Cell) -> str:
    """A cell as text for a person: booleans as in JSON, numbers with commas.

    >>> cell_text(True), cell_text(None), cell_text(1234567), cell_text(1234.5), cell_text("1234")
    ('true', '', '1,234,567', '1,234.5', '1234')
    """
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return str(cell).lower()
    return f"{cell:,}" if isinstance(cell, int | float) else cell


def show_table(console: Console, table: Table, spare: Sequence[str] = ()) -> None:
    """Print a table within the width of the terminal: without ``spare`` columns, the first of these first,
    until it fits."""
    table, left_out = _narrowed(table, spare, console.width)
    console.print()
    console.print(Text(visible(table.title), style="bold"))
    if not table.rows:
        console.print("no rows")
        return
    headings, rows = _texts(table)
    if _least_width(headings, rows) <= console.width:
        console.print(_as_columns(table, headings, rows))
    else:
        for row in rows:
            for heading, cell in zip(headings, row, strict=True):
                console.print(Text(f"{heading}: {cell}"), overflow="fold", soft_wrap=False)
            console.print()
    if left_out:
        console.print(visible(f"In a wider terminal also: {'; '.join(left_out)}"), soft_wrap=True)
    if more := len(table.rows) - len(rows):
        console.print(f"{counted(more, 'more row')}; `fanfold results RUN_ID -o result.json` writes all.")


def _texts(table: Table) -> tuple[list[str], list[list[str]]]:
    """Headings and the first rows, as they are shown."""
    headings = [visible(heading.replace("_", " ")) for heading in table.headings]
    return headings, [[visible(cell_text(cell)) for cell in row] for row in table.rows[:MOST_ROWS]]


def _narrowed(table: Table, spare: Sequence[str], width: int) -> tuple[Table, list[str]]:
    """``table`` without as many of the ``spare`` columns as it takes to fit, and their headings."""
    left_out: list[str] = []
    for heading in spare:
        if not table.rows or _good_width(*_texts(table)) <= width:
            break
        if heading in table.headings:
            place = list(table.headings).index(heading)
            rows = [[*row[:place], *row[place + 1 :]] for row in table.rows]
            headings = [*table.headings[:place], *table.headings[place + 1 :]]
            table, left_out = table._replace(headings=headings, rows=rows), [*left_out, heading]
    return table, left_out


def _as_columns(table: Table, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> TerminalTable:
    shown = TerminalTable(pad_edge=False)
    for place, heading in enumerate(headings):
        is_number = all(isinstance(row[place], int | float | None) for row in table.rows)
        shown.add_column(Text(heading), justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        shown.add_row(*map(Text, row))
    return shown


def _least_width(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    columns = (max(map(len, column)) for column in zip(headings, *rows, strict=True))
    return sum(min(longest, NARROWEST) + 3 for longest in columns) + 1


def _good_width(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """The same, with a first column that has most keys in one line."""
    first = max(len(headings[0]), *(len(row[0]) for row in rows))
    return _least_width(headings, rows) + max(min(first, MOST_OF_A_KEY) - NARROWEST, 0)
