"""Results as a person likes to see them in a terminal: a view per job, and one for any other."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from rich.columns import Columns
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fanfold.format import counted, share_text, size_text
from fanfold.safe_text import visible
from lambda_src.run.summary import ENGINE_FIELDS

Summary = Mapping[str, Any]


def show_any(console: Console, summary: Summary) -> None:
    """Print what the job has found as JSON."""
    own = {name: value for name, value in summary.items() if name not in ENGINE_FIELDS}
    text = msgspec.json.format(msgspec.json.encode(own), indent=2).decode()
    for line in text.splitlines():
        console.print(Text(visible(line)), soft_wrap=True)


def show_top_words(console: Console, summary: Summary) -> None:
    """Print the 20 top tens as one table."""
    table = Table(pad_edge=False, show_lines=True)
    table.add_column("Length", justify="right")
    table.add_column("Most frequent words, with their counts")
    by_length = sorted(summary["top_words"].items(), key=lambda entry: int(entry[0]))
    for length, words in by_length:
        if words:
            table.add_row(length, _side_by_side([(top["word"], top["count"]) for top in words]))
    console.print(table)
    if without := [int(length) for length, words in by_length if not words]:
        console.print(f"No words of length {_ranges(without)}")
    console.print(
        f"{counted(summary['words'], 'word')} of 1 to {len(by_length)} letters; "
        f"{summary['longer_words']:,} longer ones"
    )


def show_access_log(console: Console, summary: Summary) -> None:
    """Print each hour of the day."""
    table = Table(pad_edge=False)
    for heading in ("Hour", "Requests", "Sent", "2xx", "3xx", "4xx", "5xx"):
        table.add_column(heading, justify="right")
    table.add_column("Most frequent path")
    for hour, found in sorted(summary["hours"].items(), key=lambda entry: int(entry[0])):
        by_class = [
            sum(count for status, count in found["status"].items() if status.startswith(first))
            for first in "2345"
        ]
        first = [(top["path"], top["count"]) for top in found["top_paths"][:1]]
        table.add_row(
            hour,
            f"{found['requests']:,}",
            size_text(found["bytes_sent"]),
            *(f"{count:,}" for count in by_class),
            _side_by_side(first),
        )
    console.print(table)
    lines, malformed = summary["lines"], summary["malformed_lines"]
    console.print(
        f"{counted(lines, 'line')} in {counted(summary['objects'], 'object')}; {malformed:,} of them "
        f"({share_text(malformed, lines)}) {'is not a log line' if malformed == 1 else 'are not log lines'}"
    )


def show_column_permutations(console: Console, summary: Summary) -> None:
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


def _ranges(numbers: Sequence[int]) -> str:
    """Ascending numbers, those that follow each other as one.

    >>> _ranges([1, 4, 5, 6, 19, 20])
    '1, 4 to 6, 19 to 20'
    """
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)


def _side_by_side(counted: Sequence[tuple[str, int]]) -> Columns:
    """As many as there is room for; a text and its count stay together."""
    return Columns(
        [Text.assemble(visible(text), " ", (f"{count:,}", "cyan")) for text, count in counted], padding=(0, 2)
    )


VIEWS: dict[str, Callable[[Console, Summary], None]] = {
    "top_words": show_top_words,
    "access_log": show_access_log,
    "column_permutations": show_column_permutations,
}
