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

NARROWEST = 8
"""Characters that a longer column keeps; where that does not fit, each row becomes lines of its own."""


def side_by_side(counts: Sequence[tuple[str, int]]) -> Columns:
    """Texts with their counts, as many in a line as fit."""
    return Columns(
        [Text.assemble(visible(text), " ", (f"{count:,}", "cyan")) for text, count in counts], padding=(0, 2)
    )


def cell_text(cell: Cell) -> str:
    """A cell as text: booleans as in JSON.

    >>> cell_text(True), cell_text(None), cell_text(1.5)
    ('true', '', '1.5')
    """
    if cell is None:
        return ""
    return str(cell).lower() if isinstance(cell, bool) else str(cell)


def show_table(console: Console, table: Table) -> None:
    """Print a table within the width of the terminal."""
    console.print()
    console.print(Text(visible(table.title), style="bold"))
    if not table.rows:
        console.print("no rows")
        return
    headings = [visible(heading.replace("_", " ")) for heading in table.headings]
    rows = [[visible(cell_text(cell)) for cell in row] for row in table.rows[:MOST_ROWS]]
    if _least_width(headings, rows) <= console.width:
        console.print(_as_columns(table, headings, rows))
    else:
        for row in rows:
            for heading, cell in zip(headings, row, strict=True):
                console.print(Text(f"{heading}: {cell}"), overflow="fold", soft_wrap=False)
            console.print()
    if left_out := len(table.rows) - len(rows):
        console.print(f"{counted(left_out, 'more row')}; `fanfold results RUN_ID -o result.json` writes all.")


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
