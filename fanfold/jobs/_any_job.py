"""The default for jobs without a module here: lists of objects are tables, all else is a single value."""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from fanfold.format import counted, plural
from fanfold.jobs import Cell, ClientJob, Rows, Summary, sentence_of
from fanfold.jobs._headline import filled, is_number, names_in, parted, value_of
from fanfold.jobs._tables import Found, find
from fanfold.jobs._terminal import cell_text, show_table
from fanfold.report.figures import Result, Table
from fanfold.safe_text import visible
from lambda_src.job import PLAIN, Job, Shown
from lambda_src.run.summary import ENGINE_FIELDS

MOST_ROWS = 500
"""Rows of a table in a report."""

LONGEST_TITLE = 100
"""Characters of the first sentence of a job's documentation that make it a title."""

OF_THE_INPUT = ("bytes", "objects")
"""Numbers that say nothing about the answer."""


@dataclass(frozen=True)
class AnyJob:
    """Shows results of a job; see ``any_job``. ``title`` is that of one whose author gives none."""

    title: str
    part: str = "part"
    parts: Sequence[str] = ()
    shown: Shown = PLAIN

    def show(self, console: Console, summary: Summary) -> None:
        """Print what the author wants to be seen first, single values, then tables."""
        found = self._find(summary)
        headline = filled(self.shown.headline, summary, self.parts)
        for line, style in ((self.shown.title, "bold"), (headline, "")):
            if line:
                console.print(Text(visible(line), style=style), soft_wrap=True)
        told = {
            name for name in names_in(self.shown.headline) if value_of(name, summary, self.parts) is not None
        }
        for name, value in found.values.items():
            if name not in told:
                console.print(Text(visible(f"{_words(name)}: {cell_text(value)}")), soft_wrap=True)
        for _, table in found.tables:
            show_table(console, table)

    def rows(self, summary: Summary) -> Rows:
        """The only table, or the one that the author put first. Several are put below each other, with a
        column that names them. A result without tables is its single values."""
        values, found = self._find(summary)
        tables = [one for one in found if one.table.headings]
        chosen = [one for one in tables if one.field in self.shown.tables[:1]]
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
        """A headline, all tables, and the single values if they say more than how large the input is."""
        found = self._find(summary)
        number, what = self._headline(summary, found)
        others = [
            f"{_words(name)}: {cell_text(value)}"
            for name, value in found.values.items()
            if is_number(value) and name not in (what, *OF_THE_INPUT)
        ]
        sizes = [f"{counted(len(table.rows), 'row')} of {table.title}" for _, table in found.tables]
        values = [[_words(name), _on_page(value)] for name, value in found.values.items()]
        # Above the result, a report says how large the input is.
        of_the_answer = found.values.keys() - set(OF_THE_INPUT)
        shown = [Table("Single values", ["What", "Value"], values)] if of_the_answer else []
        return Result(
            self.shown.title or self.title,
            number,
            _words(what),
            "" if self.shown.headline else "; ".join(others + sizes),
            [*(_for_page(table) for _, table in found.tables), *shown],
        )

    def _find(self, summary: Summary) -> Found:
        own = {name: value for name, value in summary.items() if name not in ENGINE_FIELDS}
        values, tables = find(own, self.part, self.parts)
        first = list(self.shown.tables)
        return Found(values, sorted(tables, key=lambda one: (*first, one.field).index(one.field)))

    def _headline(self, summary: Summary, found: Found) -> tuple[str | int | float, str]:
        """The main number, and what it counts; or a text in place of both."""
        if self.shown.headline:
            return parted(self.shown.headline, summary, self.parts)
        for name, value in found.values.items():
            if is_number(value) and name not in OF_THE_INPUT:
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
    headings = [_words(heading) for heading in table.headings]
    return Table(table.title, headings, rows, left_out, _ranked_by(rows))


def _ranked_by(rows: Sequence[Sequence[Cell]]) -> int | None:
    """The column of numbers that rows are ranked by, if it is the first one: it gets bars."""
    for place in range(len(rows[0]) if rows else 0):
        numbers = [row[place] for row in rows]
        if all(map(is_number, numbers)):
            falls = all(one >= other >= 0 for one, other in itertools.pairwise(numbers))  # type: ignore[operator]
            return place if falls and len(rows) > 2 else None
    return None


def _on_page(cell: Cell) -> Cell:
    return cell_text(cell) if isinstance(cell, bool) else cell


def _words(name: str) -> str:
    return name.replace("_", " ")


def client_job(name: str, job: Job | None = None) -> ClientJob:
    """See ``fanfold.jobs.any_job``."""
    title = _words(name).capitalize() or "What the job found"
    if not job:
        shows = AnyJob(title)
    else:
        sentence = re.split(r"\.(?:\s|$)", sentence_of(name))[0]
        title = sentence if 0 < len(sentence) <= LONGEST_TITLE else title
        shows = AnyJob(title, job.part, job.parts, job.shown)
    heading = f"{shows.shown.title or title} · {{name}}"
    return ClientJob(show=shows.show, rows=shows.rows, draw=shows.draw, heading=heading)


JOB = client_job("")
