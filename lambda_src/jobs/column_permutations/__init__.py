"""Tests every choice of columns of a table: how well do 1 to 3 of them explain another, linearly?

A *choice* is a target and a set of 1 to 3 predictors (``ranks``). Its figure is R squared of the
least-squares fit with intercept (``fit``), on the rows of a table without empty cells (``table``). The result
has the ten best choices for each number of predictors (``best``). Units are the ranks of choices.

R squared of a constant target is undefined: such choices are tested and counted, but never ranked. A
predictor that is constant or collinear with others adds nothing.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lambda_src.job import Context, Input, Job, Line, Mapped, Measured, Owned, Part, Span
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


def map_block(block: Span, source: Input, _context: Context) -> Mapped:
    """The ten best choices of each size in ``block``. Raises TableUnusable, and what ``source`` raises."""
    from lambda_src.jobs.column_permutations.search import evaluate  # noqa: PLC0415 - as in _read

    return Mapped(Owned(*block), [_line(evaluate(block, _read(source)))], {})


def _line(sizes: Iterable[tuple[int, Sequence[Scored]]]) -> Line:
    """A line of JSON for each size."""
    found = list(sizes)
    texts = [json.dumps({"tested": tested, "best": best}).encode() for tested, best in found]
    return Line(b"\n".join(texts), [tested for tested, _ in found])


def _read(source: Input) -> "Table":
    # Only parse_file and parse_block, which measure and map, have the layer with NumPy: reducers and the
    # client load this module without it.
    from lambda_src.jobs.column_permutations.table import read_table  # noqa: PLC0415

    return read_table(source.whole(MAX_BYTES))


def combine(_shard: int, lines: Iterable[bytes], _context: Context) -> Line:
    """The ten best of all choices, from the ten best of each block."""
    tested = [0] * len(SIZES)
    best: list[list[Scored]] = [[] for _ in SIZES]
    for line in lines:
        for size, (more, scored) in enumerate(_sizes(line)):
            tested[size] += more
            best[size] = sorted([*best[size], *scored])[:TOP]
    return _line(zip(tested, best, strict=True))


def finish(reduced: Iterable[bytes], _context: Context) -> Mapping[str, Part]:
    """The results by the number of predictors. There is one shard."""
    (line,) = reduced
    return {
        str(size): Part(tested, {"tested": tested, "best": [choice.as_result() for choice in best]})
        for size, (tested, best) in zip(SIZES, _sizes(line), strict=True)
    }


def _sizes(line: bytes) -> Iterator[tuple[int, list[Scored]]]:
    """The number of choices tested, and the best ones, of each size."""
    for text in line.split(b"\n"):
        found = json.loads(text)
        yield (
            found["tested"],
            [Scored(figure, target, tuple(names)) for figure, target, names in found["best"]],
        )


def summarize(
    context: Context, _extras: Mapping[str, int], sizes: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """``tested`` and ``best`` are by the number of predictors."""
    return {
        **context.facts,
        "tested": {size: result["tested"] for size, result in sizes.items()},
        "best": {size: result["best"] for size, result in sizes.items()},
    }


JOB = Job(
    rules="1",
    part="size",
    parts=[str(size) for size in SIZES],
    measure=measure,
    map=map_block,
    combine=combine,
    reduce=combine,
    finish=finish,
    summarize=summarize,
    unit="choices",
)
