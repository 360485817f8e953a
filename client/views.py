"""Results as a person likes to see them in a terminal: a view per job, and one for any other."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from rich.columns import Columns
from rich.console import Console
from rich.table import Table
from rich.text import Text

from client.safe_text import visible
from lambda_src.messages import ENGINE_FIELDS

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
    table.add_column("The most frequent words, and how often each occurs")
    for length, words in sorted(summary["top_words"].items(), key=lambda entry: int(entry[0])):
        table.add_row(length, _side_by_side([(top["word"], top["count"]) for top in words]))
    console.print(table)
    console.print(
        f"{summary['words']:,} words of 1 to {len(summary['top_words'])} letters, "
        f"{summary['longer_words']:,} longer ones"
    )


def show_access_log(console: Console, summary: Summary) -> None:
    """Print what each hour of the day had, and its most frequent paths."""
    table = Table(pad_edge=False)
    for heading in ("Hour", "Requests", "Bytes sent", "2xx", "3xx", "4xx", "5xx"):
        table.add_column(heading, justify="right")
    table.add_column("The most frequent path")
    for hour, found in sorted(summary["hours"].items(), key=lambda entry: int(entry[0])):
        by_class = [
            sum(count for status, count in found["status"].items() if status.startswith(first))
            for first in "2345"
        ]
        first = [(top["path"], top["count"]) for top in found["top_paths"][:1]]
        table.add_row(
            hour,
            *(f"{count:,}" for count in (found["requests"], found["bytes_sent"], *by_class)),
            _side_by_side(first),
        )
    console.print(table)
    share = 100 * summary["malformed_lines"] / max(summary["lines"], 1)
    console.print(
        f"{summary['lines']:,} lines of {summary['objects']:,} objects; {summary['malformed_lines']:,} of "
        f"them ({share:.2g} %) are no log lines"
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
    console.print(
        f"{summary['choices']:,} choices of {len(summary['columns']):,} columns, on {summary['rows_used']:,} "
        f"rows; {summary['rows_left_out']:,} rows with an empty cell were left out"
    )


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
