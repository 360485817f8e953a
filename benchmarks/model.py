"""The tables of docs/performance.md: python -m benchmarks.model [FILE]

They are printed, or put in place of those in FILE. ``fanfold.estimate.model`` has the figures.
"""

import math
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.what_if import (
    BEFORE,
    MAP_FIGURES,
    WITHOUT_BYTECODE,
    Change,
    distributed_map,
    gains,
    halved_by,
)
from fanfold.estimate.model import ENGINE, FIGURES, Modelled, curve, model, suggest
from fanfold.estimate.workload import Figure, Figures
from fanfold.format import MIB
from fanfold.jobs import access_log, column_permutations
from lambda_src.fields import DEFAULT_MAX_CONCURRENCY, MAX_CONCURRENCY
from lambda_src.jobs.column_permutations.ranks import block_choices, choices
from lambda_src.run.prices import PRICES, REFERENCE, athena_dollars

Row = Iterable[str]

GB = 10**9
SIZES = (GB, 10 * GB, 100 * GB, 1000 * GB)
MANY = 1000
QUOTA = 1000
"""What an account has by default, at least after a while."""

BRANCHES = 5
"""Of a tree, with 100 calls at once each."""

LESS = 0.97
"""A limit is named where half of it would save as much."""


def markdown(headings: Row, rows: Iterable[Row]) -> str:
    """A table."""
    headings = list(headings)
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def figures() -> str:
    """Every figure."""
    return markdown(("figure", "value", "kind", "what"), map(_figure, {**FIGURES, **MAP_FIGURES}.items()))


def _figure(named: tuple[str, Figure]) -> Row:
    name, figure = named
    value = f"{figure.value:,.6g} {figure.unit}".strip() if math.isfinite(figure.value) else "no bound"
    return f"`{name}`", value, figure.kind, figure.what


class Table(NamedTuple):
    """A table of numbers, for column_permutations."""

    columns: int
    rows: int
    bytes: int


A_TABLE = Table(200, 1_000, 1_300_000)
NUMBERS = (Table(80, 1_000, 520_000), A_TABLE, Table(500, 10_000, 32_000_000))


def job_figures() -> str:
    """Those of the other jobs, where they are not those of ``top_words``."""
    of_jobs: dict[str, Figures] = {
        "access_log": access_log.FIGURES,
        "column_permutations": column_permutations.figures_of(*A_TABLE),
    }
    return markdown(
        ("job", "figure", "value", "kind", "what"),
        [
            (f"`{job}`", *_figure((name, figure)))
            for job, figures in of_jobs.items()
            for name, figure in figures.items()
            if FIGURES.get(name) != figure
        ],
    )


def jobs() -> str:
    """What the other jobs take, by default."""

    def rows() -> Iterator[Row]:
        for size in SIZES[:3]:
            for cold in (True, False):
                figures = {**ENGINE, **access_log.FIGURES}
                run = model(size, DEFAULT_MAX_CONCURRENCY, cold=cold, figures=figures)
                yield "`access_log`", _size(size), *_taken(run, _block(run))
        for table in NUMBERS:
            for cold in (True, False):
                run = model(
                    choices(table.columns),
                    DEFAULT_MAX_CONCURRENCY,
                    cold=cold,
                    block_units=block_choices(table.columns),
                    figures={**ENGINE, **column_permutations.figures_of(*table)},
                )
                shape = f"{table.columns} columns, {table.rows:,} rows: {run.units:,} choices"
                yield "`column_permutations`", shape, *_taken(run, f"{run.block_units:,}")

    return markdown(
        ("job", "input", "", "block", "blocks", "start", "parse", "reduce", "log", "all", "$"), rows()
    )


def _taken(run: Modelled, block: str) -> Row:
    return (
        _temperature(run),
        block,
        f"{run.blocks:,}",
        *(_seconds(stage.seconds) for stage in run.stages),
        _seconds(run.seconds) + (", **fails**" if run.obstacle else ""),
        f"{run.dollars:.4f}",
    )


RUN = ("input", "at once", "", "block", "blocks", "start", "parse", "reduce", "log", "all", "$", "Athena $")


def _run(run: Modelled) -> Row:
    return (
        _size(run.units),
        f"{run.concurrency:,}",
        *_taken(run, _block(run)),
        f"{athena_dollars(run.units, PRICES[REFERENCE, 'arm64']):.4f}",
    )


def runs() -> str:
    """By default."""
    found = [
        model(size, concurrency, cold=cold)
        for size in SIZES
        for concurrency in (DEFAULT_MAX_CONCURRENCY, MANY)
        for cold in (True, False)
    ]
    obstacles = dict.fromkeys(run.obstacle for run in found if run.obstacle and run.cold)
    return "\n".join([markdown(RUN, map(_run, found)), "", *(f"- {obstacle}" for obstacle in obstacles)])


def suggested() -> str:
    """What `fanfold estimate` suggests."""
    found = [suggest(size, QUOTA, cold=cold).modelled for size in SIZES for cold in (True, False)]
    return markdown(RUN, map(_run, found))


def limits() -> str:
    """What limits a run, and what would halve it."""

    def rows() -> Iterator[Row]:
        for size in SIZES:
            for cold in (True, False):
                run = model(size, DEFAULT_MAX_CONCURRENCY, cold=cold)
                changes, then = halved_by(run)
                yield (
                    _size(size),
                    _temperature(run),
                    _seconds(run.seconds),
                    "; ".join(
                        f"{change.what} (twice as good: {_seconds(better.seconds)})"
                        for change, better in gains(run, ours=False)[:2]
                        if better.seconds < LESS * run.seconds
                    ),
                    _changes(changes),
                    _seconds(then.seconds),
                    f"{then.dollars:.4f}",
                )

    return markdown(("input", "", "all", "most depends on", "what would halve it", "then", "$"), rows())


def _changes(changes: list[Change]) -> str:
    counted = dict.fromkeys(change.what for change in changes)
    often = {what: sum(change.what == what for change in changes) for what in counted}
    return "; ".join(what if often[what] == 1 else f"{what}, {often[what]} times" for what in counted)


def stages() -> str:
    """Dollars by stage."""
    found = [model(size, DEFAULT_MAX_CONCURRENCY, cold=True) for size in SIZES]
    names = [stage.name for stage in found[0].stages]
    return markdown(
        ("$", *map(_size, SIZES)),
        [
            (name, *(f"{sum(run.stages[number].dollars.values()):.5f}" for run in found))
            for number, name in enumerate(names)
        ],
    )


def items() -> str:
    """Dollars by kind of request."""
    found = [model(size, DEFAULT_MAX_CONCURRENCY, cold=True) for size in SIZES]
    return markdown(
        ("$", *map(_size, SIZES)),
        [
            (f"`{item}`", *(f"{run.dollars_by_item[item]:.5f}" for run in found))
            for item in found[0].dollars_by_item
        ],
    )


def changes() -> str:
    """What the engine's last changes brought: each by itself, and all."""
    imports = ("imports_map", "imports_other")
    names: dict[str, Figures] = {
        "as it was": {},
        "no boto3: imports": WITHOUT_BYTECODE,
        "no boto3, and bytecode: imports": _now(*imports),
        "the second stage's functions are warmed": _now("warmed"),
        "no boto3: less processor time of an invoke": _now("invoke"),
        "all of them": _now(*imports, "warmed", "invoke"),
    }

    def rows() -> Iterator[Row]:
        for what, changed in names.items():
            those = {**BEFORE, **changed}
            cold, warm = (
                model(GB, DEFAULT_MAX_CONCURRENCY, cold=cold, figures=those) for cold in (True, False)
            )
            yield what, _seconds(cold.seconds), _seconds(warm.seconds), f"{cold.dollars:.4f}"

    return markdown(("1 GB", "cold", "warm", "$, cold"), rows())


def _now(*names: str) -> Figures:
    return {name: FIGURES[name] for name in names}


def blocks() -> str:
    """The curve over block sizes."""
    cold, warm = (curve(GB, DEFAULT_MAX_CONCURRENCY, cold=cold) for cold in (True, False))
    return markdown(
        ("block", "blocks", "cold", "$", "warm", "$"),
        [
            (
                f"{one.block_units / MIB:g} MiB",
                f"{one.blocks:,}",
                f"{one.seconds:.2f} s",
                f"{one.dollars:.4f}",
                f"{other.seconds:.2f} s",
                f"{other.dollars:.4f}",
            )
            for one, other in zip(cold, warm, strict=True)
        ],
    )


def machine() -> str:
    """A Distributed Map over the same Lambdas."""

    def rows() -> Iterator[Row]:
        for size in SIZES:
            for cold in (True, False):
                here = model(size, DEFAULT_MAX_CONCURRENCY, cold=cold)
                express, standard = (
                    distributed_map(size, DEFAULT_MAX_CONCURRENCY, cold=cold, express=express)
                    for express in (True, False)
                )
                yield (
                    _size(size),
                    _temperature(here),
                    *(
                        cell
                        for run in (here, express, standard)
                        for cell in (_seconds(run.seconds), f"{run.dollars:.4f}")
                    ),
                )

    return markdown(("input", "", "Fanfold", "$", "Express children", "$", "Standard children", "$"), rows())


def tree() -> str:
    """One process that invokes, or several, at most at once."""

    def rows() -> Iterator[Row]:
        for size in SIZES[:-1]:
            for cold in (True, False):
                before, now = (
                    model(size, MAX_CONCURRENCY, cold=cold, figures={**FIGURES, "invoke": those["invoke"]})
                    for those in (BEFORE, FIGURES)
                )
                branch = FIGURES["invoke"]._replace(value=FIGURES["invoke"].value / BRANCHES)
                branched = model(size, MAX_CONCURRENCY, cold=cold, figures={**FIGURES, "invoke": branch})
                one_more_s = sum(
                    FIGURES[name].value
                    for name in ("overhead", *(("environment", "init", "imports_other") if cold else ()))
                )
                yield (
                    _size(size),
                    _temperature(now),
                    f"{now.blocks:,}",
                    _seconds(before.seconds),
                    _seconds(now.seconds),
                    _seconds(branched.seconds + one_more_s),
                )

    return markdown(("input", "", "calls", "one, by boto3", "one, now", "a tree, now"), rows())


def targets() -> str:
    """What was aimed at."""
    small = [
        min(curve(GB, DEFAULT_MAX_CONCURRENCY, cold=cold), key=lambda run: run.seconds)
        for cold in (True, False)
    ]
    large = min(curve(SIZES[-1], MANY, cold=True), key=lambda run: (bool(run.obstacle), run.seconds))
    aims = (
        ("1 GB, cold, under 2.5 s and 0.004 $", model(GB, DEFAULT_MAX_CONCURRENCY, cold=True), small[0], 2.5),
        ("1 GB, warm, under 1.2 s", model(GB, DEFAULT_MAX_CONCURRENCY, cold=False), small[1], 1.2),
        ("1 TB at 1,000, under 60 s", model(SIZES[-1], MANY, cold=True), large, 60.0),
    )
    dollars = {aims[0][0]: 0.004}

    def verdict(what: str, run: Modelled, most_s: float) -> str:
        reached = run.seconds < most_s and run.dollars < dollars.get(what, 1e9) and not run.obstacle
        return f"{'reached' if reached else 'missed'}: {_seconds(run.seconds)}, {run.dollars:.4f} $"

    return markdown(
        ("target", "by default", "fastest block size", "of which"),
        [
            (what, verdict(what, default, most_s), verdict(what, fastest, most_s), _block(fastest))
            for what, default, fastest, most_s in aims
        ],
    )


def reachable() -> str:
    """What would reach the aims."""
    twice = {"parts": 40.0}
    spread = {"parts": 80.0, "partitions": 8.0}
    ways: tuple[tuple[int, int, bool, str, dict[str, float], int], ...] = (
        (SIZES[2], MAX_CONCURRENCY, True, "blocks of 64 MiB", {}, 64 * MIB),
        (SIZES[3], MAX_CONCURRENCY, True, "blocks of 512 MiB", {}, 512 * MIB),
        (SIZES[3], MAX_CONCURRENCY, True, "two reducers for each part, blocks of 256 MiB", twice, 256 * MIB),
        (SIZES[3], MANY, True, "80 reducers, 8 partitions of blobs/, blocks of 256 MiB", spread, 256 * MIB),
    )

    def rows() -> Iterator[Row]:
        for size, at_once, cold, how, values, block_units in ways:
            those = {
                name: figure._replace(value=values.get(name, figure.value))
                for name, figure in FIGURES.items()
            }
            run = model(size, at_once, cold=cold, block_units=block_units, figures=those)
            yield (
                _size(size),
                f"{at_once:,}",
                _temperature(run),
                how,
                _seconds(run.seconds) + (", **fails**" if run.obstacle else ""),
                f"{run.dollars:.4f}",
            )

    return markdown(("input", "at once", "", "with", "all", "$"), rows())


def _size(units: int) -> str:
    return f"{units // GB} GB" if units < SIZES[-1] else "1 TB"


def _temperature(run: Modelled) -> str:
    return "cold" if run.cold else "warm"


def _block(run: Modelled) -> str:
    return f"{run.block_units / 1e6:.1f} MB"


def _seconds(seconds: float) -> str:
    decimals = 2 if seconds < 10 else 1 if seconds < 100 else 0
    return f"{seconds:,.{decimals}f} s"


TABLES: dict[str, Callable[[], str]] = {
    "targets": targets,
    "reachable": reachable,
    "runs": runs,
    "suggested": suggested,
    "limits": limits,
    "blocks": blocks,
    "stages": stages,
    "items": items,
    "changes": changes,
    "machine": machine,
    "tree": tree,
    "jobs": jobs,
    "job_figures": job_figures,
    "figures": figures,
}


def replaced(text: str) -> str:
    """``text``, with every table between ``<!-- model: NAME -->`` and ``<!-- end -->`` made anew."""
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
