"""Requests for each hour of the day, by status, and the most frequent paths of each hour and of all.

A most frequent path of all may be missing in the top ten of every hour: the job ranks it.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table as TerminalTable

from fanfold.demo.logs import write_logs
from fanfold.demo.sample import Sample, differences
from fanfold.estimate.workload import Options, Workload, byte_by_byte, bytes_of
from fanfold.format import counted, plural, share_text, size_text
from fanfold.jobs import Cell, ClientJob, Rows, Summary, by_number
from fanfold.jobs._any_job import AnyJob
from fanfold.jobs._asked_logs import draw as draw_asked
from fanfold.jobs._asked_logs import show as show_asked
from fanfold.jobs._terminal import show_table, side_by_side
from fanfold.report.figures import Layer, Result, Stack, Table
from fanfold.runs.source import Local
from lambda_src.job import Shown
from lambda_src.jobs.access_log import JOB as ENGINE_JOB

ASKED = AnyJob("Requests", shown=Shown("Requests", "{requests:,} requests", ("top",)))
"""Shows what is counted by anything but hours."""

CLASSES = {
    "2": ("2xx", "good"),
    "3": ("3xx", "calm"),
    "4": ("4xx", "warm"),
    "5": ("5xx", "bad"),
}
"""Name and tone of statuses, by their first digit."""


def show(console: Console, summary: Summary) -> None:
    """Print each hour of the day, or the keys that the options select."""
    if "hours" not in summary:
        show_asked(console, summary)
        return
    table = TerminalTable(pad_edge=False)
    for heading in ("Hour", "Requests", "Sent", *(name for name, _ in CLASSES.values())):
        table.add_column(heading, justify="right")
    table.add_column("Most frequent path")
    for hour, found in by_number(summary["hours"]):
        first = [(top["path"], top["count"]) for top in found["top_paths"][:1]]
        table.add_row(
            hour,
            f"{found['requests']:,}",
            size_text(found["bytes_sent"]),
            *(f"{_of_class(found, status_class):,}" for status_class in CLASSES),
            side_by_side(first),
        )
    console.print(table)
    if summary.get("top_paths"):
        show_table(console, _paths(summary))
    lines, malformed = summary["lines"], summary["malformed_lines"]
    console.print(
        f"{counted(lines, 'line')} in {counted(summary['objects'], 'object')}; {malformed:,} of them "
        f"({share_text(malformed, lines)}) {'is not a log line' if malformed == 1 else 'are not log lines'}"
    )


def rows(summary: Summary) -> Rows:
    """One figure per row, because the number of statuses and paths varies; or the selected keys."""
    if "hours" not in summary:
        yield from ASKED.rows(summary)
        return
    yield "hour", "figure", "of", "count"
    for hour, found in by_number(summary["hours"]):
        yield int(hour), "requests", "", found["requests"]
        yield int(hour), "bytes_sent", "", found["bytes_sent"]
        for status, count in sorted(found["status"].items()):
            yield int(hour), "status", status, count
        for field in ("top_paths", "top_paths_5xx"):
            for top in found.get(field, ()):
                yield int(hour), field, top["path"], top["count"]
    for top in summary.get("top_paths", ()):
        yield None, "top_paths", top["path"], top["count"]


def draw(summary: Summary) -> Result:
    """Hours as columns, stacked by status, and a table; with options, the answer to those."""
    if "hours" not in summary:
        return draw_asked(summary)
    hours = by_number(summary["hours"])
    by_class = {first: [_of_class(found, first) for _, found in hours] for first in CLASSES}
    rest = [
        found["requests"] - sum(numbers[place] for numbers in by_class.values())
        for place, (_, found) in enumerate(hours)
    ]
    layers = [Layer(*CLASSES[first], numbers) for first, numbers in by_class.items()]
    if any(rest):
        layers.append(Layer("other", "other", rest))
    failed = sum(by_class["5"])
    lines, malformed = summary["lines"], summary["malformed_lines"]
    return Result(
        "Requests for each hour of the day",
        lines - malformed,
        plural(lines - malformed, "request"),
        f"{failed:,} of them answered with 5xx; {malformed:,} of {lines:,} lines "
        f"({share_text(malformed, lines)}) "
        f"{'is not a log line' if malformed == 1 else 'are not log lines'}",
        [
            Stack(
                "Requests by hour and status",
                "Hour (UTC)",
                [hour for hour, _ in hours],
                layers,
                _busiest({hour: found["requests"] for hour, found in hours}),
            ),
            *([_paths(summary)] if "top_paths" in summary else []),
            Table(
                "Hour by hour",
                ["Hour (UTC)", "Requests", "Bytes sent", "Most frequent path", "Its requests"],
                [
                    [int(hour), found["requests"], found["bytes_sent"], *_first(found["top_paths"])]
                    for hour, found in hours
                ],
            ),
        ],
    )


def _paths(summary: Summary) -> Table:
    """The first ones of the whole period; a run of an older version does not have them."""
    rows: list[list[Cell]] = [[top["path"], top["count"]] for top in summary["top_paths"]]
    return Table("Most frequent paths", ["Path", "Requests"], rows, bars=1)


def _of_class(found: Mapping[str, Any], first: str) -> int:
    return sum(count for status, count in found["status"].items() if status.startswith(first))


def _busiest(requests: Mapping[str, int]) -> str:
    most = max(requests.values())
    if not most:
        return "There are no requests."
    busiest = [hour for hour, number in requests.items() if number == most]
    count = counted(most, "request")
    if len(busiest) == 1:
        return f"The busiest hour begins at {busiest[0]}:00 UTC, with {count}."
    return f"The busiest hours begin at {', '.join(f'{hour}:00' for hour in busiest)} UTC, with {count} each."


def _first(top: list[dict[str, Any]]) -> tuple[str | None, int | None]:
    return (top[0]["path"], top[0]["count"]) if top else (None, None)


def workload(source: Local | int, options: Options) -> Workload:
    """Its units are the bytes of the input. Which format they have is not known before a run."""
    if (options or {}).get("format") not in (None, "auto"):
        about = "access_log on logs in the format that is given"
    elif options:
        about = "access_log on logs in Combined Log Format (JSON lines: about four times the dollars)"
    else:
        about = "access_log on logs in Combined Log Format"
    return byte_by_byte(about, ENGINE_JOB, bytes_of(source), options)


def sample(folder: Path, size: int, seed: int, progress: Callable[[int], None]) -> Sample:
    """A folder of logs."""
    expected = write_logs(folder / "logs", size, seed, progress)
    return Sample(
        folder / "logs", lambda result: differences(result, expected._asdict()), "every line, count and path"
    )


JOB = ClientJob(
    show=show, rows=rows, draw=draw, heading="Requests in {name}", workload=workload, sample=sample
)
