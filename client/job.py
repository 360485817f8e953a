"""One job from here: upload, run, watch, answer."""

import contextlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from client.aws import Aws
from client.deployment import Deployment
from lambda_src.errors import FanfoldError, RunConflict
from lambda_src.messages import LengthReport, ParseFileRequest, RunRecord, RunSummary, summarize
from lambda_src.results_table import ResultsTable
from lambda_src.settings import INPUT_PREFIX, PARSE_FILE_TIMEOUT_S

LENGTHS = 20
POLL_S = 0.5
TAKE_OVER_S = 60.0
"""A run that was handed over has no owner until Lambda has started the next one."""

INVOKE_CONFIG = Config(
    # Longer than the function can run, and once: botocore answers its own time-out by invoking again.
    read_timeout=PARSE_FILE_TIMEOUT_S + 5,
    retries={"total_max_attempts": 1},
    tcp_keepalive=True,
)


class JobError(Exception):
    """The upload or the run failed; the text is one sentence for the person."""


class Progress(NamedTuple):
    """How far a run is. ``blocks`` is 0 until the input's size is known."""

    blocks_done: int
    blocks: int
    lengths_done: int


def upload(aws: Aws, deployment: Deployment, file: Path, progress: Callable[[int], None]) -> str:
    """Upload ``file`` as an input and return its key; ``progress`` is told the bytes sent since last time.

    Raises JobError.
    """
    key = f"{INPUT_PREFIX}{file.name}"
    try:
        aws.client("s3").upload_file(str(file), deployment.source_bucket, key, Callback=progress)
    except (OSError, Boto3Error, BotoCoreError, ClientError) as error:
        raise JobError(
            f"{file} could not be uploaded to s3://{deployment.source_bucket}/{key}: {error}"
        ) from error
    return key


def run(
    aws: Aws, deployment: Deployment, request: ParseFileRequest, progress: Callable[[Progress], None]
) -> RunSummary:
    """Invoke ``parse_file`` and watch the run's record until it has ended. Raises JobError."""
    assert request.run_id, "the run id is how the run is watched"
    answer: Future[None] = Future()
    client = aws.client("lambda", INVOKE_CONFIG)
    # A daemon, so that an interrupted command ends although the answer is still awaited.
    threading.Thread(target=_invoke, args=(client, deployment, request, answer), daemon=True).start()
    while not answer.done():
        time.sleep(POLL_S)
        with contextlib.suppress(JobError):  # not being able to watch is no reason to give up
            _watch(aws, deployment, request.run_id, progress)
    with contextlib.suppress(BotoCoreError):  # the run goes on without a connection; its record tells
        answer.result()
    return follow(aws, deployment, request.run_id, progress)


def follow(aws: Aws, deployment: Deployment, run_id: str, progress: Callable[[Progress], None]) -> RunSummary:
    """Watch a run until it has ended and give its result. Raises JobError."""
    while True:
        record, lengths = _watch(aws, deployment, run_id, progress)
        if record is None:
            raise JobError(f"There is no run {run_id} in the table {deployment.table}.")
        if record.status == "SUCCEEDED":
            if len(lengths) != LENGTHS:
                raise JobError(f"The table holds {len(lengths)} of {LENGTHS} lengths of the run {run_id}.")
            return summarize(record, lengths)
        if record.status != "RUNNING":
            raise JobError(f"{record.error} (run {run_id})")
        if record.lease_until < time.time() - TAKE_OVER_S:
            raise JobError(
                f"The run {run_id} has died, or Lambda has not started to go on with it. To resume it: "
                f"python -m client run --key '{record.key}' --run-id {run_id}"
            )
        time.sleep(POLL_S)


def cancel(aws: Aws, deployment: Deployment, run_id: str) -> None:
    """Ask a run to stop: it starts no more blocks after about half a second. Raises JobError."""
    try:
        ResultsTable(aws.table(deployment.table), run_id).request_cancel()
    except RunConflict:
        raise JobError(f"There is no run {run_id} at work.") from None
    except FanfoldError as error:
        raise JobError(f"The run {run_id} cannot be cancelled: {error}") from error


def _watch(
    aws: Aws, deployment: Deployment, run_id: str, progress: Callable[[Progress], None]
) -> tuple[RunRecord | None, list[LengthReport]]:
    table = ResultsTable(aws.table(deployment.table), run_id)
    try:
        record = table.get_run()
        lengths = table.get_lengths() if record and record.stage != "parse" else []
    except FanfoldError as error:
        raise JobError(f"The run {run_id} cannot be watched: {error}") from error
    if record:
        progress(Progress(record.blocks_done, record.blocks, len(lengths)))
    return record, lengths


def _invoke(client: Any, deployment: Deployment, request: ParseFileRequest, answer: Future[None]) -> None:
    try:
        response = client.invoke(FunctionName=deployment.parse_file, Payload=msgspec.json.encode(request))
        if "FunctionError" in response:
            raise JobError(msgspec.json.decode(response["Payload"].read())["errorMessage"])
    except ClientError as error:
        answer.set_exception(JobError(f"Lambda refused to run {deployment.parse_file}: {error}"))
    except BaseException as error:  # noqa: BLE001 - carried to the thread that waits
        answer.set_exception(error)
    else:
        answer.set_result(None)
