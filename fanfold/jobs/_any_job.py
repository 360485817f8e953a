"""The default for jobs without a module here: their results are shown value by value."""

from collections.abc import Iterator
from typing import Any

import msgspec
from rich.console import Console
from rich.text import Text

from fanfold.format import plural
from fanfold.jobs import Cell, ClientJob, Rows, Summary
from fanfold.report.figures import Cell as PageCell
from fanfold.report.figures import Result, Table
from fanfold.safe_text import visible
from lambda_src.run.summary import ENGINE_FIELDS

MOST_ROWS = 500


def show(console: Console, summary: Summary) -> None:
    """Print the job's own fields as JSON."""
    text = msgspec.json.format(msgspec.json.encode(_own(summary)), indent=2).decode()
    for line in text.splitlines():
        console.print(Text(visible(line)), soft_wrap=True)


def rows(summary: Summary) -> Rows:
    """Each value and its JSON pointer."""
    yield "pointer", "value"
    yield from _pointers("", summary)


def _pointers(pointer: str, value: Any) -> Iterator[tuple[Cell, ...]]:
    match value:
        case dict():
            for name, entry in value.items():
                yield from _pointers(f"{pointer}/{str(name).replace('~', '~0').replace('/', '~1')}", entry)
        case list():
            for place, entry in enumerate(value):
                yield from _pointers(f"{pointer}/{place}", entry)
        case str() | int() | float():
            yield pointer, value
        case _:
            yield pointer, ""


def draw(summary: Summary) -> Result:
    """A table of all values."""
    values = list(_leaves(_own(summary), ""))
    numbers = [
        (name, value)
        for name, value in values
        if isinstance(value, int | float) and name not in ("bytes", "objects")
    ]
    name, number = numbers[0] if numbers else ("values", len(values))
    left_out = f"The first {MOST_ROWS} of {len(values)} values." if len(values) > MOST_ROWS else ""
    return Result(
        "What the job found",
        number,
        name.replace("_", " "),
        f"{len(values)} {plural(len(values), 'value')}",
        [Table("Every value", ["What", "Value"], values[:MOST_ROWS], left_out)],
    )


def _leaves(value: object, name: str) -> Iterator[tuple[str, PageCell]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{name} › {key}" if name else str(key))
    elif isinstance(value, list | tuple):
        for place, inner in enumerate(value, start=1):
            yield from _leaves(inner, f"{name} › {place}" if name else str(place))
    elif isinstance(value, bool) or not isinstance(value, int | float | str | None):
        yield name, str(value)
    else:
        yield name, value


def _own(summary: Summary) -> dict[str, Any]:
    return {name: value for name, value in summary.items() if name not in ENGINE_FIELDS}


JOB = ClientJob(show=show, rows=rows, draw=draw)
