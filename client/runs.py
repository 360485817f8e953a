"""One run from here: have it done, watch it, answer."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import msgspec
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ReadTimeoutError

from client.aws import Aws
from client.deployment import Deployment
from client.interruption import SIGNALS
from client.safe_text import shell_word
from lambda_src import job
from lambda_src.errors import FanfoldError, RunConflict, Transient
from lambda_src.messages import ParseFileRequest, RunRecord, summarize
from lambda_src.results_table import ResultsTable
from lambda_src.settings import DEFAULT_JOB

T = TypeVar("T")

POLL_S = 0.5
BEGIN_TIMEOUT_S = 120.0
"""How long Lambda may take to begin what it has accepted: it waits while the account has no room."""

REFUSAL_TIMEOUT_S = 10.0
"""How long parse_file may take to refuse: it looks at the request and the run's record first."""

TAKE_OVER_S = 60.0
"""A run that was handed over has no owner until Lambda has started the next one."""

LOST_SIGHT_S = 60.0
"""How long the table may be out of reach: the run goes on without being watched."""


class RunError(Exception):
    """The run failed, or cannot be seen; the text is one sentence for the person."""


class Progress(NamedTuple):
    """How far a run is. ``blocks`` is 0 until the input's size is known."""

    blocks_done: int
    blocks: int
    parts_done: int
    parts: int


def run(
    aws: Aws, deployment: Deployment, request: ParseFileRequest, progress: Callable[[Progress], None]
) -> dict[str, Any]:
    """Have ``parse_file`` do the run, and watch the run's record until it has ended. Raises RunError.

    No connection waits for the end: one that is idle for minutes gets lost.
    """
    assert request.run_id, "the run id is how the run is watched"
    table = _table(aws, deployment, request.run_id)
    found = _seen(table)
    if found is None:
        _invoke(aws, deployment, msgspec.structs.replace(request, must_be_new=True))
        _wait_until_begun(deployment, table, request, None)
    elif not _answered(aws, deployment, request):
        _wait_until_begun(deployment, table, request, found)
    return follow(aws, deployment, request.run_id, progress)


def follow(
    aws: Aws, deployment: Deployment, run_id: str, progress: Callable[[Progress], None]
) -> dict[str, Any]:
    """Watch a run until it has ended and give its result. Raises RunError."""
    deployed = job.load(deployment.job)
    table = _table(aws, deployment, run_id)
    while True:
        record = _seen(table)
        if record is None:
            raise RunError(f"There is no run {run_id} in the table {deployment.table}.")
        parts = _watched(table, table.get_parts) if record.stage != "parse" else []
        progress(Progress(record.blocks_done, record.blocks, len(parts), len(deployed.parts)))
        if record.status == "SUCCEEDED":
            if len(parts) != len(deployed.parts):
                raise RunError(
                    f"The table holds {len(parts)} of {len(deployed.parts)} {deployed.part}s of the run "
                    f"{run_id}."
                )
            return summarize(deployed, record, parts)
        if record.status != "RUNNING":
            raise RunError(f"{record.error} (run {run_id})")
        if record.lease_until < time.time() - TAKE_OVER_S:
            raise RunError(
                f"The run {run_id} has died, or Lambda has not started to go on with it. To resume it: "
                f"python -m client run{_job_option(deployment)} {_input_option(record)} "
                f"--run-id={shell_word(run_id)}"
            )
        _pause()


def cancel(aws: Aws, deployment: Deployment, run_id: str) -> RunRecord:
    """Ask a run to stop: it starts no more blocks after about half a second. Gives the record as it then is.

    Raises RunError.
    """
    table = _table(aws, deployment, run_id)
    try:
        table.request_cancel()
    except RunConflict:
        raise RunError(f"There is no run {run_id} at work.") from None
    except FanfoldError as error:
        raise RunError(f"The run {run_id} cannot be cancelled: {error}") from error
    record = _seen(table)
    assert record, "it was there to be asked"
    return record


def _invoke(aws: Aws, deployment: Deployment, request: ParseFileRequest) -> None:
    """Have Lambda run ``parse_file`` soon. A refused request leaves a record that says so, a new run id
    provided."""
    config = Config(retries={"mode": "standard", "total_max_attempts": 5})
    try:
        aws.client("lambda", config).invoke(
            FunctionName=deployment.parse_file,
            Payload=msgspec.json.encode(request),
            InvocationType="Event",
        )
    except (BotoCoreError, ClientError) as error:
        raise RunError(f"Lambda cannot be asked to run {deployment.parse_file}: {error}") from error


def _answered(aws: Aws, deployment: Deployment, request: ParseFileRequest) -> bool:
    """Run ``parse_file`` for a run id that has a record already, and wait for its answer as long as it may
    take to refuse: a refusal leaves no trace in the record. Without an answer the run is at work."""
    config = Config(read_timeout=REFUSAL_TIMEOUT_S, retries={"total_max_attempts": 1})
    try:
        response = aws.client("lambda", config).invoke(
            FunctionName=deployment.parse_file, Payload=msgspec.json.encode(request)
        )
        answer = response["Payload"].read()
    except ReadTimeoutError:
        return False
    except (BotoCoreError, ClientError) as error:
        raise RunError(f"Lambda cannot be asked to run {deployment.parse_file}: {error}") from error
    if "FunctionError" in response:
        raise RunError(msgspec.json.decode(answer)["errorMessage"])
    return True


def _wait_until_begun(
    deployment: Deployment, table: ResultsTable, request: ParseFileRequest, found: RunRecord | None
) -> None:
    """Until the run has another record than ``found``: every invocation that begins is a new owner."""
    deadline = time.monotonic() + BEGIN_TIMEOUT_S
    while (record := _seen(table)) is None or (found and record.owner == found.owner):
        if time.monotonic() > deadline:
            raise RunError(
                f"Lambda has accepted the run {table.run_id}, but not begun it for {BEGIN_TIMEOUT_S:.0f} s: "
                "other work may use up the account's concurrency. Should it begin yet, this shows it: "
                f"python -m client show{_job_option(deployment)} {shell_word(table.run_id)}"
            )
        _pause()
    if (record.key, record.prefix) not in ((None, None), (request.key, request.prefix)):
        raise RunError(
            f"The run {table.run_id} is one of {record.name()}, which someone else has begun at the same "
            "time: choose another run id."
        )


def _table(aws: Aws, deployment: Deployment, run_id: str) -> ResultsTable:
    return ResultsTable(aws.table(deployment.table), run_id, job.load(deployment.job))


def _input_option(record: RunRecord) -> str:
    if record.key is None:
        return f"--prefix={shell_word(record.prefix or '')}"
    return f"--key={shell_word(record.key)}"


def _job_option(deployment: Deployment) -> str:
    return "" if deployment.job == DEFAULT_JOB else f" --job={deployment.job}"


def _seen(table: ResultsTable) -> RunRecord | None:
    return _watched(table, table.get_run)


def _watched(table: ResultsTable, look: Callable[[], T]) -> T:
    """What ``look`` gives, in spite of passing faults."""
    deadline = time.monotonic() + LOST_SIGHT_S
    while True:
        try:
            return look()
        except FanfoldError as error:
            if not isinstance(error, Transient) or time.monotonic() > deadline:
                raise RunError(f"The run {table.run_id} cannot be watched: {error}") from error
        _pause()


def _pause() -> None:
    SIGNALS.check()
    time.sleep(POLL_S)
