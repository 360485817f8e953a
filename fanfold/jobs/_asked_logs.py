"""What a person sees of an access log by anything but hours: in order of time, or most requests first."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from fanfold.format import counted, plural, share_text, size_text, time_in_report
from fanfold.jobs import Cell, Summary
from fanfold.jobs._terminal import show_table
from fanfold.report.figures import Layer, Result, Stack, Table
from fanfold.safe_text import visible
from lambda_src.jobs.access_log.options import MOST_TIMES, WEEKDAYS

TIMES = {"mean": "mean", "p50": "p50", "p95": "p95", "p99": "p99", "slowest": "slowest"}
"""Fields with response times in seconds, in the order of their columns."""

COUNTS = {
    "requests": "requests", "2xx": "2xx", "3xx": "3xx", "4xx": "4xx", "5xx": "5xx",
    "other": "other status", "bytes_sent": "bytes sent",
}  # fmt: skip
TONES = {"2xx": "good", "3xx": "calm", "4xx": "warm", "5xx": "bad", "other": "other"}
QUESTIONS = {
    "day": "How many requests were there each day?",
    "month": "How many requests were there each month?",
    "weekday": "How many requests were there on each day of the week?",
}
RANKED = {
    "requests": "most requests", "bytes": "most bytes sent",
    "p50": "the highest p50", "p95": "the highest p95", "p99": "the highest p99",
}  # fmt: skip
"""What keys that come first have, by the option ``order``."""

LINES = ("lines", "malformed_lines", "header_lines", "filtered_out")


def show(console: Console, summary: Summary) -> None:
    """Print the sentence of the report, its table, and what the lines were."""
    console.print(f"{counted(summary['requests'], 'request')}; {_sentence(summary)}", soft_wrap=True)
    show_table(console, _table(summary))
    formats = visible(", ".join(summary["formats"]) or "no format found")
    console.print(
        f"{counted(summary['lines'], 'line')} in {counted(summary['objects'], 'object')} ({formats}); "
        f"{summary['filtered_out']:,} filtered out, {summary['malformed_lines']:,} not log lines",
        soft_wrap=True,
    )


def draw(summary: Summary) -> Result:
    """Columns in order of time where keys are times, and a table of all keys."""
    by, rows = summary["options"]["by"], _in_order(summary)
    stack = [_columns(by, rows, _not_all(summary))] if by in QUESTIONS and rows else []
    return Result(
        QUESTIONS.get(by, f"Which {by} has most requests?"),
        summary["requests"],
        plural(summary["requests"], "request"),
        _sentence(summary),
        [*stack, _table(summary), _lines(summary)],
    )


def _not_all(summary: Summary) -> str:
    options = summary["options"]
    is_in_time = options["by"] in QUESTIONS and not options.get("order")
    if len(summary["top"]) < (MOST_TIMES if is_in_time else options["top"]):
        return ""
    return f"The {len(summary['top'])} with {RANKED[summary['options'].get('order') or 'requests']}."


def _in_order(summary: Summary) -> list[Mapping[str, Any]]:
    """Times in their order, all else as it is ranked."""
    by, rows = summary["options"]["by"], summary["top"]
    if summary["options"].get("order"):
        return list(rows)
    if by == "weekday":
        return sorted(rows, key=lambda row: WEEKDAYS.index(row[by]))
    return sorted(rows, key=lambda row: str(row[by])) if by in QUESTIONS else list(rows)


def _sentence(summary: Summary) -> str:
    failed = summary["5xx"]
    answered = f"{failed} of them ({share_text(failed, summary['requests'])}) answered with 5xx"
    times = [f"{name} {time_in_report(summary[name])}" for name in TIMES if summary.get(name) is not None]
    sent = f"{size_text(summary['bytes_sent'])} sent"
    return "; ".join([answered, sent, *(["response time: " + ", ".join(times)] if times else [])])


def _columns(by: str, rows: Sequence[Mapping[str, Any]], not_all: str) -> Stack:
    layers = [
        Layer(COUNTS[name], tone, [row[name] for row in rows])
        for name, tone in TONES.items()
        if name != "other" or any(row[name] for row in rows)
    ]
    most = max(rows, key=lambda row: row["requests"])
    busiest = f"Most requests: {most['requests']}, {most[by]}."
    labels = [str(row[by]) for row in rows]
    return Stack(f"Requests by {by} and status", by, labels, layers, f"{busiest} {not_all}".strip())


def _table(summary: Summary) -> Table:
    by, rows = summary["options"]["by"], _in_order(summary)
    order = summary["options"].get("order")
    first = "in order of time" if by in QUESTIONS and not order else f"{RANKED[order or 'requests']} first"
    counts = [name for name in COUNTS if any(row.get(name) for row in rows)]
    times = [name for name in TIMES if any(row.get(name) is not None for row in rows)]
    headings = [by, *(COUNTS[name] for name in counts), *(f"{TIMES[name]}, ms" for name in times)]
    cells: list[list[Cell]] = [
        [str(row[by]), *(row[name] for name in counts), *(_ms(row.get(name)) for name in times)]
        for row in rows
    ]
    note = "Response times in milliseconds." if times else ""
    note = f"{_not_all(summary)} {note}".strip()
    return Table(f"Requests by {by}, {first}", headings, cells, note, bars=1 if counts else None)


def _lines(summary: Summary) -> Table:
    """What the lines were."""
    rows: list[list[Cell]] = [[name.replace("_", " "), summary[name]] for name in LINES if name in summary]
    rows += [[f"format: {name}", count] for name, count in summary.get("formats", {}).items()]
    return Table("Lines of the input", ["what", "lines"], rows)


def _ms(seconds: float | None) -> float | None:
    """
    >>> _ms(0.13414), _ms(5.533), _ms(None)
    (134, 5533, None)
    """
    if seconds is None:
        return None
    return round(seconds * 1000, 1) if seconds < 0.1 else round(seconds * 1000)
