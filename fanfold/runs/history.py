"""Past and current runs, from the results tables."""

import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple, get_args

from botocore.exceptions import BotoCoreError, ClientError

from fanfold.account.connection import Aws, explain
from fanfold.account.deployment import Deployment, deploy_command, settings_of, up_command
from fanfold.errors import AccountError, RunError
from fanfold.runs.run import status_of
from lambda_src.errors import RecordUnreadable
from lambda_src.run.summary import what_is_reused
from lambda_src.store.keys import RUN_ITEM, RUNS_INDEX
from lambda_src.store.results import run_from_item
from lambda_src.wire.record import RunRecord, Status, total_dollars

READ_AT_ONCE = 100
"""Number of items in a request, which is DynamoDB's limit."""

LONG_FIELDS = ("failures", "facts", "extras", "warnings", "left_out")
FIELDS = tuple(field for field in RunRecord.__struct_fields__ if field not in LONG_FIELDS)
"""Fields that are read. The others may be long."""

STATUSES = (*get_args(Status), "DIED")


class PastRun(NamedTuple):
    """A run and its deployment."""

    deployment: Deployment
    record: RunRecord


class Unreadable(NamedTuple):
    """A run whose record cannot be read; ``text`` says why."""

    deployment: Deployment
    run_id: str
    text: str


class Past(NamedTuple):
    """Runs, and those whose records cannot be read."""

    runs: list[PastRun]
    unreadable: list[Unreadable]


def past_runs(
    aws: Aws,
    deployments: Iterable[Deployment],
    limit: int,
    status: str | None = None,
    job: str | None = None,
) -> Past:
    """The newest ``limit`` runs of ``deployments``, the newest first; with a ``status`` or ``job``, those
    that have it. Raises AccountError."""
    each = [_past_runs(aws, deployment, limit, status, job) for deployment in deployments]
    runs = sorted(
        (run for past in each for run in past.runs), key=lambda run: run.record.started_at, reverse=True
    )
    return Past(runs[:limit], [one for past in each for one in past.unreadable])


def newest(aws: Aws, deployments: Iterable[Deployment], job: str | None = None) -> PastRun:
    """The newest run of ``deployments``, or of ``job`` in them. Raises AccountError; RunError if there is
    none, or if the record of one that may be newer cannot be read."""
    found = past_runs(aws, deployments, 1, job=job)
    if found.unreadable:
        raise RunError(f"Cannot tell which run is the newest. {found.unreadable[0].text}")
    if not found.runs:
        raise RunError(f"There are no runs yet. Start one with `fanfold run{aws.options} SOURCE`.")
    return found.runs[0]


def _past_runs(aws: Aws, deployment: Deployment, limit: int, status: str | None, job: str | None) -> Past:
    table, client = deployment.table, aws.dynamodb()
    found = Past([], [])
    try:
        keys = _newest(client, table, None if status or job else limit)
        while len(found.runs) < limit and (some := list(islice(keys, READ_AT_ONCE))):
            for item in _read(client, table, some):
                run_id = item["run_id"]["S"]
                try:
                    run = PastRun(deployment, run_from_item(item, run_id, deployment.jobs[0]))
                except RecordUnreadable as error:
                    found.unreadable.append(Unreadable(deployment, run_id, str(error)))
                    continue
                if status in (None, status_of(run.record)) and job in (None, run.record.job):
                    found.runs.append(run)
        return found
    except (BotoCoreError, ClientError) as error:
        # The request itself is valid, so the table lacks the index.
        if isinstance(error, ClientError) and error.response["Error"]["Code"] == "ValidationException":
            own = deployment.own
            again = up_command(own) if aws.is_local else deploy_command(settings_of(own))
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


def as_json(past: Past) -> list[dict[str, Any]]:
    """The runs as JSON; what is unknown is null."""
    readable = [
        {
            "run_id": run.record.run_id,
            "job": run.record.job,
            "status": status_of(run.record),
            "input": run.record.name() if run.record.bucket else None,
            "bytes": run.record.bytes if run.record.etag else None,
            "started_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(run.record.started_at)),
            "seconds": duration_s(run.record),
            "dollars": total_dollars(run.record) if run.record.dollars else None,
            "error": run.record.error or None,
            **what_is_reused(run.record),
            **({"options": run.record.options} if run.record.options else {}),
            **({"keep": run.record.keep, "all_results": run.record.kept or None} if run.record.keep else {}),
        }
        for run in past.runs
    ]
    unreadable = [
        {"run_id": one.run_id, "job": one.deployment.own, "status": None, "error": one.text}
        for one in past.unreadable
    ]
    return [*readable, *unreadable]


def duration_s(record: RunRecord) -> float | None:
    """How long a run took, if it has ended."""
    return round(record.finished_at - record.started_at, 3) if record.finished_at else None
