"""The table that ``fanfold runs`` prints."""

import time
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fanfold.format import dollars_text, size_text
from fanfold.jobs import chosen_text
from fanfold.runs.history import PastRun, duration_s
from fanfold.runs.run import status_of
from fanfold.safe_text import visible

STYLES = {"SUCCEEDED": "green", "RUNNING": "cyan", "FAILED": "red", "DIED": "red", "CANCELLED": "yellow"}

HEADINGS = ("Run", "Job", "Status", "Size", "Seconds", "Dollars", "Began", "Input")
REUSED, OPTIONS = "Reused", "Options"
"""The last columns, if a run has any: most have none."""

GIVE_WAY = (OPTIONS, REUSED, "Began", "Job", "Size", "Seconds", "Dollars")
"""Columns that a narrow terminal leaves out, in this order, but the job last where there are several. Run ids
are never cut: people copy them."""

NUMBERS = ("Size", "Seconds", "Dollars", REUSED)

SHORTEST_INPUT = 16
"""Smallest width of the input: a shorter text could not be recognised."""


def show_runs(console: Console, runs: Sequence[PastRun], local_time: Any = time.localtime) -> None:
    """Print a table; without a terminal, one run a line, with tabs between the columns."""
    headings = [*HEADINGS]
    headings += [REUSED] * any(run.record.reuse_days for run in runs)
    headings += [OPTIONS] * any(run.record.options for run in runs)
    missing = "-" if console.is_terminal else ""
    rows = [_cells(run, local_time, missing) for run in runs]
    if not console.is_terminal:
        shown = [[row[heading] for heading in headings] for row in rows]
        lines = ["\t".join(cells) for cells in (headings, *shown)]
        try:  # directly: the console would turn tabs into spaces
            console.file.write("\n".join([*lines, ""]))
            console.file.flush()
        except BrokenPipeError:
            console.on_broken_pipe()
        return
    widths = {heading: max(len(heading), *(len(row[heading]) for row in rows)) for heading in headings}
    input_width = widths.pop("Input")
    has_one_job = len({run.record.job for run in runs}) == 1
    for heading in GIVE_WAY if has_one_job else sorted(GIVE_WAY, key="Job".__eq__):
        if sum(widths.values()) + len(widths) + min(input_width, SHORTEST_INPUT) > console.width:
            widths.pop(heading, None)
    room = max(1, console.width - sum(widths.values()) - len(widths))
    table = Table(pad_edge=False, box=None, header_style="bold", padding=(0, 1, 0, 0))
    for heading in (*widths, "Input"):
        table.add_column(heading, justify="right" if heading in NUMBERS else "left", no_wrap=True)
    for row in rows:
        cells = {heading: Text(row[heading]) for heading in widths}
        cells["Status"].stylize(STYLES.get(row["Status"], ""))
        table.add_row(*cells.values(), Text(_end_of(row["Input"], room)))
    console.print(table)


def _cells(run: PastRun, local_time: Any, missing: str) -> dict[str, str]:
    record = run.record
    took = duration_s(record)
    cells = [
        visible(record.run_id),
        visible(record.job),
        status_of(record),
        size_text(record.bytes) if record.etag else missing,  # unknown until the run has begun
        missing if took is None else f"{took:.1f}",
        dollars_text(sum(record.dollars.values())) if record.dollars else missing,
        time.strftime("%Y-%m-%d %H:%M", local_time(record.started_at)),
        visible(record.name()) if record.bucket else missing,
        size_text(record.bytes_reused) if record.reuse_days else missing,
        visible(chosen_text(record.job, record.options, record.options_chosen)) or missing,
    ]
    return dict(zip((*HEADINGS, REUSED, OPTIONS), cells, strict=True))


def _end_of(text: str, width: int) -> str:
    """An input in ``width`` columns: all of it, or the name of its file or folder, or the end of that.

    >>> _end_of("s3://b/k", 14), _end_of("s3://bucket/input/0a1b/enwiki.xml", 14)
    ('s3://b/k', 'enwiki.xml')
    >>> _end_of("s3://bucket/input/0a1b/logs/*", 14), _end_of("s3://bucket/input/enwiki-20261101.xml", 14)
    ('logs/*', '...0261101.xml')
    """
    if len(text) <= width:
        return text
    folders, _, name = text.rpartition("/")
    if name in ("", "*"):
        name = f"{folders.rpartition('/')[2]}/{name}"
    return name if len(name) <= width else f"...{name[len(name) - max(0, width - len('...')) :]}"[:width]
