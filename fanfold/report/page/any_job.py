"""The result of a job that brings no part of its own: every number and text, with the way to it."""

from collections.abc import Iterator

from fanfold.format import plural
from fanfold.report.page.figures import Cell, Result, Summary, Table
from lambda_src.run.summary import ENGINE_FIELDS

MOST_ROWS = 500


def draw(summary: Summary) -> Result:
    own = {name: value for name, value in summary.items() if name not in ENGINE_FIELDS}
    rows = list(_leaves(own, ""))
    numbers = [
        (name, value)
        for name, value in rows
        if isinstance(value, int | float) and name not in ("bytes", "objects")
    ]
    name, number = numbers[0] if numbers else ("values", len(rows))
    left_out = f"The first {MOST_ROWS} of {len(rows)} values." if len(rows) > MOST_ROWS else ""
    return Result(
        "What the job found",
        number,
        name.replace("_", " "),
        f"{len(rows)} {plural(len(rows), 'value')}",
        [Table("Every value", ["What", "Value"], rows[:MOST_ROWS], left_out)],
    )


def _leaves(value: object, name: str) -> Iterator[tuple[str, Cell]]:
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
