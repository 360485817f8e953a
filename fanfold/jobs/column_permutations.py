"""Which columns explain others: how results are shown, and what a table takes."""

from collections.abc import Callable, Iterator, Mapping
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
from fanfold.report.figures import Table as PageTable
from fanfold.runs.source import Local
from fanfold.safe_text import visible
from lambda_src.errors import FanfoldError
from lambda_src.job import Measured
from lambda_src.jobs.column_permutations import JOB as ENGINE_JOB
from lambda_src.jobs.column_permutations.figures import figures_of
from lambda_src.run.figures import figures_of as figures_of_job

SUBTRACT = "subtract a constant from the column to have all 9"

FEWEST_PREDICTORS = 3
"""Columns for predictors in a table of rows, even if there are fewer."""


def _shown(summary: Summary) -> Mapping[str, list[dict[str, Any]]]:
    """The best models; of a run of an older version, the best choices."""
    found: Mapping[str, list[dict[str, Any]]] = summary.get("models") or summary["best"]
    return found


def _sentence(summary: Summary) -> str:
    left_out = summary["rows_left_out"]
    return (
        f"{counted(summary['choices'], 'choice')} of {counted(len(summary['columns']), 'column')}, on "
        f"{counted(summary['rows_used'], 'row')}; {counted(left_out, 'row')} with a missing value "
        f"{'was' if left_out == 1 else 'were'} left out"
    )


def show(console: Console, summary: Summary) -> None:
    """Print the best models of each number of predictors, and what was left out."""
    if any(_shown(summary).values()):
        console.print(_table(summary))
    else:
        console.print(f"There is no model to show: {_why_none(summary)}.", soft_wrap=True)
    for group in summary.get("twins", []):
        first, *others = group
        console.print(
            Text(visible(f"One quantity, shown as {first}: {', '.join([first, *others])}")), soft_wrap=True
        )
    for column in summary.get("rounded", []):
        leaves = f"leaves {counted(column['decimals'], 'decimal')} of R squared"
        sentence = f"Rounded: {column['column']}. Rounding to 64-bit floats {leaves}: {SUBTRACT}."
        console.print(Text(visible(sentence)), soft_wrap=True)
    for column in summary.get("columns_left_out", []):
        console.print(
            Text(visible(f"Left out: {column['column'] or 'column 1'}, {column['reason']}")), soft_wrap=True
        )
    console.print(_sentence(summary))


def _why_none(summary: Summary) -> str:
    if not any(summary["best"].values()):
        return "targets are constant"
    always = summary.get("options", {}).get("always")
    return (
        f"columns are constant, or one quantity{', or those in every model explain them' if always else ''}"
    )


def _table(summary: Summary) -> Table:
    table = Table(pad_edge=False)
    has_models = "models" in summary
    table.add_column("R squared", justify="right")
    if has_models:
        table.add_column("Adjusted", justify="right")
    table.add_column("Target")
    table.add_column("Predictors")
    for _, choices in by_number(_shown(summary)):
        for choice in choices:
            adjusted = choice.get("adjusted_r_squared")
            figures = [f"{choice['r_squared']:.9f}"]
            figures += ["-" if adjusted is None else f"{adjusted:.9f}"] * has_models
            table.add_row(
                *figures,
                Text(visible(choice["target"])),
                Text(visible(", ".join(choice["predictors"]))),
            )
        table.add_section()
    return table


def rows(summary: Summary) -> Rows:
    """One model per row, or one choice of a run of an older version."""
    shown = by_number(_shown(summary))
    has_models = "models" in summary
    width = max([FEWEST_PREDICTORS, *(len(choice["predictors"]) for _, found in shown for choice in found)])
    predictors = [f"predictor_{number}" for number in range(1, width + 1)]
    models = ["adjusted_r_squared", "twins"] if has_models else []
    yield "size", "rank", "r_squared", "target", *predictors, *models
    for size, choices in shown:
        for rank, choice in enumerate(choices, 1):
            names = [*choice["predictors"], *[""] * width][:width]
            more = [choice["adjusted_r_squared"], _twins(choice)] if has_models else []
            yield int(size), rank, choice["r_squared"], choice["target"], *names, *more


def _twins(choice: Mapping[str, Any]) -> str:
    return "; ".join(f"{name} = {' = '.join(others)}" for name, others in choice["twins"].items())


def draw(summary: Summary) -> Result:
    """How much the best models explain, what is one and was left out, then the best of all choices."""
    shown = _shown(summary)
    # Where all columns are one quantity, there are choices, but no models.
    ranked = next((found for found in (shown, summary["best"]) if any(found.values())), {})
    best = max((one for found in ranked.values() for one in found), key=_r_squared, default=None)
    figures: list[Rankings | PageTable] = [Rankings("The best models", list(_rankings(shown)), NOTE)]
    if twins := summary.get("twins"):
        figures.append(
            PageTable(
                "Columns that are one quantity",
                ["Shown as", "Others"],
                [[group[0], ", ".join(group[1:])] for group in twins],
                "R squared of one on the other is 1, to 9 decimals: a model of one is a model of the other.",
            )
        )
    if rounded := summary.get("rounded"):
        figures.append(
            PageTable(
                "Columns whose numbers are rounded",
                ["Column", "Decimals of R squared that are sure"],
                [[one["column"], one["decimals"]] for one in rounded],
                f"They differ by so little that rounding to 64-bit floats changes the others: {SUBTRACT}.",
            )
        )
    if columns := summary.get("columns_left_out"):
        figures.append(
            PageTable(
                "Columns that were left out",
                ["Column", "Reason"],
                [[one["column"] or "column 1", one["reason"]] for one in columns],
            )
        )
    if "models" in summary:
        figures.append(
            Rankings(
                "The best of all choices",
                list(_rankings(summary["best"])),
                "Each direction of a model, and each of the columns that are one quantity, is a choice.",
            )
        )
    return Result(
        "Which columns explain another one best?",
        f"{best['r_squared']:.9f}" if best else "None",
        f"is the best R squared: {_model(best)}" if best else "of the choices has an R squared",
        f"the best of {_sentence(summary)}",
        figures,
    )


NOTE = (
    "R squared of the least-squares fit with intercept: at 1, the target is explained completely. Each dot "
    "is R squared on an axis between the two numbers above it. It begins near the lowest one, so that models "
    "that are nearly as good can be told apart."
)


def _rankings(best: Mapping[str, list[dict[str, Any]]]) -> Iterator[Ranking]:
    for size, choices in by_number(best):
        always = len(choices[0]["predictors"]) - int(size) if choices else 0
        besides = f" besides the {f'{always} that are' if always > 1 else 'one that is'} in every model"
        yield Ranking(
            f"{size} {plural(int(size), 'predictor')}{besides if always else ''}",
            "Target, explained by",
            "R squared",
            [(_model(choice), choice["r_squared"]) for choice in choices],
            near=True,
            decimals=9,
            second="Adjusted" if any("adjusted_r_squared" in one for one in choices) else "",
            seconds=[choice.get("adjusted_r_squared") for choice in choices],
        )


def _model(choice: Mapping[str, Any]) -> str:
    return f"{choice['target']}  ~  {' + '.join(choice['predictors'])}"


def _r_squared(choice: Mapping[str, Any]) -> float:
    return float(choice["r_squared"])


def workload(source: Local | int, options: Options) -> Workload:
    """The work that a table is for the job, as its beginning tells. Raises NotModelled if only a size is
    known, and SourceError for what the job refuses."""
    from lambda_src.jobs.column_permutations.asked import chosen, space_of  # noqa: PLC0415 - imports NumPy

    if not isinstance(source, Local):
        raise NotModelled(
            "What column_permutations takes depends on how many columns the table has, which its size does "
            "not tell: name the table as a file on this machine."
        )
    measured, asked = _measured(source, options), ENGINE_JOB.read_options(options or {})
    run = chosen(measured.facts, asked)
    columns = len(run.added)
    space, _ = space_of(run.added, run, asked)
    return Workload(
        f"column_permutations on {columns:,} columns, {space.choices():,} choices",
        source.bytes,
        {**figures_of_job(ENGINE_JOB), **figures_of(columns, measured.facts["row_bytes"], space)},
        sharded_by=ENGINE_JOB.sharded_by,
    )


def check(source: Local, options: Options) -> None:
    """Raises SourceError for a table that the job refuses by its beginning, and for options that do not suit
    it."""
    _measured(source, options)


def _measured(source: Local, options: Options) -> Measured:
    try:
        asked = ENGINE_JOB.read_options(options or {})
        return ENGINE_JOB.prepare(ENGINE_JOB.measure(input_of(source)), asked)
    except FanfoldError as error:
        raise SourceError(f"column_permutations cannot read {source.path}: {error}") from error


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
