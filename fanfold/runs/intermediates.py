"""Intermediates of runs: blobs, manifests, traces and pieces. Blobs expire after a day, the rest after a
week; ``fanfold clean`` removes them earlier, and complete sums that belong to no result. Inputs, results and
running runs are never touched, but for complete sums if they are asked for."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from fanfold.account.connection import Aws, explain
from fanfold.account.deployment import Deployment
from fanfold.errors import AccountError, ExpectedError, RunError, UnreadableRun
from fanfold.runs.run import Run, has_died
from lambda_src.store.keys import (
    BLOBS_PREFIX,
    PIECES_PREFIX,
    RESULTS_PREFIX,
    RUNS_PREFIX,
    complete_key,
    run_of,
)
from lambda_src.wire.record import RunRecord

DELETED_AT_ONCE = 1000
"""Number of objects in a request, which is S3's limit."""

DAY_S = 86400.0


class Leftovers(NamedTuple):
    """The intermediates of one run; ``written_at`` is the time of the latest one, in seconds since the
    epoch."""

    run_id: str
    keys: list[str]
    bytes: int
    written_at: float


class Selection(NamedTuple):
    """Intermediates to delete, with the deployment that has them. ``unknown`` are ids of runs that have none;
    ``skipped`` has a sentence on each run that must be kept."""

    wanted: list[tuple[Deployment, Leftovers]]
    unknown: list[str]
    skipped: list[str]


def select(
    aws: Aws,
    deployments: Sequence[Deployment],
    run_ids: Sequence[str],
    days: float,
    job: str | None = None,
    *,
    results: bool = False,
) -> Selection:
    """The intermediates of the runs ``run_ids``, or else of those older than ``days``; only those of ``job``,
    if it is given; with ``results``, also their complete sums. Raises AccountError; RunError if two stacks
    have a run of the same id."""
    found = [
        (deployment, left)
        for deployment in deployments
        for left in leftovers(aws, deployment, results=results)
    ]
    unknown = sorted(set(run_ids) - {left.run_id for _, left in found})
    wanted, skipped = [], []
    for deployment, left in found:
        if not (left.run_id in run_ids if run_ids else is_older(left, days)):
            continue
        try:
            record = Run(aws, deployment, left.run_id).find()
        except UnreadableRun as error:  # it may be running
            skipped.append(f"{error} Skipped.")
            continue
        if job not in (None, record.job if record else deployment.own):
            continue
        if is_running(record):
            skipped.append(f"{left.run_id} is still running, skipped.")
        else:
            wanted.append((deployment, left))
    named = Counter(left.run_id for _, left in wanted if run_ids)
    if twice := [run_id for run_id, stacks in named.items() if stacks > 1]:
        stacks = " and ".join(deployment.stack for deployment, left in wanted if left.run_id == twice[0])
        raise RunError(f"There are runs {twice[0]} in {stacks}. Say which with --job.")
    return Selection(wanted, unknown, skipped)


def leftovers(aws: Aws, deployment: Deployment, *, results: bool = False) -> list[Leftovers]:
    """The intermediates of each run, the oldest run first; with ``results``, also complete sums that belong
    to a result. Raises AccountError."""
    found: dict[str, Leftovers] = {}
    used: dict[str, Callable[[str], bool]] = {}
    with _translated(deployment.bucket):
        pages = aws.client("s3").get_paginator("list_objects_v2")
        for prefix in (BLOBS_PREFIX, PIECES_PREFIX, RESULTS_PREFIX, RUNS_PREFIX):
            for page in pages.paginate(Bucket=deployment.bucket, Prefix=prefix):
                for entry in page.get("Contents", []):
                    run_id = run_of(entry["Key"])
                    if run_id and prefix == RESULTS_PREFIX and not results:
                        if run_id not in used:
                            used[run_id] = _used_by(Run(aws, deployment, run_id))
                        if used[run_id](entry["Key"]):
                            continue
                    if run_id:
                        _add(found, run_id, entry)
    return sorted(found.values(), key=lambda left: left.written_at)


def _used_by(run: Run) -> Callable[[str], bool]:
    """Whether the object of a key belongs to the complete sums of the run: all may, if it is unreadable, or
    if it is still running and may have ended by the time they are deleted."""
    try:
        record = run.find()
        if record is None or record.status != "SUCCEEDED":
            running = is_running(record)
            return lambda _: running
        _, parts = run.record_and_parts()
    except ExpectedError:  # its complete sums are unknown: keep all of them
        return lambda _: True
    keys = {complete_key(run.run_id, section.name) for part in parts for section in part.complete}
    return keys.__contains__


def _add(found: dict[str, Leftovers], run_id: str, entry: Mapping[str, Any]) -> None:
    before = found.get(run_id, Leftovers(run_id, [], 0, 0.0))
    before.keys.append(entry["Key"])
    found[run_id] = before._replace(
        bytes=before.bytes + entry["Size"],
        written_at=max(before.written_at, entry["LastModified"].timestamp()),
    )


def is_older(left: Leftovers, days: float) -> bool:
    """Whether the run has stored nothing for that many days."""
    return left.written_at < time.time() - days * DAY_S


def is_running(record: RunRecord | None) -> bool:
    """Whether a Lambda is working on the run, or is about to: a run that was handed over waits for one."""
    return record is not None and record.status == "RUNNING" and (record.released or not has_died(record))


def remove(aws: Aws, deployment: Deployment, left: Leftovers) -> int:
    """Delete the intermediates of one run, unless it is running again, and return their number. Raises
    AccountError, RunError."""
    client, removed = aws.client("s3"), 0
    for first in range(0, len(left.keys), DELETED_AT_ONCE):
        if is_running(Run(aws, deployment, left.run_id).find()):
            break
        keys = left.keys[first : first + DELETED_AT_ONCE]
        with _translated(deployment.bucket):
            answer = client.delete_objects(
                Bucket=deployment.bucket,
                Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True},
            )
        if errors := answer.get("Errors"):
            raise AccountError(f"S3 did not delete {errors[0]['Key']}: {errors[0].get('Message', '')}")
        removed += len(keys)
    return removed


@contextmanager
def _translated(bucket: str) -> Iterator[None]:
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise AccountError(f"The bucket {bucket} cannot be used: {explain(error)}") from error
