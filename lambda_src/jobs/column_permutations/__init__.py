"""Tests every choice of columns of a table: how well do 1 to 3 of them explain another, linearly?

A *choice* is a target and a set of 1 to 3 predictors (``ranks``). Its figure is R squared of the
least-squares fit with intercept (``fit``), on the rows of a table without empty cells (``table``). The result
has the ten best choices for each number of predictors (``best``). Units are the ranks of choices.

R squared of a constant target is undefined: such choices are tested and counted, but never ranked. A
predictor that is constant or collinear with others adds nothing.
"""

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from lambda_src.job import Input, Job, Mapped, Measured, Owned, Reduced, Span
from lambda_src.jobs.column_permutations.best import TOP, Scored
from lambda_src.jobs.column_permutations.ranks import SIZES, block_choices, choices

if TYPE_CHECKING:
    from lambda_src.jobs.column_permutations.table import Table

MAX_BYTES = 200_000_000
"""Size limit of the table's text, in bytes."""


def measure(source: Input) -> Measured:
    """The table's choices. Raises TableUnusable, and what ``source`` raises."""
    table = _read(source)
    columns = len(table.columns)
    units = choices(columns)
    facts = {
        "rows_used": len(table.cells),
        "rows_left_out": table.rows_left_out,
        "columns": list(table.columns),
        "choices": units,
    }
    return Measured(units, facts, block_choices(columns))


def map_block(block: Span, source: Input) -> Mapped:
    """The ten best choices of each size in ``block``. Raises TableUnusable, and what ``source`` raises."""
    from lambda_src.jobs.column_permutations.search import evaluate  # noqa: PLC0415 - as in _read

    parts = evaluate(block, _read(source))
    lines = [json.dumps({"tested": tested, "best": best}).encode() for tested, best in parts]
    return Mapped(Owned(*block), lines, [tested for tested, _ in parts], {})


def _read(source: Input) -> "Table":
    # Only parse_file and parse_block, which measure and map, have the layer with NumPy: reducers and the
    # client load this module without it.
    from lambda_src.jobs.column_permutations.table import read_table  # noqa: PLC0415

    return read_table(source.whole(MAX_BYTES))


def reduce_size(_size: str, lines: Iterable[bytes]) -> Reduced:
    """The ten best of all choices, from the ten best of each block."""
    tested = 0
    best: list[Scored] = []
    for line in lines:
        block = json.loads(line)
        tested += block["tested"]
        scored = (Scored(figure, target, tuple(names)) for figure, target, names in block["best"])
        best = sorted([*best, *scored])[:TOP]
    return Reduced(tested, {"tested": tested, "best": [choice.as_result() for choice in best]})


def summarize(
    facts: Mapping[str, Any], _extras: Mapping[str, int], sizes: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """``tested`` and ``best`` are by the number of predictors."""
    return {
        **facts,
        "tested": {size: result["tested"] for size, result in sizes.items()},
        "best": {size: result["best"] for size, result in sizes.items()},
    }


JOB = Job(
    rules="1",
    part="size",
    parts=[str(size) for size in SIZES],
    measure=measure,
    map=map_block,
    reduce=reduce_size,
    summarize=summarize,
    unit="choices",
)
