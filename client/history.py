"""The runs that there were, of each job, as the results tables hold them."""

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from client.aws import AccountError, Aws, sentence
from client.deployment import Deployment, deploy_command
from client.runs import has_died, job_option
from client.safe_text import visible
from client.sizes import size_text
from lambda_src.errors import RecordUnreadable
from lambda_src.messages import RunRecord
from lambda_src.results_table import RUN_ITEM, run_from_item
from lambda_src.settings import RUNS_INDEX

READ_AT_ONCE = 100
"""DynamoDB's own bound."""

LONG_FIELDS = ("failures", "facts", "extras", "warnings")
FIELDS = tuple(field for field in RunRecord.__struct_fields__ if field not in LONG_FIELDS)
"""All that is looked at; the others may be long."""

STYLES = {"SUCCEEDED": "green", "RUNNING": "cyan", "FAILED": "red", "DIED": "red", "CANCELLED": "yellow"}

HEADINGS = ("Run", "Job", "Status", "Size", "Seconds", "Dollars", "Began", "Input")
GIVE_WAY = ("Began", "Size", "Dollars", "Seconds", "Job")
"""Columns that a narrow terminal does without, the first one first: a run id must be whole to be copied."""

SHORTEST_INPUT = 24
"""Columns; with fewer nobody would know which file it was."""


class PastRun(NamedTuple):
    """A run, and whose it is."""

    deployment: Deployment
    record: RunRecord


class Past(NamedTuple):
    """The runs that there were, and a sentence for each whose record cannot be read."""

    runs: list[PastRun]
    unreadable: list[str]


def past_runs(aws: Aws, deployments: Iterable[Deployment], limit: int) -> Past:
    """The newest ``limit`` runs of ``deployments``, the newest first. Raises AccountError."""
    found: list[PastRun] = []
    unreadable: list[str] = []
    for deployment in deployments:
        for read in _records(aws, deployment, limit):
            if isinstance(read, RunRecord):
                found.append(PastRun(deployment, read))
            else:
                unreadable.append(str(read))
    return Past(sorted(found, key=lambda run: run.record.started_at, reverse=True)[:limit], unreadable)


def _records(aws: Aws, deployment: Deployment, limit: int) -> list[RunRecord | RecordUnreadable]:
    job, table, client = deployment.job, deployment.table, aws.dynamodb()
    try:
        keys = _newest(client, table, limit)
        found: list[RunRecord | RecordUnreadable] = []
        for first in range(0, len(keys), READ_AT_ONCE):
            found += _read(client, table, keys[first : first + READ_AT_ONCE])
        return found
    except (BotoCoreError, ClientError) as error:
        # The request is the same whatever the table, so it is the index that it lacks.
        if isinstance(error, ClientError) and error.response["Error"]["Code"] == "ValidationException":
            again = f"fanfold up{job_option(job)}" if aws.endpoint_url else deploy_command(job)
            raise AccountError(
                f"The table {table} has no index of its runs yet. To add it, deploy again: {again}"
            ) from error
        raise AccountError(f"The table {table} cannot be read: {sentence(error)}") from error


def _newest(client: Any, table: str, limit: int) -> list[dict[str, Any]]:
    """The keys of the newest records."""
    pages = client.get_paginator("query").paginate(
        TableName=table,
        IndexName=RUNS_INDEX,
        KeyConditionExpression="#item = :run",
        ExpressionAttributeNames={"#item": "item"},
        ExpressionAttributeValues={":run": {"S": RUN_ITEM}},
        ScanIndexForward=False,
        PaginationConfig={"MaxItems": limit},
    )
    return [{name: item[name] for name in ("run_id", "item")} for page in pages for item in page["Items"]]


def _read(client: Any, table: str, keys: Sequence[dict[str, Any]]) -> Iterator[RunRecord | RecordUnreadable]:
    """The records of ``keys``, in any order."""
    names = {f"#{place}": field for place, field in enumerate(FIELDS)}
    projected = {"ProjectionExpression": ", ".join(names), "ExpressionAttributeNames": names}
    wanted = {table: {"Keys": keys, **projected}}
    while wanted:
        answer = client.batch_get_item(RequestItems=wanted)
        for item in answer["Responses"][table]:
            try:
                yield run_from_item(item, item["run_id"]["S"])
            except RecordUnreadable as error:
                yield error
        wanted = answer["UnprocessedKeys"]


def status_of(record: RunRecord) -> str:
    """The status, as it is and not as a dead owner has left it."""
    return "DIED" if has_died(record) else record.status


def show_runs(console: Console, runs: Sequence[PastRun], local_time: Any = time.localtime) -> None:
    """Print them as a table; where it is not for a terminal, one run a line, with tabs between."""
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


def _end_of(text: str, width: int) -> str:
    """As much of its end as fits: of an input, the file's name.

    >>> _end_of("s3://bucket/input/0a1b/enwiki.xml", 14), _end_of("s3://b/k", 14)
    ('.../enwiki.xml', 's3://b/k')
    """
    if len(text) <= width:
        return text
    return f"...{text[len(text) - max(0, width - len('...')) :]}"[:width]


def _cells(run: PastRun, local_time: Any, missing: str) -> list[str]:
    record = run.record
    took = record.finished_at - record.started_at if record.finished_at else 0.0
    return [
        visible(record.run_id),
        run.deployment.job,
        status_of(record),
        size_text(record.bytes),
        f"{took:.1f}" if took else missing,
        f"{sum(record.dollars.values()):.4f}" if record.dollars else missing,
        time.strftime("%Y-%m-%d %H:%M", local_time(record.started_at)),
        visible(record.name()) if record.bucket else missing,
    ]
