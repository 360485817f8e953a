"""One run, from the client: start, watch, read, cancel or resume it."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple, TypeVar

import msgspec
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ReadTimeoutError

from fanfold.account.connection import Aws, explain, explain_code, paying
from fanfold.account.deployment import Deployment
from fanfold.errors import ExpectedError
from fanfold.estimate.contents import Contents, contents_in_s3, with_key_of
from fanfold.estimate.workload import Workload
from fanfold.local_aws.signals import SIGNALS
from fanfold.runs.source import S3, Object, Objects, check_in_s3
from fanfold.safe_text import shell_word
from lambda_src import job
from lambda_src.aws.dynamodb import DynamoDbError
from lambda_src.errors import FanfoldError, RecordUnreadable, RunConflict, Transient, for_people
from lambda_src.fields import DEFAULT_MAX_CONCURRENCY, RunId
from lambda_src.run.summary import summarize
from lambda_src.settings import DEFAULT_JOB
from lambda_src.store.keys import INPUT_PREFIX
from lambda_src.store.results import ResultsTable
from lambda_src.wire.record import RunRecord
from lambda_src.wire.reports import PartReport
from lambda_src.wire.requests import ParseFileRequest

T = TypeVar("T")

POLL_S = 0.5
BEGIN_TIMEOUT_S = 120.0
"""How long Lambda may take to begin what it has accepted: it waits while the account has no room."""

REFUSAL_TIMEOUT_S = 10.0
"""How long parse_file may take to refuse: it looks at the request and the run's record first."""

TAKE_OVER_S = 60.0
"""A run that was handed over has no owner until Lambda has started the next one."""

CLOCKS_DIFFER_S = 10.0
"""This machine's clock may be ahead of that of the run's owner."""

LOST_SIGHT_S = 60.0
"""How long the table may be out of reach: the run goes on without being watched."""


class RunError(ExpectedError):
    """The run failed, or cannot be seen; the text is one sentence for the person."""


class UnreadableRun(RunError):
    """The record or a result of the run is damaged, or a newer version wrote it."""


class Progress(NamedTuple):
    """How far a run is: its record, and how many of its parts are reduced."""

    record: RunRecord
    parts_done: int
    parts: int


class Ended(NamedTuple):
    """A run that has succeeded: its record, and the summary that is its answer."""

    record: RunRecord
    summary: dict[str, Any]


Show = Callable[[Progress], None]


def run(aws: Aws, deployment: Deployment, request: ParseFileRequest, show: Show) -> Ended:
    """Have ``parse_file`` do the run, and watch the run's record until it has ended. Raises RunError."""
    begin(aws, deployment, request)
    assert request.run_id, "begun under it"
    return follow(aws, deployment, request.run_id, show)


def checked(aws: Aws, deployment: Deployment, source: Object | Objects) -> Object | Objects:
    """``source``, if it is there and ``deployment`` reads it. Raises RunError, SourceError."""
    if source.bucket != deployment.source_bucket:
        raise RunError(
            f"This deployment reads from the bucket {deployment.source_bucket}, not from {source.bucket}. "
            "Name a local file to upload it, or deploy again to read from that bucket: "
            f'make deploy CONTEXT="job={deployment.job} source_bucket={source.bucket}"'
        )
    name = source.key if isinstance(source, Object) else source.prefix
    if source.bucket == deployment.bucket and not name.startswith(INPUT_PREFIX):
        raise RunError(
            f"In this bucket only {INPUT_PREFIX} holds inputs: name a key under "
            f"{S3}{source.bucket}/{INPUT_PREFIX}, or write that to read all of them."
        )
    try:
        check_in_s3(_reader(aws, source, deployment), source)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("AccessDenied", "403"):
            raise RunError(f"{S3}{source.bucket} cannot be read: {explain(error)}") from error
        # The deployment may see what this person may not.
    except BotoCoreError as error:
        raise RunError(f"{S3}{source.bucket} cannot be read: {explain(error)}") from error
    return source


def contents(aws: Aws, source: Object | Objects, deployment: Deployment | None) -> Contents:
    """What ``source`` is made of, for a run of ``deployment``, if there is one. Raises RunError,
    SourceError."""
    try:
        return contents_in_s3(_reader(aws, source, deployment), source)
    except (BotoCoreError, ClientError) as error:
        raise RunError(f"{S3}{source.bucket} cannot be read: {explain(error)}") from error


def _reader(aws: Aws, source: Object | Objects, deployment: Deployment | None) -> Any:
    """A client that pays for reads of ``source`` if ``deployment`` does."""
    client = aws.client("s3")
    if deployment and deployment.requester_pays == "on" and deployment.source_bucket == source.bucket:
        return paying(client)
    return client


def with_key(aws: Aws, deployment: Deployment, workload: Workload) -> Workload:
    """``workload`` with what the key of the deployment's bucket takes, if it has one. Raises RunError."""
    try:
        return with_key_of(workload, aws.client("s3"), deployment.bucket)
    except (BotoCoreError, ClientError) as error:
        raise RunError(
            f"The encryption of {S3}{deployment.bucket} cannot be read: {explain(error)}"
        ) from error


def begin(aws: Aws, deployment: Deployment, request: ParseFileRequest) -> None:
    """Have ``parse_file`` begin the run, or go on with it. Raises RunError.

    No connection waits for the end: one that is idle for minutes gets lost.
    """
    assert request.run_id, "the run id is how the run is watched"
    table = _table(aws, deployment, request.run_id)
    found = _seen(aws, table)
    if found is None:
        _invoke(aws, deployment, msgspec.structs.replace(request, must_be_new=True))
        _wait_until_begun(aws, deployment, table, request, None)
    elif not _answered(aws, deployment, request):
        _wait_until_begun(aws, deployment, table, request, found)


def follow(aws: Aws, deployment: Deployment, run_id: str, show: Show) -> Ended:
    """Watch a run until it has ended and give its result. Raises RunError."""
    deployed = job.load(deployment.job)
    table = _table(aws, deployment, run_id)
    while True:
        record = _seen(aws, table)
        if record is None:
            raise RunError(_no_run(deployment, run_id))
        parts_done = 0 if record.stage == "parse" else _watched(aws, table, table.count_parts)
        show(Progress(record, parts_done, len(deployed.parts)))
        if record.status == "SUCCEEDED":
            return _ended(aws, deployment, table, record)
        if record.status != "RUNNING":
            raise RunError(f"{for_people(record.error)} (run {run_id})")
        if has_died(record):
            raise RunError(_died(aws, deployment, run_id))
        _pause()


def read(aws: Aws, deployment: Deployment, run_id: str) -> Ended:
    """The result of a run that has succeeded. Raises RunError for any other."""
    table = _table(aws, deployment, run_id)
    record = _seen(aws, table)
    if record is None:
        raise RunError(_no_run(deployment, run_id))
    if has_died(record):
        raise RunError(_died(aws, deployment, run_id))
    if record.status == "RUNNING":
        raise RunError(
            f"The run {run_id} has no result yet. To wait for it: {command('watch', aws, deployment, run_id)}"
        )
    if record.status != "SUCCEEDED":
        raise RunError(f"The run {run_id} has no result: {for_people(record.error)}")
    return _ended(aws, deployment, table, record)


def record_and_parts(aws: Aws, deployment: Deployment, run_id: str) -> tuple[RunRecord, list[PartReport]]:
    """All that the table holds of a run. Raises RunError."""
    table = _table(aws, deployment, run_id)
    record = _seen(aws, table)
    if record is None:
        raise RunError(_no_run(deployment, run_id))
    return record, _watched(aws, table, table.get_parts)


def find(aws: Aws, deployment: Deployment, run_id: str) -> RunRecord | None:
    """The record of the run, if it is one of this deployment. Raises RunError."""
    return _seen(aws, _table(aws, deployment, run_id))


def deployment_of(aws: Aws, deployments: Sequence[Deployment], run_id: str) -> Deployment:
    """That among ``deployments`` which has the run. Raises RunError if none has, or more than one."""
    found = [deployment for deployment in deployments if has(aws, deployment, run_id)]
    if len(found) == 1:
        return found[0]
    if found:
        names = " and of ".join(deployment.job for deployment in found)
        options = " or ".join(f"--job={deployment.job}" for deployment in found)
        raise RunError(f"There are runs {run_id} of {names}. Say which: {options}.")
    jobs = " or ".join(deployment.job for deployment in deployments)
    raise RunError(f"There is no run {run_id} of {jobs}. To list the runs: fanfold runs{aws.options}")


def has(aws: Aws, deployment: Deployment, run_id: str) -> bool:
    """Whether the run is one of the deployment, be its record readable or not."""
    table = _table(aws, deployment, run_id)
    return _watched(aws, table, table.has_run)


def request_to_resume(aws: Aws, deployment: Deployment, run_id: str) -> ParseFileRequest:
    """What was asked for when the run began, to be asked for again. Raises RunError where there is nothing to
    go on with."""
    record = find(aws, deployment, run_id)
    if record is None:
        raise RunError(_no_run(deployment, run_id))
    if record.status == "SUCCEEDED":
        raise RunError(
            f"The run {run_id} has finished. Its result: {command('results', aws, deployment, run_id)}"
        )
    if record.status == "RUNNING" and not (record.released or record.lease_until < time.time()):
        raise RunError(
            f"The run {run_id} is still running. To watch it: {command('watch', aws, deployment, run_id)}"
        )
    if not record.etag:
        raise RunError(
            f"The run {run_id} never began, so there is nothing to resume: {for_people(record.error)} "
            "Start a new run."
        )
    return ParseFileRequest(
        key=record.key,
        prefix=record.prefix,
        run_id=run_id,
        include_hidden=record.include_hidden or None,
        on_bad_object=record.on_bad_object if record.on_bad_object == "skip" else None,
        max_concurrency=record.max_concurrency or DEFAULT_MAX_CONCURRENCY,
    )


def give_up(aws: Aws, deployment: Deployment, found: RunRecord) -> None:
    """End the lease of a run whose owner is known to be gone, as it was read: so it need not run out before
    the run is resumed. Raises RunError."""
    try:
        with suppress(RunConflict):  # or it was resumed just now
            _table(aws, deployment, found.run_id).end_lease(found)
    except FanfoldError as error:
        raise RunError(f"The run {found.run_id} cannot be given up: {error}") from error


def is_run_id(text: str) -> bool:
    """Whether a run can be called so.

    >>> is_run_id("wiki-2026.11_b"), is_run_id("a/b"), is_run_id("")
    (True, False, False)
    """
    try:
        msgspec.convert(text, RunId)
    except msgspec.ValidationError:
        return False
    return True


def has_died(record: RunRecord) -> bool:
    """Whether a run that is called RUNNING has nobody who works on it, nor will have unless resumed."""
    late_s = TAKE_OVER_S if record.released else CLOCKS_DIFFER_S
    return record.status == "RUNNING" and record.lease_until < time.time() - late_s


def cancel(aws: Aws, deployment: Deployment, run_id: str) -> RunRecord:
    """Ask a run to stop: it starts no more blocks after about half a second. Gives the record as it then is.

    Raises RunError.
    """
    table = _table(aws, deployment, run_id)
    if _seen(aws, table) is None:
        raise RunError(_no_run(deployment, run_id))
    try:
        table.request_cancel()
    except RunConflict:
        ended = _seen(aws, table)
        status = f": {ended.status}" if ended else ""
        raise RunError(f"The run {run_id} has already ended{status}.") from None
    except RecordUnreadable as error:
        raise RunError(str(error)) from error
    except FanfoldError as error:
        raise RunError(f"The run {run_id} cannot be cancelled: {error}") from error
    record = _seen(aws, table)
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
        raise RunError(f"The function {deployment.parse_file} cannot be invoked: {explain(error)}") from error


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
        raise RunError(f"The function {deployment.parse_file} cannot be invoked: {explain(error)}") from error
    if "FunctionError" in response:
        raise RunError(for_people(msgspec.json.decode(answer)["errorMessage"]))
    return True


def _wait_until_begun(
    aws: Aws,
    deployment: Deployment,
    table: ResultsTable,
    request: ParseFileRequest,
    found: RunRecord | None,
) -> None:
    """Until the run has another record than ``found``: every invocation that begins is a new owner."""
    deadline = time.monotonic() + BEGIN_TIMEOUT_S
    while (record := _seen(aws, table)) is None or (found and record.owner == found.owner):
        if time.monotonic() > deadline:
            raise RunError(
                f"Lambda accepted the run {table.run_id}, but has not started it within "
                f"{BEGIN_TIMEOUT_S:.0f} s: other work may be using up the account's concurrency. If it "
                f"starts later, watch it with: {command('watch', aws, deployment, table.run_id)}"
            )
        _pause()
    if (record.key, record.prefix) not in ((None, None), (request.key, request.prefix)):
        raise RunError(
            f"Someone else has just started the run {table.run_id}, of {record.name()}: choose another run "
            "id."
        )


def _table(aws: Aws, deployment: Deployment, run_id: str) -> ResultsTable:
    return ResultsTable(aws.table(deployment.table), run_id, job.load(deployment.job))


def _ended(aws: Aws, deployment: Deployment, table: ResultsTable, record: RunRecord) -> Ended:
    deployed = job.load(deployment.job)
    parts = _watched(aws, table, table.get_parts)
    if len(parts) != len(deployed.parts):
        raise RunError(
            f"The table holds {len(parts)} of {len(deployed.parts)} {deployed.part}s of the run "
            f"{record.run_id}."
        )
    with legible(record.run_id):
        return Ended(record, summarize(deployed, record, parts))


@contextmanager
def legible(run_id: str) -> Iterator[None]:
    """For a job's own code on what is stored of a run, which has no schema: whatever fails is a RunError."""
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise RunError(
            f"The result of the run {run_id} cannot be shown ({error}): what is stored of it is damaged, or "
            "another version of Fanfold wrote it."
        ) from error


def _died(aws: Aws, deployment: Deployment, run_id: str) -> str:
    return (
        f"The run {run_id} has died: no Lambda works on it any more. To resume it: "
        f"{command('resume', aws, deployment, run_id)}"
    )


def _no_run(deployment: Deployment, run_id: str) -> str:
    return f"There is no run {run_id} in the table {deployment.table}."


def command(name: str, aws: Aws, deployment: Deployment, run_id: str) -> str:
    """How the command line is told of the run."""
    return f"fanfold {name}{aws.options}{job_option(deployment.job)} {shell_word(run_id)}"


def job_option(name: str) -> str:
    """The option that names the job, where it is not the default one."""
    return "" if name == DEFAULT_JOB else f" --job={name}"


def _seen(aws: Aws, table: ResultsTable) -> RunRecord | None:
    return _watched(aws, table, table.get_run)


def _watched(aws: Aws, table: ResultsTable, look: Callable[[], T]) -> T:
    """What ``look`` gives, in spite of passing faults."""
    deadline = time.monotonic() + LOST_SIGHT_S
    while True:
        try:
            return look()
        except RecordUnreadable as error:
            raise UnreadableRun(str(error)) from error
        except FanfoldError as error:
            if isinstance(error, Transient) and (stopped := aws.stopped()):
                text = f"The run {table.run_id} has stopped. {stopped.text}"
                if stopped.data_kept:
                    again = f"fanfold resume{aws.options} {shell_word(table.run_id)}"
                    text += f" To resume the run: fanfold up, then {again}"
                raise RunError(text) from error
            if not isinstance(error, Transient) or time.monotonic() > deadline:
                code = error.__cause__.code if isinstance(error.__cause__, DynamoDbError) else ""
                reason = explain_code(code) or error
                raise RunError(f"The run {table.run_id} cannot be watched: {reason}") from error
        _pause()


def _pause() -> None:
    SIGNALS.check()
    time.sleep(POLL_S)
