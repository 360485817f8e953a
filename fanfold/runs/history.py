"""Past and current runs of each job, from the results tables."""

import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple, get_args

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fanfold.account.connection import AccountError, Aws, explain
from fanfold.account.deployment import Deployment, deploy_command
from fanfold.format import dollars_text, size_text
from fanfold.runs.run import RunError, job_option, status_of
from fanfold.safe_text import visible
from lambda_src.errors import RecordUnreadable
from lambda_src.store.keys import RUN_ITEM, RUNS_INDEX
from lambda_src.store.results import run_from_item
from lambda_src.wire.record import RunRecord, Status, total_dollars

READ_AT_ONCE = 100
"""DynamoDB's own bound."""

LONG_FIELDS = ("failures", "facts", "extras", "warnings", "left_out")
FIELDS = tuple(field for field in RunRecord.__struct_fields__ if field not in LONG_FIELDS)
"""The fields that are read; the others may be long."""

STYLES = {"SUCCEEDED": "green", "RUNNING": "cyan", "FAILED": "red", "DIED": "red", "CANCELLED": "yellow"}

HEADINGS = ("Run", "Job", "Status", "Size", "Seconds", "Dollars", "Began", "Input")
GIVE_WAY = ("Began", "Job", "Size", "Seconds", "Dollars")
"""Columns that a narrow terminal leaves out, the first one first: a run id must be whole to be copied."""

SHORTEST_INPUT = 16
"""Columns; with fewer, the file could not be recognised."""

STATUSES = (*get_args(Status), "DIED")


class PastRun(NamedTuple):
    """A run and its deployment."""

    deployment: Deployment
    record: RunRecord


class Unreadable(NamedTuple):
    """A run whose record cannot be read, as ``text`` says."""

    deployment: Deployment
    run_id: str
    text: str


class Past(NamedTuple):
    """Runs, and those whose records cannot be read."""

    runs: list[PastRun]
    unreadable: list[Unreadable]


def past_runs(aws: Aws, deployments: Iterable[Deployment], limit: int, status: str | None = None) -> Past:
    """The newest ``limit`` runs of ``deployments``, the newest first; with a ``status``, those that have it.
    Raises AccountError."""
    each = [_past_runs(aws, deployment, limit, status) for deployment in deployments]
    runs = sorted(
        (run for past in each for run in past.runs), key=lambda run: run.record.started_at, reverse=True
    )
    return Past(runs[:limit], [one for past in each for one in past.unreadable])


def newest(aws: Aws, deployments: Iterable[Deployment]) -> PastRun:
    """The newest run of ``deployments``. Raises AccountError; RunError if there is none, or if the record of
    one that may be newer cannot be read."""
    found = past_runs(aws, deployments, 1)
    if found.unreadable:
        raise RunError(f"Cannot tell which run is the newest. {found.unreadable[0].text}")
    if not found.runs:
        raise RunError(f"There are no runs yet. Start one with `fanfold run{aws.options} SOURCE`.")
    return found.runs[0]


def _past_runs(aws: Aws, deployment: Deployment, limit: int, status: str | None) -> Past:
    job, table, client = deployment.job, deployment.table, aws.dynamodb()
    found = Past([], [])
    try:
        keys = _newest(client, table, None if status else limit)
        while len(found.runs) < limit and (some := list(islice(keys, READ_AT_ONCE))):
            for item in _read(client, table, some):
                run_id = item["run_id"]["S"]
                try:
                    run = PastRun(deployment, run_from_item(item, run_id))
                except RecordUnreadable as error:
                    found.unreadable.append(Unreadable(deployment, run_id, str(error)))
                    continue
                if status in (None, status_of(run.record)):
                    found.runs.append(run)
        return found
    except (BotoCoreError, ClientError) as error:
        # The request itself is valid, so the table lacks the index.
        if isinstance(error, ClientError) and error.response["Error"]["Code"] == "ValidationException":
            again = f"fanfold up{job_option(job)}" if aws.endpoint_url else deploy_command({"job": job})
            raise AccountError(
                f"The table {table} has no index of its runs yet. To add it, deploy again: {again}"
            ) from error
        raise AccountError(f"The table {table} cannot be read: {explain(error)}") from error


def _newest(client: Any, table: str, limit: int | None) -> Iterator[dict[str, Any]]:
    """The keys of the newest records, the newest first."""
    pages = client.get_paginator("query").paginate(
        TableName=table,
        IndexName=RUNS_INDEX,
        KeyConditionExpression="#item = :run",
        ExpressionAttributeNames={"#item": "item"},
        ExpressionAttributeValues={":run": {"S": RUN_ITEM}},
        ScanIndexForward=False,
        PaginationConfig={"MaxItems": limit},
    )
    return ({name: item[name] for name in ("run_id", "item")} for page in pages for item in page["Items"])


def _read(client: Any, table: str, keys: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The items of ``keys``, in any order."""
    names = {f"#{place}": field for place, field in enumerate(FIELDS)}
    projected = {"ProjectionExpression": ", ".join(names), "ExpressionAttributeNames": names}
    wanted = {table: {"Keys": keys, **projected}}
    while wanted:
        answer = client.batch_get_item(RequestItems=wanted)
        yield from answer["Responses"][table]
        wanted = answer["UnprocessedKeys"]


def show_runs(console: Console, runs: Sequence[PastRun], local_time: Any = time.localtime) -> None:
    """Print a table; without a terminal, one run a line, with tabs between the columns."""
    if not console.is_terminal:
        lines = ["\t".join(cells) for cells in (HEADINGS, *(_cells(run, local_time, "") for run in runs))]
        try:  # as they are: the console would make spaces of tabs
            console.file.write("\n".join([*lines, ""]))
            console.file.flush()
        except BrokenPipeError:
            console.on_broken_pipe()
        return
    rows = [dict(zip(HEADINGS, _cells(run, local_time, "-"), strict=True)) for run in runs]
    widths = {heading: max(len(heading), *(len(row[heading]) for row in rows)) for heading in HEADINGS}
    input_width = widths.pop("Input")
    for heading in GIVE_WAY:
        if sum(widths.values()) + len(widths) + min(input_width, SHORTEST_INPUT) > console.width:
            del widths[heading]
    room = max(1, console.width - sum(widths.values()) - len(widths))
    table = Table(pad_edge=False, box=None, header_style="bold", padding=(0, 1, 0, 0))
    for heading in (*widths, "Input"):
        table.add_column(
            heading, justify="right" if heading in ("Size", "Seconds", "Dollars") else "left", no_wrap=True
        )
    for row in rows:
        cells = {heading: Text(row[heading]) for heading in widths}
        cells["Status"].stylize(STYLES.get(row["Status"], ""))
        table.add_row(*cells.values(), Text(_end_of(row["Input"], room)))
    console.print(table)


def as_json(past: Past) -> list[dict[str, Any]]:
    """The runs for a program; what is not known is null."""
    readable = [
        {
            "run_id": run.record.run_id,
            "job": run.deployment.job,
            "status": status_of(run.record),
            "input": run.record.name() if run.record.bucket else None,
            "bytes": run.record.bytes if run.record.etag else None,
            "started_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(run.record.started_at)),
            "seconds": _took(run.record),
            "dollars": total_dollars(run.record) if run.record.dollars else None,
            "error": run.record.error or None,
        }
        for run in past.runs
    ]
    unreadable = [
        {"run_id": one.run_id, "job": one.deployment.job, "status": None, "error": one.text}
        for one in past.unreadable
    ]
    return [*readable, *unreadable]


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


def _took(record: RunRecord) -> float | None:
    return round(record.finished_at - record.started_at, 3) if record.finished_at else None


def _cells(run: PastRun, local_time: Any, missing: str) -> list[str]:
    record = run.record
    took = _took(record)
    return [
        visible(record.run_id),
        run.deployment.job,
        status_of(record),
        size_text(record.bytes) if record.etag else missing,  # until it has begun, nobody knows
        missing if took is None else f"{took:.1f}",
        dollars_text(sum(record.dollars.values())) if record.dollars else missing,
        time.strftime("%Y-%m-%d %H:%M", local_time(record.started_at)),
        visible(record.name()) if record.bucket else missing,
    ]
