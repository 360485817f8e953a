"""What a run takes on AWS, modelled: python -m benchmarks.model [FILE]

All tables are printed, or those in FILE put in place: docs/performance.md has what helps a user decide.
``lambda_src.run.figures`` and each job have the figures.
"""

import math
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.what_if import COUNTER_FIGURES, MAP_FIGURES, Machine, counters, state_machine
from fanfold.estimate.model import Given, Modelled, at_once, curve, model, plan
from fanfold.format import MIB, size_text
from lambda_src import job
from lambda_src.figures import Figure, Figures
from lambda_src.job import BYTES
from lambda_src.jobs.column_permutations.figures import figures_of as figures_of_table
from lambda_src.jobs.column_permutations.ranks import Space
from lambda_src.run.figures import figures_of
from lambda_src.run.plan import Wanted
from lambda_src.run.prices import PRICES, REFERENCE, athena_dollars

Row = Iterable[str]

GB = 10**9
SIZES = (GB, 10 * GB, 100 * GB, 1000 * GB, 10_000 * GB)
SMALL = (10**7, 10**8)
QUOTA = 1000
"""What an account has by default, at least after a while; more changes nothing, since one process waits for
at most 950 calls."""

TOP_WORDS = figures_of(job.load("top_words"))
ACCESS_LOG = figures_of(job.load("access_log"))


def words(units: int, **changed: float) -> Given:
    """A run of ``top_words``, with figures multiplied."""
    return Given(units, _times(TOP_WORDS, changed), ("part", "key"))


def logs(units: int) -> Given:
    """A run of ``access_log``."""
    return Given(units, ACCESS_LOG, job.load("access_log").sharded_by)


def _times(figures: Figures, factors: dict[str, float]) -> Figures:
    return {
        name: figure._replace(value=figure.value * factors.get(name, 1.0)) for name, figure in figures.items()
    }


def planned(given: Given, quota: int = QUOTA, *, cold: bool = True, wanted: Wanted | None = None) -> Modelled:
    """A run as it plans itself: for the case that nothing is warm."""
    concurrency = at_once(quota)
    return model(given, plan(given, concurrency, wanted or Wanted()), concurrency, cold=cold)


def markdown(headings: Row, rows: Iterable[Row]) -> str:
    """A table."""
    headings = list(headings)
    lines = [headings, ["---"] * len(headings), *(list(row) for row in rows)]
    assert {len(line) for line in lines} == {len(headings)}
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def runs() -> str:
    """Runs of ``top_words`` as they plan themselves."""

    def rows() -> Iterator[Row]:
        for size in (*SMALL, *SIZES):
            cold, warm = (planned(words(size), cold=cold) for cold in (True, False))
            athena = athena_dollars(size, PRICES[REFERENCE, "arm64"])
            yield (
                _size(size),
                *_cut(cold),
                *_stages(cold),
                _s(cold.seconds),
                _s(warm.seconds),
                _d(cold.dollars),
                _d(athena),
            )

    return markdown(
        ("input", "blocks", "reducers", "start", "parse", "reduce", "log", "cold", "warm", "$", "Athena $"),
        rows(),
    )


def jobs() -> str:
    """The other jobs, and options that take much."""

    def rows() -> Iterator[Row]:
        for size in (SIZES[0], SIZES[2], SIZES[3]):
            cold, warm = (planned(logs(size), cold=cold) for cold in (True, False))
            yield "`access_log`", _size(size), *_cut(cold), *_taken(cold, warm)
        for name, options in OPTIONS:
            known = job.load(name)
            given = Given(SIZES[2], figures_of(known, options), known.sharded_by)
            cold, warm = (planned(given, cold=cold) for cold in (True, False))
            chosen = "".join(f", `{option}={value}`" for option, value in options.items())
            yield f"`{name}`{chosen}", _size(SIZES[2]), *_cut(cold), *_taken(cold, warm)
        for columns, lines, size in TABLES_OF_NUMBERS[1:]:
            given = Given(size, table(columns, lines, size), ("share",))
            cold, warm = (planned(given, cold=cold) for cold in (True, False))
            shape = f"{columns} columns, {lines:,} rows"
            yield "`column_permutations`", shape, *_cut(cold, given.unit), *_taken(cold, warm)

    return markdown(("job", "input", "blocks", "reducers", "cold", "warm", "$"), rows())


OPTIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("access_log", {"by": "path"}),
    ("access_log", {"by": "path", "order": "p95"}),
    ("access_log", {"by": "day"}),
    ("access_log", {"format": "auto"}),
    ("top_words", {"markup": "mediawiki"}),
    ("top_words", {"words": "unicode"}),
    ("grep", {}),
    ("grep", {"pattern": "error"}),
)

TABLES_OF_NUMBERS = (
    (80, 1_000, 520_000),
    (200, 1_000, 1_300_000),
    (500, 10_000, 32_000_000),
    (200, 10_000_000, 13_000_000_000),
)
"""Columns, rows and bytes, for column_permutations."""


def table(columns: int, rows: int, size: int) -> Figures:
    """The figures of column_permutations on such a table."""
    of_table = figures_of_table(columns, size / rows, Space(columns, None, 3))
    return {**figures_of(job.load("column_permutations")), **of_table}


ROW_BYTES = 13.8
"""Of the One Billion Row Challenge."""

ROWS = {
    **figures_of(job.load("top_words")),
    "parts": Figure(1, "", "code", "parts of the result"),
    "count": Figure(370, "MB/s", "measured", "adding rows in C, per core"),
    "blob": Figure(0.0032, "", "measured", "bytes of a blob per byte of a block of 5 MiB: 413 stations"),
    "blob_growth": Figure(-1, "", "code", "a station is in a blob once"),
    "largest_part": Figure(1, "", "code", "there is one part"),
    "entry": Figure(40, "bytes", "measured", "a station and its four numbers"),
}
"""Figures of docs/examples/one_billion_rows.py."""


def one_billion_rows() -> str:
    """The One Billion Row Challenge, and what others have published for a trillion rows."""

    def rows() -> Iterator[Row]:
        for count, what in ((10**9, "a billion"), (10**12, "a trillion")):
            given = Given(round(count * ROW_BYTES), ROWS, ("part", "key"))
            cold, warm = (planned(given, cold=cold) for cold in (True, False))
            where = f"Fanfold, modelled: {_cut(cold)[0]}, at most {at_once(QUOTA)} Lambdas at once"
            taken = f"{_s(cold.seconds)}, warm {_s(warm.seconds)}"
            yield what, where, f"text, {size_text(given.units)}", taken, _d(cold.dollars)
        yield "a trillion", "ClickHouse, published", "Parquet", "under 3 min", "0.56"
        yield "a trillion", "Burla, published: 10,000 CPUs", "Parquet", "76 s", ""

    return markdown(("rows", "by", "input", "time", "$"), rows())


def blocks() -> str:
    """The curve over block sizes, of 1 GB and 100 GB."""
    small, large = (curve(words(size), at_once(QUOTA), cold=True) for size in (GB, 100 * GB))
    least, most = 2 * MIB, 1024 * MIB
    large_runs = {run.block_units: run for run in large}

    def rows() -> Iterator[Row]:
        for run in small:
            other = large_runs.get(run.block_units)
            if least <= run.block_units <= most and other:
                yield (
                    f"{run.block_units / MIB:g} MiB",
                    *(
                        cell
                        for one in (run, other)
                        for cell in (f"{one.blocks:,}", _s(one.seconds), _d(one.dollars))
                    ),
                )

    return markdown(("block", "1 GB: blocks", "cold", "$", "100 GB: blocks", "cold", "$"), rows())


def items() -> str:
    """Dollars by kind of request."""
    found = [planned(words(size)) for size in SIZES]
    return markdown(
        ("$", *map(_size, SIZES)),
        [
            (f"`{item}`", *(f"{run.dollars_by_item[item]:.5f}" for run in found))
            for item in found[0].dollars_by_item
        ],
    )


SENSITIVITY: tuple[tuple[str, dict[str, float]], ...] = (
    ("as it is", {}),
    ("bandwidth of a Lambda: half", {"network": 0.5}),
    ("GETs a second that S3 serves: half", {"gets": 0.5}),
    ("latency of S3: twice", {"get": 2, "get_p99": 2, "put": 2, "put_p99": 2}),
    ("counting and summing: half as fast", {"count": 0.5, "reduce": 0.5}),
    ("lines of large blocks: less compact", {"blob_growth": 2 / 3}),
    ("processor time of calls: twice", {"invoke": 2, "connect_call": 2}),
    ("starts of environments: twice", {"environment": 2}),
)


def sensitivity() -> str:
    """What the result depends on, planned for each case."""

    def rows() -> Iterator[Row]:
        for what, factors in SENSITIVITY:
            found = [planned(words(size, **factors)) for size in SIZES]
            yield what, *(f"{_s(run.seconds)}, {_d(run.dollars)}" for run in found)

    return markdown(("cold s, $", *map(_size, SIZES)), rows())


BURSTS = ((0, 300), (100, 300), (300, 1200))
"""MB, and MB/s: none; as Lambada describes it, at least; as Skyrise does, at most."""


def burst() -> str:
    """What a burst of bandwidth would change: the plan made without it, and the one made with it."""

    def rows() -> Iterator[Row]:
        for size in (SIZES[0], SIZES[2], SIZES[3]):
            without, cells = plan(words(size), at_once(QUOTA)), []
            for megabytes, rate in BURSTS:
                values = {"burst_budget": float(megabytes), "burst_network": float(rate)}
                figures = {
                    name: figure._replace(value=values.get(name, figure.value))
                    for name, figure in TOP_WORDS.items()
                }
                given = Given(size, figures, ("part", "key"))
                same = model(given, without, at_once(QUOTA), cold=True)
                other = planned(given)
                cells += [
                    f"{_s(same.seconds)}, {_d(same.dollars)}",
                    f"{_s(other.seconds)}, {_d(other.dollars)}: {_short(other)}",
                ]
            yield _size(size), f"{cells[0]}: {_short(planned(words(size)))}", *cells[2:]

    return markdown(
        (
            "cold s, $",
            "no burst",
            "100 MB at 300 MB/s",
            "planned for it",
            "300 MB at 1,200 MB/s",
            "planned for it",
        ),
        rows(),
    )


def _short(run: Modelled) -> str:
    return f"{run.blocks:,} blocks, {run.shards} reducers"


def machine() -> str:
    """Step Functions over the same Lambdas: an inline Map, or a Distributed Map of either kind."""

    def rows() -> Iterator[Row]:
        for size in SIZES[:4]:
            given, concurrency = words(size), at_once(QUOTA)
            few = round(MAP_FIGURES["inline_at_once"].value)
            chosen = plan(given, concurrency)
            inline = state_machine(given, plan(given, few), few, "inline")
            standard = state_machine(given, chosen, concurrency, "standard")
            express = state_machine(given, chosen, concurrency, "express")
            here = model(given, chosen, concurrency, cold=True)
            yield (
                _size(size),
                f"{_s(here.seconds)}, {_d(here.dollars)}",
                *(_machine(one) for one in (inline, standard, express)),
            )

    return markdown(
        (
            "cold s, $ (transitions)",
            "Fanfold",
            "Inline Map",
            "Distributed Map, Standard",
            "Distributed Map, Express",
        ),
        rows(),
    )


def _machine(machine: Machine) -> str:
    run = machine.run
    fails = ", **fails**" if run.obstacle else ""
    return f"{_s(run.seconds)}, {_d(run.dollars)} ({machine.transitions:,.0f}){fails}"


def dynamodb() -> str:
    """A counter in DynamoDB for each word."""

    def rows() -> Iterator[Row]:
        for size in (SIZES[0], SIZES[3]):
            given = words(size)
            chosen = plan(given, at_once(QUOTA))
            for each_word in (True, False):
                found = counters(given, chosen, each_word=each_word)
                yield (
                    _size(size),
                    "each word of the text" if each_word else "each distinct word of a block",
                    f"{found.writes / 1e6:,.1f} M",
                    _s(found.table_s),
                    _s(found.item_s),
                    f"{found.dollars:,.2f}",
                    f"{found.twice:,.0f}",
                )

    return markdown(
        (
            "input",
            "a write for",
            "writes",
            "by the table's quota",
            'by the item of "the"',
            "$",
            "counted twice",
        ),
        rows(),
    )


def targets() -> str:
    """What was aimed at, by a model in which all environments take the mean time to start."""
    row = {GB: (1.84, 0.72, 0.0012), 10 * GB: (2.85, 1.78, 0.0074), 100 * GB: (6.75, 5.7, 0.044)} | {
        1000 * GB: (24.4, 23.3, 0.34),
        10_000 * GB: (270, 270, 3.7),
    }

    def rows() -> Iterator[Row]:
        for size, aims in row.items():
            by_key = Wanted(shard_by="key") if size == GB else None
            given = words(size, environment_spread=0)
            cold, warm = (planned(given, cold=cold, wanted=by_key) for cold in (True, False))
            found = (cold.seconds, warm.seconds, cold.dollars)
            yield (
                f"`top_words`, {_size(size)}{', by key' if by_key else ''}",
                f"{aims[0]:g} s, {aims[1]:g} s, {aims[2]:g} $",
                f"{_s(cold.seconds)}, {_s(warm.seconds)}, {_d(cold.dollars)} $",
                _verdict(found, aims),
            )
        terabyte = planned(logs(1000 * GB))
        yield (
            "`access_log`, 1 TB",
            "40 s",
            f"{_s(terabyte.seconds)}, {_d(terabyte.dollars)} $",
            _verdict((terabyte.seconds,), (40 / WITHIN,), bool(terabyte.obstacle)),
        )
        most = planned(words(10_000 * GB), 5000)
        yield (
            "`top_words`, 10 TB, quota of 5,000",
            "300 s",
            f"{_s(most.seconds)}, {_d(most.dollars)} $",
            _verdict((most.seconds,), (300 / WITHIN,), bool(most.obstacle)),
        )

    return markdown(("target", "cold, warm, $", "modelled", ""), rows())


WITHIN = 1.05


def _verdict(found: Iterable[float], aims: Iterable[float], fails: bool = False) -> str:
    off = max(value / aim for value, aim in zip(found, aims, strict=True))
    return "reached" if off <= WITHIN and not fails else f"missed by {off - 1:.0%}"


def figures() -> str:
    """Every figure."""
    return markdown(
        ("figure", "value", "kind", "what"),
        map(_figure, {**TOP_WORDS, **MAP_FIGURES, **COUNTER_FIGURES}.items()),
    )


def job_figures() -> str:
    """Those of the other jobs, where they are not those of ``top_words``."""
    of_jobs: dict[str, Figures] = {
        "access_log": ACCESS_LOG,
        "column_permutations": table(*TABLES_OF_NUMBERS[1]),
    }
    return markdown(
        ("job", "figure", "value", "kind", "what"),
        [
            (f"`{name}`", *_figure((figure, value)))
            for name, figures in of_jobs.items()
            for figure, value in figures.items()
            if TOP_WORDS.get(figure) != value
        ],
    )


def _figure(named: tuple[str, Figure]) -> Row:
    name, figure = named
    value = f"{figure.value:,.6g} {figure.unit}".strip() if math.isfinite(figure.value) else "no bound"
    return f"`{name}`", value, figure.kind, figure.what


def _cut(run: Modelled, unit: str = BYTES) -> list[str]:
    size = f"{run.block_units / 1e6:,.1f} MB" if unit == BYTES else f"{run.block_units:,}"
    return [f"{run.blocks:,} of {size}", f"{run.shards} by {run.shard_by}"]


def _stages(run: Modelled) -> Row:
    return (_s(stage.seconds) for stage in run.stages)


def _taken(cold: Modelled, warm: Modelled) -> Row:
    return _s(cold.seconds) + (", **fails**" if cold.obstacle else ""), _s(warm.seconds), _d(cold.dollars)


def _size(units: int) -> str:
    for unit, size in (("TB", 1000 * GB), ("GB", GB), ("MB", 10**6)):
        if units >= size:
            return f"{units // size:,} {unit}"
    return f"{units:,}"


def _d(dollars: float) -> str:
    return f"{dollars:.4f}" if dollars < 0.1 else f"{dollars:.2f}"


def _s(seconds: float) -> str:
    decimals = 2 if seconds < 10 else 1 if seconds < 100 else 0
    return f"{seconds:,.{decimals}f} s"


TABLES: dict[str, Callable[[], str]] = {
    "targets": targets,
    "runs": runs,
    "jobs": jobs,
    "one_billion_rows": one_billion_rows,
    "blocks": blocks,
    "sensitivity": sensitivity,
    "burst": burst,
    "items": items,
    "dynamodb": dynamodb,
    "machine": machine,
    "job_figures": job_figures,
    "figures": figures,
}


def replaced(text: str) -> str:
    """``text`` with every table between ``<!-- model: NAME -->`` and ``<!-- end -->`` made again."""
    return re.sub(
        r"(<!-- model: (\w+) -->\n).*?(<!-- end -->)",
        lambda found: f"{found[1]}{TABLES[found[2]]()}\n{found[3]}",
        text,
        flags=re.DOTALL,
    )


def main() -> None:
    """Print the tables, or put them in their places."""
    if len(sys.argv) > 1:
        file = Path(sys.argv[1])
        file.write_text(replaced(file.read_text()))
        return
    for name, table in TABLES.items():
        print(f"\n{name}\n\n{table()}")


if __name__ == "__main__":
    main()
