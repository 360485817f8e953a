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

TIMES = ("mean", "p50", "p95", "p99", "slowest")
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
    "requests": "the most requests", "bytes": "the most bytes sent",
    "p50": "the highest p50", "p95": "the highest p95", "p99": "the highest p99",
}  # fmt: skip
"""What keys that come first have, by the option ``order``."""

SPARE = ("3xx", "2xx", "mean, ms", "slowest, ms", "other status", "4xx", "bytes sent", "p50, ms", "p99, ms")
"""Columns that a narrow terminal does without, the first one first."""

LINES = ("lines", "malformed_lines", "header_lines", "filtered_out")


def show(console: Console, summary: Summary) -> None:
    """Print the sentence of the report, its table, and what the lines were."""
    console.print(f"{counted(summary['requests'], 'request')}; {_sentence(summary)}", soft_wrap=True)
    table = _table(summary)
    show_table(console, table, [heading for heading in SPARE if heading not in table.headings[:2]])
    formats = visible(", ".join(summary["formats"]) or "no format found")
    console.print(
        f"{counted(summary['lines'], 'line')} in {counted(summary['objects'], 'object')} ({formats}); "
        f"{summary['filtered_out']:,} filtered out, {summary['malformed_lines']:,} not log lines",
        soft_wrap=True,
    )


def draw(summary: Summary) -> Result:
    """Columns in order of time where keys are times, and a table of all keys."""
    by, order, rows = summary["options"]["by"], _ranked_by(summary), summary["top"]
    stack = [_columns(by, _in_order(summary))] if not order and rows else []
    return Result(
        f"Which {by} has {RANKED[order]}?" if order else QUESTIONS[by],
        summary["requests"],
        plural(summary["requests"], "request"),
        _sentence(summary),
        [*stack, _table(summary), _lines(summary)],
    )


def _ranked_by(summary: Summary) -> str:
    """What keys are ranked by; nothing if they are in order of time."""
    order: str = summary["options"].get("order") or ""
    return order or ("" if summary["options"]["by"] in QUESTIONS else "requests")


def _note(summary: Summary, order: str, times: Sequence[str]) -> str:
    """Which keys are left out, and the unit of times."""
    shown, least = len(summary["top"]), summary.get("least", 1)
    most = summary["options"]["top"] if order else MOST_TIMES
    notes = [
        f"The {shown:,} with {RANKED[order or 'requests']}." if shown >= most else "",
        f"Only those with at least {least:,} requests." if least > 1 else "",
        "Response times in milliseconds." if times else "",
    ]
    return " ".join(filter(None, notes))


def _in_order(summary: Summary) -> list[Mapping[str, Any]]:
    """Times in their order, all else as it is ranked."""
    by, rows = summary["options"]["by"], summary["top"]
    if _ranked_by(summary):
        return list(rows)
    return sorted(rows, key=lambda row: WEEKDAYS.index(row[by]) if by == "weekday" else str(row[by]))


def _sentence(summary: Summary) -> str:
    failed = summary["5xx"]
    answered = f"{failed:,} of them ({share_text(failed, summary['requests'])}) answered with 5xx"
    times = [f"{name} {time_in_report(summary[name])}" for name in TIMES if summary.get(name) is not None]
    sent = f"{size_text(summary['bytes_sent'])} sent"
    return "; ".join([answered, sent, *(["response time: " + ", ".join(times)] if times else [])])


def _columns(by: str, rows: Sequence[Mapping[str, Any]]) -> Stack:
    layers = [
        Layer(COUNTS[name], tone, [row[name] for row in rows])
        for name, tone in TONES.items()
        if name != "other" or any(row[name] for row in rows)
    ]
    most = max(rows, key=lambda row: row["requests"])
    busiest = f"Most requests: {most['requests']:,} {'in' if by == 'month' else 'on'} {most[by]}."
    labels = [str(row[by]) for row in rows]
    return Stack(f"Requests by {by} and status", by, labels, layers, busiest)


def _table(summary: Summary) -> Table:
    by, order, rows = summary["options"]["by"], _ranked_by(summary), _in_order(summary)
    first = f"{RANKED[order].removeprefix('the ')} first" if order else "in order of time"
    ranked = {"bytes": "bytes_sent"}.get(order, order)
    counts = [name for name in COUNTS if any(row.get(name) for row in rows)]
    times = [name for name in TIMES if any(row.get(name) is not None for row in rows)]
    fields = sorted([*counts, *times], key=lambda name: name != ranked)  # which comes first
    headings = [by, *(COUNTS.get(name, f"{name}, ms") for name in fields)]
    cells: list[list[Cell]] = [
        [str(row[by]), *(_ms(row.get(name)) if name in times else row[name] for name in fields)]
        for row in rows
    ]
    bars = 1 if fields else None
    return Table(f"Requests by {by}, {first}", headings, cells, _note(summary, order, times), bars)


def _lines(summary: Summary) -> Table:
    """What the lines were, and how many objects begin with a line of each format."""
    rows: list[list[Cell]] = [
        [name.replace("_", " "), summary[name], None] for name in LINES if name in summary
    ]
    lines, objects = summary.get("formats", {}), summary.get("object_formats", {})
    rows += [
        [f"format: {name}", lines.get(name), objects.get(name)] for name in dict.fromkeys([*lines, *objects])
    ]
    return Table("Lines of the input", ["what", "lines", "objects that begin with it"], rows)


def _ms(seconds: float | None) -> float | None:
    """
    >>> _ms(0.13414), _ms(5.533), _ms(None)
    (134, 5533, None)
    """
    if seconds is None:
        return None
    return round(seconds * 1000, 1) if seconds < 0.1 else round(seconds * 1000)
