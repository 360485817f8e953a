"""Testing choices of columns: measured on one core of an x86 server, on tables of 80 to 500 columns and 1,000
to 20,000 rows. The time of a run depends on the number of columns, and hardly on bytes."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fanfold.demo.sample import Result as Answer
from fanfold.demo.sample import Sample, differences
from fanfold.demo.table import write_table
from fanfold.errors import NotModelled, SourceError
from fanfold.estimate.contents import input_of
from fanfold.estimate.workload import Options, Workload
from fanfold.format import counted, plural
from fanfold.jobs import ClientJob, Rows, Summary, by_number
from fanfold.report.figures import Ranking, Rankings, Result
from fanfold.runs.source import Local
from fanfold.safe_text import visible
from lambda_src.errors import FanfoldError
from lambda_src.figures import BYTE_BY_BYTE, Figure, Figures
from lambda_src.jobs.column_permutations import JOB as ENGINE_JOB
from lambda_src.jobs.column_permutations import MAX_BYTES
from lambda_src.run.figures import figures_of as figures_of_job

READ_MB_PER_S = 55.0
PAIR_S = 2.1e-6
ROW_OF_PAIR_S = 0.25e-9
TESTS_PER_COLUMN = 0.3
MOST_TESTS = 75.0
"""Millions of choices that a core tests per second: for each column, and at most."""

FIGURES: Figures = {
    "reads": Figure(0, "bytes", "code", "of the input that a block reads for each of its units"),
    "imports_job": Figure(0.11, "s", "measured", "imports of NumPy, with its bytecode"),
    "reduce": Figure(75, "MB/s", "measured", "merging lines, per core"),
    "blob": Figure(1.4e-4, "", "measured", "bytes of a blob per choice in a block of 5 Mi: 750 in all"),
    "blob_growth": Figure(
        -1, "", "code", "exponent by which that changes: a blob has the ten best, be there many"
    ),
    "largest_part": Figure(2.8, "", "measured", "the largest part's line against the mean of all"),
    "entry": Figure(25, "bytes", "measured", "a choice in a line"),
    "distinct": Figure(math.inf, "choices", "code", "a reducer keeps the ten best"),
    "block_distinct": Figure(math.inf, "choices", "code", "a block keeps the ten best"),
    "block_counts": Figure(math.inf, "choices", "code", "a block keeps the ten best"),
}


def show(console: Console, summary: Summary) -> None:
    """Print the best choices of 1, 2 and 3 predictors."""
    table = Table(pad_edge=False)
    table.add_column("R squared", justify="right")
    table.add_column("Target")
    table.add_column("Predictors")
    for choices in summary["best"].values():
        for choice in choices:
            table.add_row(
                f"{choice['r_squared']:.9f}",
                Text(visible(choice["target"])),
                Text(visible(", ".join(choice["predictors"]))),
            )
        table.add_section()
    console.print(table)
    left_out = summary["rows_left_out"]
    console.print(
        f"{counted(summary['choices'], 'choice')} of {counted(len(summary['columns']), 'column')}, on "
        f"{counted(summary['rows_used'], 'row')}; {counted(left_out, 'row')} with an empty cell "
        f"{'was' if left_out == 1 else 'were'} left out"
    )


def rows(summary: Summary) -> Rows:
    """One choice per row."""
    yield "size", "rank", "r_squared", "target", "predictor_1", "predictor_2", "predictor_3"
    for size, choices in by_number(summary["best"]):
        for rank, choice in enumerate(choices, 1):
            predictors = [*choice["predictors"], "", ""][:3]
            yield int(size), rank, choice["r_squared"], choice["target"], *predictors


def draw(summary: Summary) -> Result:
    """Bars of how much the best choices explain."""
    rankings = [
        Ranking(
            f"{size} {plural(int(size), 'predictor')}",
            "Target, explained by",
            "R squared",
            [(_model(choice), choice["r_squared"]) for choice in best],
            near=True,
            decimals=9,
        )
        for size, best in summary["best"].items()
    ]
    used, left_out = summary["rows_used"], summary["rows_left_out"]
    best = max((one for found in summary["best"].values() for one in found), key=_r_squared, default=None)
    return Result(
        "Which columns explain another one best?",
        f"{best['r_squared']:.9f}" if best else "None",
        f"is the best R squared: {_model(best)}" if best else "of the choices has an R squared",
        f"the best of {counted(summary['choices'], 'choice')} of {len(summary['columns'])} columns, on "
        f"{used} {plural(used, 'row')}; {left_out} "
        f"{'row with an empty cell was' if left_out == 1 else 'rows with an empty cell were'} left out",
        [
            Rankings(
                "The best choices of columns",
                rankings,
                "R squared of the least-squares fit with intercept: at 1, the target is explained completely."
                " Each dot is R squared on an axis between the two numbers above it. The axis does not begin"
                " at 0, so that models that are nearly as good can be told apart.",
            )
        ],
    )


def _model(choice: Mapping[str, Any]) -> str:
    return f"{choice['target']}  ~  {' + '.join(choice['predictors'])}"


def _r_squared(choice: Mapping[str, Any]) -> float:
    return float(choice["r_squared"])


def workload(source: Local | int, _options: Options) -> Workload:
    """The work that a table is for the job, which reads the table for it. Raises NotModelled if only a size
    is known, and SourceError for what the job refuses."""
    if not isinstance(source, Local):
        raise NotModelled(
            "What column_permutations takes depends on how many columns the table has, which its size does "
            "not tell: name the table as a file on this machine."
        )
    check(source)
    try:
        table = input_of(source)
        text_bytes = len(table.whole(MAX_BYTES))
        measured = ENGINE_JOB.measure(table)
    except FanfoldError as error:
        raise SourceError(f"column_permutations cannot read {source.path}: {error}") from error
    columns = len(measured.facts["columns"])
    rows = measured.facts["rows_used"] + measured.facts["rows_left_out"]
    return Workload(
        f"column_permutations on {columns:,} columns and {rows:,} rows, {measured.units:,} choices",
        measured.units,
        figures_of(columns, rows, source.bytes, text_bytes),
        "choices",
        measured.block_units,
        ENGINE_JOB.sharded_by,
    )


def check(source: Local) -> None:
    """Raises SourceError for a folder."""
    if source.path.is_dir():
        raise SourceError(f"{source.path} is a folder; column_permutations reads one table: name a file.")


def figures_of(columns: int, rows: int, stored_bytes: int, text_bytes: int | None = None) -> Figures:
    """The figures of a table; a compressed one has more ``text_bytes`` than are stored."""
    read_s = (text_bytes or stored_bytes) / 1e6 / READ_MB_PER_S
    products_s = columns**2 * (PAIR_S + rows * ROW_OF_PAIR_S)
    return {
        **figures_of_job(ENGINE_JOB),
        **BYTE_BY_BYTE,
        **FIGURES,
        "whole": Figure(
            stored_bytes, "bytes", "code", "of the input that every block, and parse_file, reads"
        ),
        "prepare": Figure(
            read_s + products_s,
            "s",
            "measured",
            "processor time of a block to read the table and multiply its columns",
        ),
        "measure": Figure(read_s, "s", "measured", "processor time of parse_file to read the table"),
        "count": Figure(
            min(TESTS_PER_COLUMN * columns, MOST_TESTS), "M choices/s", "measured", "tests, per core"
        ),
    }


def sample(folder: Path, _size: int, seed: int, _progress: Callable[[int], None]) -> Sample:
    """A table, which always has the same size."""
    path = folder / "table.csv"
    expected = write_table(path, seed)

    def wrong(result: Answer) -> list[str]:
        first = {
            size: (found[0]["target"], tuple(found[0]["predictors"]))
            for size, found in result["best"].items()
        }
        return differences({**result, "best": first}, expected._asdict())

    return Sample(path, wrong, "the number of choices, and the best of each size,")


JOB = ClientJob(
    show=show, rows=rows, draw=draw, heading="Models of {name}", workload=workload, check=check, sample=sample
)
