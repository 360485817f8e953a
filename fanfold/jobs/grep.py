"""How many lines match, and the objects with the most. The lines themselves: ``fanfold grep``."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from fanfold.demo.logs import write_logs
from fanfold.demo.sample import Sample, differences
from fanfold.estimate.workload import Options, Workload, byte_by_byte, bytes_of
from fanfold.format import counted, plural
from fanfold.jobs import ClientJob, Rows, Summary
from fanfold.jobs._terminal import show_table
from fanfold.report.figures import Result, Table
from fanfold.runs.source import Local
from fanfold.safe_text import visible
from lambda_src.jobs.grep import JOB as ENGINE_JOB

TITLE = "Objects with the most lines"


def show(console: Console, summary: Summary) -> None:
    """Print the number of lines, and the first objects."""
    console.print(visible(f"{counted(summary['lines'], 'line')} in {counted(summary['objects'], 'object')}"))
    show_table(console, _table(summary))


def rows(summary: Summary) -> Rows:
    """The lines of each object."""
    yield "object", "lines"
    for top in summary["top"]:
        yield top["object"], top["lines"]


def draw(summary: Summary) -> Result:
    """The objects with the most lines."""
    lines = summary["lines"]
    return Result(
        "Which objects have the lines?",
        lines,
        plural(lines, "line"),
        f"selected in {counted(summary['objects'], 'object')}",
        [_table(summary)] if summary["top"] else [],
    )


def _table(summary: Summary) -> Table:
    return Table(
        TITLE, ["object", "lines"], [[one["object"], one["lines"]] for one in summary["top"]], bars=1
    )


def workload(source: Local | int, options: Options) -> Workload:
    """Its units are the bytes of the input."""
    return byte_by_byte("grep for a regular expression in logs", ENGINE_JOB, bytes_of(source), options)


def sample(folder: Path, size: int, seed: int, progress: Callable[[int], None]) -> Sample:
    """A folder of logs. Without a pattern, every line is selected."""
    expected = write_logs(folder / "logs", size, seed, progress)
    right: dict[str, Any] = {"lines": expected.lines, "objects": expected.objects}
    return Sample(folder / "logs", lambda result: differences(result, right), "every line")


JOB = ClientJob(show=show, rows=rows, draw=draw, heading="Lines of {name}", workload=workload, sample=sample)
