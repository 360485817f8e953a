"""The default for jobs without a module here: lists of objects are tables, all else is a single value."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeGuard

from rich.console import Console
from rich.text import Text

from fanfold.format import counted, plural
from fanfold.jobs import Cell, ClientJob, Rows, Summary
from fanfold.jobs._tables import Found, FoundTable, find
from fanfold.jobs._terminal import cell_text, show_table
from fanfold.report.figures import Result, Table
from fanfold.safe_text import visible
from lambda_src.job import load, names
from lambda_src.run.summary import ENGINE_FIELDS

MOST_ROWS = 500
"""Rows of a table in a report."""

OF_THE_INPUT = ("bytes", "objects")
"""Numbers that say nothing about the answer."""


@dataclass(frozen=True)
class AnyJob:
    """Shows results of the job ``name``; see ``any_job``."""

    name: str
    title: str
    headline: str
    first: Sequence[str]

    def show(self, console: Console, summary: Summary) -> None:
        """Print single values, then tables."""
        found = self._find(summary)
        for name, value in found.values.items():
            console.print(Text(visible(f"{_words(name)}: {cell_text(value)}")), soft_wrap=True)
        for _, table in found.tables:
            show_table(console, table)

    def rows(self, summary: Summary) -> Rows:
        """The only table, or the one that the author put first. Several are put below each other, with a
        column that names them. A result without tables is its single values."""
        values, found = self._find(summary)
        tables = [one for one in found if one.table.headings]
        chosen = [one for one in tables if self.first and one.field == self.first[0]]
        if not tables:
            yield "name", "value"
            yield from values.items()
        elif len(tables) == 1 or len(chosen) == 1:
            (table,) = chosen or tables
            yield tuple(table.table.headings)
            yield from (tuple(row) for row in table.table.rows)
        else:
            yield from _below_each_other([one.table for one in chosen or tables])

    def draw(self, summary: Summary) -> Result:
        """A headline, the single values and all tables."""
        found = self._find(summary)
        number, what = self._headline(found)
        others = [
            f"{_words(name)}: {value}"
            for name, value in found.values.items()
            if _is_number(value) and name not in (what, *OF_THE_INPUT)
        ]
        sizes = [f"{counted(len(table.rows), 'row')} of {table.title}" for _, table in found.tables]
        values = [[_words(name), _on_page(value)] for name, value in found.values.items()]
        shown = [Table("Single values", ["What", "Value"], values)] if values else []
        return Result(
            self.title or _words(self.name).capitalize() or "What the job found",
            number,
            _words(what),
            "; ".join(others + sizes),
            [*shown, *(_for_page(table) for _, table in found.tables if table.rows)],
        )

    def _find(self, summary: Summary) -> Found:
        own = {name: value for name, value in summary.items() if name not in ENGINE_FIELDS}
        if self.name in names():
            job = load(self.name)
            values, tables = find(own, job.part, job.parts)
        else:
            values, tables = find(own)
        return Found(values, sorted(tables, key=self._place))

    def _place(self, table: FoundTable) -> int:
        return list(self.first).index(table.field) if table.field in self.first else len(self.first)

    def _headline(self, found: Found) -> tuple[int | float, str]:
        """The main number, and what it counts."""
        numbers = {name: value for name, value in found.values.items() if _is_number(value)}
        if self.headline in numbers:
            return numbers[self.headline], self.headline
        for _, table in found.tables:
            if self.headline in table.headings:
                place = list(table.headings).index(self.headline)
                cells = (row[place] for row in table.rows)
                return sum(cell for cell in cells if _is_number(cell)), self.headline
        for name, value in numbers.items():
            if name not in OF_THE_INPUT:
                return value, name
        rows = len(found.tables[0].table.rows) if found.tables else len(found.values)
        return rows, plural(rows, "row" if found.tables else "value")


def _below_each_other(tables: Sequence[Table]) -> Iterator[tuple[Cell, ...]]:
    headings = list(dict.fromkeys(heading for table in tables for heading in table.headings))
    title = "table"
    while title in headings:
        title += "_"
    yield title, *headings
    for table in tables:
        for row in table.rows:
            cells: Mapping[str, Cell] = dict(zip(table.headings, row, strict=True))
            yield table.title, *(cells.get(heading) for heading in headings)


def _for_page(table: Table) -> Table:
    left_out = f"The first {MOST_ROWS} of {len(table.rows)} rows." if len(table.rows) > MOST_ROWS else ""
    rows = [[_on_page(cell) for cell in row] for row in table.rows[:MOST_ROWS]]
    return Table(table.title, [_words(heading) for heading in table.headings], rows, left_out)


def _on_page(cell: Cell) -> Cell:
    return cell_text(cell) if isinstance(cell, bool) else cell


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _words(name: str) -> str:
    return name.replace("_", " ")


def client_job(name: str, title: str = "", headline: str = "", tables: Sequence[str] = ()) -> ClientJob:
    """See ``fanfold.jobs.any_job``."""
    job = AnyJob(name, title, headline, tables)
    return ClientJob(show=job.show, rows=job.rows, draw=job.draw)


JOB = client_job("")
