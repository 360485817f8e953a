"""The handle of a run: start, watch, read, cancel or resume it."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ReadTimeoutError

from fanfold.account.connection import Aws, explain, explain_code
from fanfold.account.deployment import Deployment
from fanfold.errors import RunError, UnreadableRun
from fanfold.job_code import as_given, load
from fanfold.jobs import client_job, records_of
from fanfold.runs.bad_objects import with_advice
from fanfold.runs.complete import CompleteSums, Row
from fanfold.runs.csv_export import as_csv
from fanfold.runs.progress import Progress, Show
from fanfold.runs.result import as_json, json_text
from fanfold.runs.stored import StoredObjects, read_stored
from fanfold.safe_text import shell_word
from fanfold.signals import SIGNALS
from lambda_src.aws.dynamodb import DynamoDbError
from lambda_src.errors import (
    BudgetExceeded,
    FanfoldError,
    InvalidRequest,
    RecordUnreadable,
    RunConflict,
    Transient,
    for_people,
)
from lambda_src.fields import DEFAULT_MAX_CONCURRENCY
from lambda_src.job import Job, names
from lambda_src.run.summary import summarize
from lambda_src.store.keys import manifest_key, results_of, trace_key
from lambda_src.store.results import ResultsTable, RunTable
from lambda_src.telemetry.calls import Trace
from lambda_src.wire.record import RunRecord, total_dollars
from lambda_src.wire.reports import Manifest, PartReport
from lambda_src.wire.requests import ParseFileRequest

T = TypeVar("T")

POLL_S = 0.5
BEGIN_TIMEOUT_S = 120.0
"""Seconds that Lambda may take to start an accepted run: it waits while the account's concurrency is used
up."""

REFUSAL_TIMEOUT_S = 10.0
"""Seconds that parse_file may take to refuse a request: it checks the request and the run's record first."""

TAKE_OVER_S = 60.0
"""Seconds that a run that was handed over may have no owner, until Lambda has started the next one."""

CLOCKS_DIFFER_S = 10.0
"""Seconds that this machine's clock may be ahead of that of the run's owner."""

LOST_SIGHT_S = 60.0
"""Seconds that the table may be unreachable. The run itself goes on."""


class Ended(NamedTuple):
    """A run that has succeeded: its record and its summary."""

    record: RunRecord
    summary: dict[str, Any]


def _ignore(_: Progress) -> None:
    pass


class Run:
    """One run, in the account and deployment that have it. Creating one sends no request.

    All methods raise RunError if the state of the run or its records do not allow them; the text says what to
    do.
    """

    def __init__(self, aws: Aws, deployment: Deployment, run_id: str, job: str | None = None) -> None:
        self.aws, self.deployment, self.run_id = aws, deployment, run_id
        self._job = job
        self._options: dict[str, Any] = {}

    def __repr__(self) -> str:
        return f"<Run {self.run_id}{f' of {self._job}' if self._job else ''}>"

    @property
    def job(self) -> str:
        """The name of its job, which its record has."""
        return self._job or self.record().job

    def load_job(self) -> Job:
        """Its job, with its options. Raises JobNotUsable if its code is not here, RunError if the job
        no longer has these options."""
        job = load(self.job)
        with legible(self.run_id):
            return job.with_options(self._options)

    @property
    def status(self) -> str:
        """RUNNING, SUCCEEDED, FAILED, CANCELLED or DIED, as it is now."""
        return status_of(self.record())

    def wait(self) -> "Run":
        """Wait until the run has ended. Raises RunError unless it has succeeded. Returns this run."""
        self.follow()
        return self

    @property
    def result(self) -> dict[str, Any]:
        """The result of a run that has succeeded, as ``fanfold results --json`` prints it. ``dollars`` is the
        cost in US dollars, ``seconds`` the duration of each stage; docs/jobs.md has the fields of jobs."""
        return as_json(self.job, self.read().summary, {})

    def rows(self, table: str | None = None) -> list[dict[str, Any]]:
        """The result as flat records, the same as in the CSV export: ``pandas.DataFrame(run.rows())``; or the
        rows of the ``table`` that a field of it holds."""
        with legible(self.run_id):
            if table is not None:
                return records_of(self.job, self.read().summary, table)
            columns, *rows = client_job(self.job).rows(self.read().summary)
            return [dict(zip(map(str, columns), row, strict=True)) for row in rows]

    def all_rows(self) -> Iterator[Row]:
        """Everything that a run with ``keep="all"`` counted, as rows of a part, a key and its counts by
        column, in the order of parts and of keys. They are read and verified as they are needed: memory is
        bounded. Raises RunError, also while rows are read."""
        complete = self.load_job().complete
        return self.complete_sums().rows(complete.columns if complete else ())

    def complete_sums(self) -> CompleteSums:
        """The same in chunks of rows as they are stored, which is faster."""
        record, parts = self.record_and_parts()
        if record.status != "SUCCEEDED":
            self.read()
        if not record.keep:
            raise RunError(
                f"The run {self.run_id} has kept no more than its result. To keep all, start one with --all."
            )
        objects = StoredObjects(self.aws, self.deployment.bucket, results_of(self.run_id))
        return CompleteSums(f"the run {self.run_id}", parts, objects.get)

    def report(self, path: str | Path) -> Path:
        """Write the report of a run that has ended, one HTML file, to ``path``. Raises ReportError,
        OSError."""
        file = Path(path)
        file.write_bytes(self.html())
        return file

    def html(self) -> bytes:
        """The report of a run that has ended, one HTML file in UTF-8. Raises ReportError."""
        from importlib.metadata import version  # noqa: PLC0415 - slow to import

        from fanfold.report.page import page  # noqa: PLC0415 - as above, with Jinja

        record, parts = self.record_and_parts()
        if record.status == "RUNNING" and not has_died(record):
            raise RunError(f"The run {self.run_id} has not ended. To wait for it: {self.command('watch')}")
        manifest = self._stored(manifest_key(self.run_id), Manifest)
        trace, trace_error = None, ""
        try:
            if trace := self._stored(trace_key(self.run_id), Trace):
                trace = Trace(trace.run_id, [*trace.calls, *record.last_calls])
        except RunError as error:  # the report is useful without a timeline, too
            trace_error = str(error)
        with legible(self.run_id):
            summary = summarize(self.load_job(), record, parts)
            has_result = record.status == "SUCCEEDED" and bool(parts)
            files = (
                {
                    "csv": as_csv(self.job, summary),
                    "json": json_text(as_json(self.job, summary, {})),
                }
                if has_result
                else {}
            )
            text = page(
                self.job,
                record,
                summary,
                trace,
                trace_error=trace_error,
                parts=parts,
                manifest=manifest,
                version=version("fanfold"),
                options=self.aws.options,
                is_local=self.aws.is_local,
                stack=self.deployment.stack,
                files=files,
                resume=self.command_to_resume(record),
                results=self.command("results"),
            )
        return text.encode()

    def resume(self, *, max_dollars: float | None = None) -> "Run":
        """Resume a run that failed, was cancelled or died; it does only what is missing. It may cost
        ``max_dollars`` US dollars in total, by default as many as before. Returns this run."""
        self.begin(self.request_to_resume(max_dollars))
        return self

    def cancel(self) -> RunRecord:
        """Ask the run to stop: after about half a second, it starts no more blocks. Returns its record."""
        if self.find() is None:
            raise RunError(self._not_found())
        try:
            self._records.request_cancel()
        except RunConflict:
            ended = self.find()
            status = f": {ended.status}" if ended else ""
            raise RunError(f"The run {self.run_id} has already ended{status}.") from None
        except RecordUnreadable as error:
            raise RunError(str(error)) from error
        except FanfoldError as error:
            raise RunError(f"The run {self.run_id} cannot be cancelled: {error}") from error
        return self.record()

    def begin(self, request: ParseFileRequest) -> None:
        """Have ``parse_file`` begin the run, or resume it.

        No connection stays open until the end: a connection that is idle for minutes may be lost.
        """
        found = self.find()
        if found is None:
            self._invoke(msgspec.structs.replace(request, must_be_new=True))
            self._wait_until_begun(request, None)
        elif not self._answered(request):
            self._wait_until_begun(request, found)

    def follow(self, show: Show = _ignore) -> Ended:
        """Watch the run until it has ended; returns its record and summary. ``show`` is called twice a
        second."""
        while True:
            record = self.record()
            parts = len(self.load_job().parts)
            parts_done = 0 if record.stage == "parse" else self._watched(self._results.count_parts)
            show(Progress(record, parts_done, parts))
            if record.status == "SUCCEEDED":
                return self._ended(record)
            if record.status != "RUNNING":
                skips = record.prefix is None or record.on_bad_object == "skip"
                why = for_people(record.error) if skips else with_advice(record.error)
                raise RunError(f"{why} (run {self.run_id})")
            if has_died(record):
                raise RunError(self._died())
            _pause()

    def read(self) -> Ended:
        """The record and summary of a run that has succeeded."""
        record = self.record()
        if has_died(record):
            raise RunError(self._died())
        if record.status == "RUNNING":
            raise RunError(
                f"The run {self.run_id} has no result yet. To wait for it: {self.command('watch')}"
            )
        if record.status != "SUCCEEDED":
            raise RunError(f"The run {self.run_id} has no result: {for_people(record.error)}")
        return self._ended(record)

    def find(self) -> RunRecord | None:
        """Its record, if the deployment has this run."""
        return self._watched(self._records.get_run)

    def record(self) -> RunRecord:
        """Its record."""
        record = self.find()
        if record is None:
            raise RunError(self._not_found())
        self._job, self._options = self._job or record.job, record.options
        return record

    def record_and_parts(self) -> tuple[RunRecord, list[PartReport]]:
        """Its record and the results of its parts."""
        return self.record(), self._watched(self._results.get_parts)

    def exists(self) -> bool:
        """Whether the deployment has this run, even if its record is unreadable."""
        return self._watched(self._records.has_run)

    def request_to_resume(self, max_dollars: float | None = None) -> ParseFileRequest:
        """The request that the run began with, to be sent again, with ``max_dollars`` as its new limit."""
        record = self.record()
        if record.status == "SUCCEEDED":
            raise RunError(f"The run {self.run_id} has finished. Its result: {self.command('results')}")
        if record.status == "RUNNING" and not (record.released or record.lease_until < time.time()):
            raise RunError(f"The run {self.run_id} is still running. To watch it: {self.command('watch')}")
        if not record.etag:
            raise RunError(
                f"The run {self.run_id} never began, so there is nothing to resume: "
                f"{for_people(record.error)} Start a new run."
            )
        return ParseFileRequest(
            job=record.job,
            key=record.key,
            prefix=record.prefix,
            run_id=self.run_id,
            include_hidden=record.include_hidden or None,
            on_bad_object=record.on_bad_object if record.on_bad_object == "skip" else None,
            max_concurrency=record.max_concurrency or DEFAULT_MAX_CONCURRENCY,
            max_dollars=max_dollars,
        )

    def give_up(self, found: RunRecord) -> None:
        """End the lease of a run whose owner is gone, so that it can be resumed at once; unless its record is
        no longer ``found``."""
        try:
            with suppress(RunConflict):  # or it was resumed just now
                self._records.end_lease(found)
        except FanfoldError as error:
            raise RunError(f"The run {self.run_id} cannot be given up: {error}") from error

    def command(self, name: str) -> str:
        """The command ``name`` for this run, as it can be pasted."""
        job = self.deployment.own or self._job
        # Else the run is found by its id, and the job is part of Fanfold.
        named = f" --job={as_given(job)}" if job and (self.deployment.own or job not in names()) else ""
        return f"fanfold {name}{self.aws.options}{named} {shell_word(self.run_id)}"

    def command_to_resume(self, record: RunRecord) -> str:
        """The command that resumes it. One that has reached its limit of dollars gets twice as much."""
        again = self.command("resume")
        if record.max_dollars and record.failed_with(BudgetExceeded):
            again += f" --max-dollars={_double(max(record.max_dollars, total_dollars(record)))}"
        return again

    @cached_property
    def _records(self) -> RunTable:
        return RunTable(self.aws.table(self.deployment.table), self.run_id, self.deployment.jobs[0])

    @cached_property
    def _results(self) -> ResultsTable:
        return ResultsTable(self.aws.table(self.deployment.table), self.run_id, self.load_job())

    def _stored(self, key: str, kind: type[T]) -> T | None:
        return read_stored(self.aws, self.deployment.bucket, key, kind)

    def _invoke(self, request: ParseFileRequest) -> None:
        """Have Lambda run ``parse_file`` soon. If it refuses the request, the record of a new run says so."""
        config = Config(retries={"mode": "standard", "total_max_attempts": 5})
        function = self.deployment.parse_file
        try:
            self.aws.client("lambda", config).invoke(
                FunctionName=function, Payload=msgspec.json.encode(request), InvocationType="Event"
            )
        except (BotoCoreError, ClientError) as error:
            raise RunError(f"The function {function} cannot be invoked: {explain(error)}") from error

    def _answered(self, request: ParseFileRequest) -> bool:
        """Run ``parse_file`` for a run id that has a record already, and wait as long as a refusal may take:
        it would not show in the record. False: there is no answer yet, so the run is running."""
        config = Config(read_timeout=REFUSAL_TIMEOUT_S, retries={"total_max_attempts": 1})
        function = self.deployment.parse_file
        try:
            response = self.aws.client("lambda", config).invoke(
                FunctionName=function, Payload=msgspec.json.encode(request)
            )
            answer = response["Payload"].read()
        except ReadTimeoutError:
            return False
        except (BotoCoreError, ClientError) as error:
            raise RunError(f"The function {function} cannot be invoked: {explain(error)}") from error
        if "FunctionError" in response:
            raise RunError(for_people(msgspec.json.decode(answer)["errorMessage"]))
        return True

    def _wait_until_begun(self, request: ParseFileRequest, found: RunRecord | None) -> None:
        """Wait until the record has another owner than ``found``: every invocation that begins becomes the
        owner."""
        deadline = time.monotonic() + BEGIN_TIMEOUT_S
        while (record := self.find()) is None or (found and record.owner == found.owner):
            if time.monotonic() > deadline:
                raise RunError(
                    f"Lambda accepted the run {self.run_id}, but has not started it within "
                    f"{BEGIN_TIMEOUT_S:.0f} s: other work may be using up the account's concurrency. If it "
                    f"starts later, watch it with: {self.command('watch')}"
                )
            _pause()
        if (record.key, record.prefix) not in ((None, None), (request.key, request.prefix)):
            raise RunError(
                f"Someone else has just started the run {self.run_id}, of {record.name()}: choose another "
                "run id."
            )

    def _ended(self, record: RunRecord) -> Ended:
        deployed = self.load_job()
        parts = self._watched(self._results.get_parts)
        if len(parts) != len(deployed.parts):
            raise RunError(
                f"The table holds {len(parts)} of {len(deployed.parts)} {deployed.part}s of the run "
                f"{self.run_id}."
            )
        with legible(self.run_id):
            return Ended(record, summarize(deployed, record, parts))

    def _died(self) -> str:
        return (
            f"The run {self.run_id} has died: no Lambda works on it any more. To resume it: "
            f"{self.command('resume')}"
        )

    def _not_found(self) -> str:
        return f"There is no run {self.run_id} in the table {self.deployment.table}."

    def _watched(self, look: Callable[[], T]) -> T:
        """The result of ``look``, which is repeated after temporary errors."""
        deadline = time.monotonic() + LOST_SIGHT_S
        while True:
            try:
                return look()
            except RecordUnreadable as error:
                raise UnreadableRun(str(error)) from error
            except FanfoldError as error:
                if isinstance(error, Transient) and (stopped := self.aws.stopped()):
                    text = f"The run {self.run_id} has stopped. {stopped.text}"
                    if stopped.data_kept:
                        again = f"fanfold resume{self.aws.options} {shell_word(self.run_id)}"
                        text += f" To resume the run: fanfold up, then {again}"
                    raise RunError(text) from error
                if not isinstance(error, Transient) or time.monotonic() > deadline:
                    code = error.__cause__.code if isinstance(error.__cause__, DynamoDbError) else ""
                    reason = explain_code(code) or error
                    raise RunError(f"The run {self.run_id} cannot be watched: {reason}") from error
            _pause()


def start(aws: Aws, deployment: Deployment, request: ParseFileRequest) -> Run:
    """Begin the run that ``request`` describes, or resume it. Raises RunError."""
    assert request.run_id, "the run is followed by its id"
    run = Run(aws, deployment, request.run_id, request.job)
    run.begin(request)
    return run


def find_run(aws: Aws, deployments: Sequence[Deployment], run_id: str, job: str | None = None) -> Run:
    """The run of that id, and of ``job`` if that is given. Raises RunError if none of ``deployments`` has it,
    or more than one."""
    runs = [Run(aws, deployment, run_id) for deployment in deployments]
    found = [run for run in runs if run.exists()]
    if job:  # the last one, if need be: a job's own stack comes after that of all jobs
        found = [run for run in found if run.job == job][-1:]
    if len(found) == 1:
        return found[0]
    if found:
        jobs = " and of ".join(run.job for run in found)
        options = " or ".join(f"--job={run.job}" for run in found)
        raise RunError(f"There are runs {run_id} of {jobs}. Say which: {options}.")
    stacks = " or ".join(deployment.stack for deployment in deployments)
    of_job = f" of the job {job}" if job else ""
    raise RunError(
        f"There is no run {run_id}{of_job} in {stacks}. To list the runs: fanfold runs{aws.options}"
    )


def has_died(record: RunRecord) -> bool:
    """Whether a run is RUNNING by its record, but no Lambda is working on it any more."""
    late_s = TAKE_OVER_S if record.released else CLOCKS_DIFFER_S
    return record.status == "RUNNING" and record.lease_until < time.time() - late_s


def status_of(record: RunRecord) -> str:
    """Its status; DIED if its owner died before it could record an end."""
    return "DIED" if has_died(record) else record.status


@contextmanager
def legible(run_id: str) -> Iterator[None]:
    """Turns failures of a job's code on stored data, which has no schema, into RunError."""
    try:
        yield
    except (ArithmeticError, AttributeError, InvalidRequest, LookupError, TypeError, ValueError) as error:
        raise RunError(
            f"The result of the run {run_id} cannot be shown ({error}): the stored result is damaged, or "
            "another version of Fanfold wrote it."
        ) from error


def _double(dollars: float) -> str:
    """Twice ``dollars``, as the option takes it: to two digits, without an exponent.

    >>> _double(0.01), _double(0.0000361)
    ('0.020', '0.000072')
    """
    return f"{Decimal(f'{2 * dollars:.1e}'):f}"


def _pause() -> None:
    SIGNALS.check()
    time.sleep(POLL_S)
