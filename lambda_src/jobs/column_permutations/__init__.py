"""Tests every choice of columns of a table: how well do 1 to 4 of them explain another, linearly?

Blocks read the table once (``rows``) and give exact inner products of its columns (``sums``). Every reducer
adds those of all blocks, and tests its share of the choices: a *choice* is a target and a set of predictors
(``ranks``). Its figure is R squared of the least-squares fit with intercept (``fit``), on the rows without
missing values. The result has the best choices for each number of predictors (``best``), and among them each
model once (``search``).

R squared of a constant target is undefined: such choices are tested and counted, but never ranked. A
predictor that is constant or collinear with others adds nothing.
"""

import contextlib
import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from lambda_src.errors import ConservationBroken
from lambda_src.job import Context, Input, Job, Line, Mapped, Measured, Part, Place, Shown, Span
from lambda_src.jobs.column_permutations.best import BILLION, Scored, decimals
from lambda_src.jobs.column_permutations.figures import FIGURES
from lambda_src.jobs.column_permutations.options import Options
from lambda_src.jobs.column_permutations.ranks import shards_for
from lambda_src.records import LINES

if TYPE_CHECKING:
    from lambda_src.jobs.column_permutations.found import Block


def sizes_of(options: Options) -> list[str]:
    """The numbers of predictors that a run chooses."""
    return [str(size) for size in range(1, options.most + 1)]


# Only parse_file, parse_block and get_occurrences have the layer with NumPy: the others, and the client, load
# this module without it. So the functions that need it import it themselves.


def measure(source: Input) -> Measured:
    """The bytes of the input, how the table is written, and which columns hold no numbers from the beginning
    on. Raises TableUnusable, and what ``source`` raises."""
    from lambda_src.jobs.column_permutations.dialect import dialect_of  # noqa: PLC0415
    from lambda_src.jobs.column_permutations.rows import csv_records, read_rows  # noqa: PLC0415

    key, head, is_all = _head(source)
    dialect = dialect_of(head)
    if not is_all:
        head = head[: csv_records(dialect).last_cut(head)]
    rows = read_rows(head, dialect, Place(key, 0))
    missing = rows.missing.sum(axis=0).tolist()
    texts = [at for at, found in enumerate(rows.texts) if found.cells]
    booleans = [at for at, count in enumerate(rows.booleans.tolist()) if count]
    facts = {
        "dialect": msgspec.json.decode(msgspec.json.encode(dialect)),
        "texts": texts,
        "texts_at": [
            [at, found.first.offset, found.like, found.cells + missing[at] < len(rows.values)]
            for at, found in enumerate(rows.texts)
            if found.first
        ],
        "only_texts": [at for at in texts if rows.texts[at].cells + missing[at] == len(rows.values)],
        "booleans": booleans,
        "row_bytes": len(head) // max(head.count(b"\n"), 1),
    }
    return Measured(source.size_bytes, {"bytes": source.size_bytes, "objects": source.objects, **facts})


NAMES_OF_ROWS = "the first column has no name, so it has the names of rows"

HEAD_BYTES = 1 << 20
"""Of a text that are looked at before it is divided."""


class _Enough(Exception):
    """Ends the feeding of a table whose beginning is known."""


def _head(source: Input) -> tuple[str, bytes, bool]:
    """The key of the first object that is not empty, the first lines of its text, and whether these are all
    text of the input."""
    found: list[tuple[str, bytes]] = []

    def add(chunk: bytes, at: Place) -> None:
        if found and found[0][0] != at.key:
            raise _Enough
        room = HEAD_BYTES - sum(len(text) for _, text in found)
        end = chunk.find(b"\n", room) + 1 if len(chunk) > room else 0
        found.append((at.key, chunk[: end or len(chunk)]))
        if len(chunk) > room:
            raise _Enough

    is_all = False
    with contextlib.suppress(_Enough):
        source.feed(Span(0, source.size_bytes), LINES, add)
        is_all = True
    return (found[0][0] if found else ""), b"".join(text for _, text in found), is_all


def prepare(measured: Measured, options: Options) -> Measured:
    """How many reducers a run has. Raises InvalidRequest if its options do not suit the table, and
    TableUnusable if it has no numbers."""
    from lambda_src.jobs.column_permutations.asked import (  # noqa: PLC0415
        check_columns,
        check_number,
        chosen,
        space_of,
    )

    run = chosen(measured.facts, options)
    check_columns(measured.facts, run)
    space, _ = space_of(run.added, run, options)
    check_number(space)
    return measured._replace(shards=shards_for(space.work()))


def map_block(block: Span, source: Input, context: Context) -> Mapped:
    """What is found in ``block``. Raises TableUnusable, and what ``source`` raises."""
    from lambda_src.jobs.column_permutations.asked import dialect_of_run  # noqa: PLC0415
    from lambda_src.jobs.column_permutations.rows import csv_records, read_rows  # noqa: PLC0415

    dialect = dialect_of_run(context.facts, context.options)
    adding = _block(context)

    def add(chunk: bytes, at: Place) -> None:
        adding.add(read_rows(chunk, dialect, at))

    owned = source.feed(block, csv_records(dialect), add)
    return Mapped(owned, [_line(adding, context)], {})


def _block(context: Context) -> "Block":
    from lambda_src.jobs.column_permutations.asked import chosen  # noqa: PLC0415
    from lambda_src.jobs.column_permutations.found import Block  # noqa: PLC0415

    options: Options = context.options
    added = chosen(context.facts, options).added
    return Block(context.facts["dialect"]["columns"], added, by_row=options.missing == "rows")


def _line(block: "Block", context: Context) -> Line:
    """Each part is about all rows."""
    return Line(block.line(), [block.found.rows] * context.options.most)


def combine(_shard: int, lines: Iterable[bytes], context: Context) -> Line:
    """What is found in several blocks. Raises TableUnusable."""
    return _line(_sum(lines, context), context)


def _sum(lines: Iterable[bytes], context: Context) -> "Block":
    block = _block(context)
    for line in lines:
        block.merge(line)
    return block


def reduce(shard: int, lines: Iterable[bytes], context: Context) -> Line:
    """The best of this reducer's share of all choices. Raises TableUnusable."""
    from lambda_src.jobs.column_permutations.share import best_of_share  # noqa: PLC0415

    block = _sum(lines, context)
    found = best_of_share(shard, block, context)
    return Line(json.dumps(found).encode(), [block.found.rows] * context.options.most)


def finish(reduced: Iterable[bytes], context: Context) -> Mapping[str, Part]:
    """The results by the number of predictors. Raises ConservationBroken unless all choices were tested."""
    shares = [json.loads(line) for line in reduced]
    table = shares[0]["table"]
    top = context.options.top
    parts: dict[str, Part] = {}
    for number, size in enumerate(sizes_of(context.options)):
        sizes = [share["sizes"][number] for share in shares]
        best = sorted(scored for one in sizes for scored in map(_scored, one["best"]))[:top]
        models = sorted(scored for one in sizes for scored in map(_scored, one["models"]))
        result: dict[str, Any] = {
            "tested": sum(one["tested"] for one in sizes),
            "best": [choice.as_result() for choice in best],
            "models": [_model(choice, table["twins"]) for choice in _once(models)[:top]],
        }
        parts[size] = Part(table["rows"], result)
    tested = sum(part.result["tested"] for part in parts.values())
    if tested != table["choices"]:
        raise ConservationBroken(f"{tested:,} of {table['choices']:,} choices were tested.")
    return {**parts, "1": parts["1"]._replace(result={**parts["1"].result, "table": table})}


def _scored(found: list[Any]) -> Scored:
    figure, target, names, adjusted = found
    return Scored(figure, target, tuple(names), adjusted)


def _once(models: Iterable[Scored]) -> list[Scored]:
    """Each model once: where R squared is 1, any of its columns may be the target."""
    found: dict[Any, Scored] = {}
    for model in models:
        same = (
            frozenset([model.target, *model.predictors])
            if model.minus_billionths == -BILLION
            else (model.target, model.predictors)
        )
        found.setdefault(same, model)
    return list(found.values())


def _model(choice: Scored, twins: Iterable[list[str]]) -> dict[str, Any]:
    """A model as the answer shows it, with the twins of its columns."""
    names = [choice.target, *choice.predictors]
    others = {
        name: [twin for twin in group if twin != name] for group in twins for name in names if name in group
    }
    return {
        **choice.as_result(),
        "adjusted_r_squared": None if choice.adjusted is None else decimals(choice.adjusted),
        "twins": others,
    }


def summarize(
    context: Context, _extras: Mapping[str, int], sizes: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """``tested``, ``best`` and ``models`` are by the number of predictors."""

    def by_size(field: str) -> dict[str, Any]:
        return {size: found[field] for size, found in sizes.items()}

    table = sizes["1"].get("table")
    if not table:  # a run of an older version
        return {**context.facts, "tested": by_size("tested"), "best": by_size("best")}
    return {
        "rows_used": table["rows_used"],
        "rows_left_out": table["rows"] - table["rows_used"],
        "columns": table["columns"],
        "choices": table["choices"],
        "tested": by_size("tested"),
        "best": by_size("best"),
        "models": by_size("models"),
        "twins": table["twins"],
        **({"rounded": rounded} if (rounded := _rounded(table)) else {}),
        "columns_left_out": [
            {"column": name, "reason": reason}
            for name, reason in [
                *([("", NAMES_OF_ROWS)] if context.facts.get("dialect", {}).get("row_names") else []),
                *table["left_out"],
            ]
        ],
    }


def _rounded(table: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"column": name, "decimals": decimals} for name, decimals in table.get("rounded", [])]


def for_options(options: Options) -> Job:
    """The job with the parts of these options."""
    return replace(JOB, parts=sizes_of(options))


JOB = Job(
    rules="3",
    part="size",
    parts=sizes_of(Options()),
    measure=measure,
    prepare=prepare,
    map=map_block,
    combine=combine,
    reduce=reduce,
    finish=finish,
    summarize=summarize,
    options=Options,
    for_options=for_options,
    sharded_by=("share",),
    figures=FIGURES,
    shown=Shown(title="Which columns explain another one best", tables=["models"]),
)
