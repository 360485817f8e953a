"""The entry point: runs a job on one input and returns its summary."""

import os
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, TypeGuard

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from obstore.store import S3Store

from lambda_src import job
from lambda_src.aws import source
from lambda_src.aws.dynamodb import open_table
from lambda_src.aws.functions import Invocation, Invocations, open_functions
from lambda_src.aws.s3 import check_key, open_bucket
from lambda_src.errors import (
    BlobDamaged,
    CodeChanged,
    FanfoldError,
    InvalidRequest,
    MemoryExceeded,
    RunConflict,
)
from lambda_src.fan_out.drivers import Driver
from lambda_src.fields import Function, JobName, RunId
from lambda_src.input.addresses import Listing
from lambda_src.job import Job, Measured
from lambda_src.run import metrics, reuse
from lambda_src.run.admission import answer_unclaimed, check_plan, job_of_run, of_options
from lambda_src.run.map_block import find_report, how_to_get_smaller_blocks
from lambda_src.run.orchestrator import execute
from lambda_src.run.ports import Ports
from lambda_src.settings import (
    GET_ALL_OCCURRENCES_TIMEOUT_S,
    GET_OCCURRENCES_TIMEOUT_S,
    LOG_RESULTS_TIMEOUT_S,
    PARSE_BLOCK_TIMEOUT_S,
    ParseFileSettings,
    from_environment,
)
from lambda_src.store.blobs import BlobStore
from lambda_src.store.keys import INPUT_PREFIX, family_key, variant
from lambda_src.store.results import ResultsTable, RunTable
from lambda_src.telemetry import meter
from lambda_src.telemetry.calls import Trace, Usage
from lambda_src.telemetry.log import log
from lambda_src.telemetry.meter import metered
from lambda_src.wire.codec import decode_event, decode_request, encode
from lambda_src.wire.family import Family
from lambda_src.wire.record import RunRecord
from lambda_src.wire.reports import (
    REDUCED,
    AllPartsReport,
    BlockReport,
    LogResultsReport,
    Warmed,
)
from lambda_src.wire.requests import (
    GetAllOccurrencesRequest,
    GetOccurrencesRequest,
    HandOverRequest,
    LogResultsRequest,
    ParseBlockRequest,
    ParseFileRequest,
    Pinned,
    WarmRequest,
    new_run_id,
)
from lambda_src.wire.source import Source
from lambda_src.wire.starts import started_by

TIMEOUTS_S: Mapping[str, int] = {
    "parse_block": PARSE_BLOCK_TIMEOUT_S,
    "get_all_occurrences": GET_ALL_OCCURRENCES_TIMEOUT_S,
    "get_occurrences": GET_OCCURRENCES_TIMEOUT_S,
    "log_results": LOG_RESULTS_TIMEOUT_S,
}
"""The time-outs of the functions that it calls."""


@metered
def handler(event: object, context: Any) -> Mapping[str, Any]:
    """Returns the run's summary. Raises on any failure, so that Lambda counts the invocation as failed.

    A start by another service that comes late or twice changes nothing, and is answered with the state of its
    run."""
    ends_at = time.monotonic() + context.get_remaining_time_in_millis() / 1000
    started = started_by(event)
    event = event if started is None else started
    settings = from_environment(ParseFileSettings, os.environ)
    run_id = _run_id(event)
    table = open_table(settings.table, settings.url_suffix)
    try:
        request, deployed = _request(event, RunTable(table, run_id, settings.jobs[0]), settings)
        results = ResultsTable(table, run_id, deployed, settings.jobs[0])
        ports = _ports(deployed, str(request.job), results, settings, ends_at)
        try:
            return execute(deployed, run_id, settings.source_bucket, request, ports)
        except RunConflict:
            if not started:
                raise
            return answer_unclaimed(deployed, run_id, results)
    except FanfoldError as error:
        log("failed", run_id=run_id, error=type(error).__name__, message=str(error))
        raise type(error)(f"{error} (run {run_id})") from None


def _run_id(event: object) -> str:
    """The event's run id if it is valid, else a new one. The record of a refused request has it too."""
    try:
        return msgspec.convert(event["run_id"], RunId)  # type: ignore[index]
    except (TypeError, KeyError, msgspec.ValidationError):
        return new_run_id()


def _request(event: object, run: RunTable, settings: ParseFileSettings) -> tuple[ParseFileRequest, Job]:
    """The event as a request that names its job, and that job. A refused request leaves a failed record,
    unless its run id has a record already. A refused hand-over ends its run: a deployment since then has
    changed the code."""
    try:
        request = _decoded(event, settings)
        name = request.job or job_of_run(request, run) or settings.jobs[0]
        deployed = job.load_deployed(name, settings.jobs)
        _check_options(request, run, deployed)
        deployed = of_options(deployed, request, run)
        check_plan(deployed, request)
        return replace(request, job=name), deployed
    except (InvalidRequest, CodeChanged) as error:
        if _is_hand_over(event):
            run.end_released_run(str(event["handed_over_by"]), error)
        else:
            record = RunRecord(run_id=run.run_id, job=_named_job(event), started_at=time.time())
            record.fail(error)
            run.put_new_run(record)
        raise


def _named_job(event: object) -> str:
    """The job that a refused event names, if that can be a name."""
    try:
        return msgspec.convert(event["job"], JobName)  # type: ignore[index]
    except (TypeError, KeyError, msgspec.ValidationError):
        return ""


def _is_hand_over(event: object) -> TypeGuard[Mapping[str, object]]:
    return isinstance(event, Mapping) and "handed_over_by" in event


def _decoded(event: object, settings: ParseFileSettings) -> ParseFileRequest:
    request = (
        decode_request(event, HandOverRequest)
        if _is_hand_over(event)
        else decode_event(event, ParseFileRequest)
    )
    readable = settings.source_bucket
    if request.bucket not in (None, readable):
        raise InvalidRequest(
            f"bucket: this deployment reads from {readable} only, not from {request.bucket}; "
            f"to change that, deploy with -c source_bucket={request.bucket}."
        )
    if (request.key is None) == (request.prefix is None):
        raise InvalidRequest("key, prefix: name one of them, the object to read or what the keys begin with.")
    field, name = ("prefix", request.prefix) if request.key is None else ("key", request.key)
    if readable == settings.bucket and not str(name).startswith(INPUT_PREFIX):
        raise InvalidRequest(
            f"{field}: the inputs in {readable} begin with {INPUT_PREFIX}, {name!r} does not."
        )
    if request.key is not None:
        check_key(request.key)
    return request


def _check_options(request: ParseFileRequest, run: RunTable, deployed: Job) -> None:
    """Raise InvalidRequest unless the options are the job's. A run that is resumed has its options, also
    those that the job requires."""
    try:
        deployed.read_options(request.options or {})
    except InvalidRequest:
        if request.options is not None or not run.has_run():
            raise


class _Invocation:
    """Implements ``ports.Invocation``."""

    def __init__(self, settings: ParseFileSettings, ends_at: float) -> None:
        self._settings, self._ends_at = settings, ends_at

    def remaining_s(self) -> float:
        return self._ends_at - time.monotonic()

    def usage(self) -> Usage:
        return meter.usage()

    def publish(self, record: RunRecord) -> None:
        if self._settings.metrics == "on":
            log("run_ended", **metrics.of_run(self._settings.stack, record))


class _Inputs:
    """Implements ``ports.Inputs``."""

    def __init__(
        self, deployed: Job, objects: S3Store, settings: ParseFileSettings, remaining_s: Callable[[], float]
    ) -> None:
        self._deployed, self._objects, self._remaining_s = deployed, objects, remaining_s
        self._requester_pays = settings.requester_pays == "on"

    def pin(self, record: RunRecord) -> Pinned:
        if record.key is not None:
            # In a versioned bucket, a resumed run goes on with the version that it began with.
            return Pinned(*source.pin(self._objects, record.bucket, record.key, record.version_id or None))
        # Uses boto3: only a run of a prefix should pay for its import.
        from lambda_src.aws.listing import open_client, pin_prefix  # noqa: PLC0415

        return pin_prefix(
            open_client(),
            record.bucket,
            record.prefix or "",
            include_hidden=record.include_hidden,
            skip_bad=record.on_bad_object == "skip",
            requester_pays=self._requester_pays,
        )

    def measure(self, pinned: Source, listing: Listing) -> Measured:
        return self._deployed.measure(
            source.input_of(self._objects, pinned, listing.addresses, self._remaining_s)
        )


class _Functions:
    """Implements ``ports.Functions``, for a run of the job ``name``."""

    def __init__(self, name: str, settings: ParseFileSettings) -> None:
        self._name, self._settings = name, settings
        self._functions = open_functions(settings.url_suffix)

    @property
    def parse_block(self) -> Driver[ParseBlockRequest]:
        return Invocations(
            self._functions, partial(self._invocation, "parse_block"), BlockReport, explain=_explained
        )

    @property
    def get_all_occurrences(self) -> Driver[GetAllOccurrencesRequest]:
        return self._driver("get_all_occurrences", AllPartsReport)

    @property
    def get_occurrences(self) -> Driver[GetOccurrencesRequest]:
        return self._driver("get_occurrences", REDUCED)

    @property
    def log_results(self) -> Driver[LogResultsRequest]:
        return self._driver("log_results", LogResultsReport)

    @property
    def warm(self) -> Driver[Function]:
        request = WarmRequest(self._name)
        return Invocations(self._functions, lambda name: self._invocation(name, request), Warmed)

    @property
    def hand_over(self) -> Driver[HandOverRequest]:
        own = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        return Invocations(self._functions, lambda request: Invocation(own, request, 0.0), None)

    def _driver(self, function: Function, answer: type[Struct]) -> Driver[Any]:
        return Invocations(self._functions, partial(self._invocation, function), answer)

    def _invocation(self, function: Function, request: Struct) -> Invocation:
        return Invocation(getattr(self._settings, f"{function}_function"), request, TIMEOUTS_S[function])


def _explained(request: ParseBlockRequest, error: FanfoldError) -> FanfoldError:
    if not isinstance(error, MemoryExceeded):
        return error
    told = MemoryExceeded(f"{error} {how_to_get_smaller_blocks(request.portion)}")
    told.request_id = error.request_id
    return told


class _Blobs:
    """Implements ``ports.Blobs``."""

    def __init__(
        self, deployed: Job, blobs: BlobStore, settings: ParseFileSettings, remaining_s: Callable[[], float]
    ) -> None:
        self._deployed, self._blobs, self._remaining_s = deployed, blobs, remaining_s
        self._keep_days = settings.keep_intermediates_days

    def put_listing(self, listing: bytes) -> None:
        self._blobs.put_listing(listing)

    def find_report(self, request: ParseBlockRequest, check_lines: bool) -> BlockReport | None:
        return find_report(self._deployed, request, self._blobs, check_lines=check_lines)

    def get_family(self, days: int, name: str) -> Family | None:
        key = family_key(days, name)
        stored = self._blobs.get_family(key)
        family = reuse.unpacked(stored)
        if stored and not family:
            log("family_not_used", key=key, message="It is damaged: all blocks are mapped again.")
        return family

    def put_family(self, days: int, name: str, family: Family) -> None:
        self._blobs.put_family(family_key(days, name), reuse.packed(family))

    def put_manifest(self, manifest: bytes) -> None:
        self._blobs.put_manifest(manifest)

    def get_trace(self) -> Trace | None:
        stored = self._blobs.get_trace()
        try:
            return msgspec.json.decode(stored, type=Trace) if stored else None
        except (ValueError, RecursionError) as error:  # not UTF-8, not JSON, or not a trace
            raise BlobDamaged(f"The trace of the run is damaged: {error}.") from error

    def put_trace(self, trace: Trace) -> None:
        self._blobs.put_trace(encode(trace))

    def delete(self, reports: Iterable[BlockReport]) -> None:
        """Includes the blobs that were stored before an object was left out, but not those for later runs."""
        if self._keep_days == 1:
            own = [report for report in reports if not report.blob]
            stored = {(report.block, name) for report in own for name in ("", variant(report.left_out))}
            self._blobs.delete(sorted(stored), self._remaining_s)


def _ports(
    deployed: Job, name: str, table: ResultsTable, settings: ParseFileSettings, ends_at: float
) -> Ports:
    blobs = BlobStore(open_bucket(settings.bucket, settings.url_suffix), settings.bucket, table.run_id)
    inputs = open_bucket(
        settings.source_bucket, settings.url_suffix, requester_pays=settings.requester_pays == "on"
    )
    invocation = _Invocation(settings, ends_at)
    return Ports(
        invocation=invocation,
        inputs=_Inputs(deployed, inputs, settings, invocation.remaining_s),
        functions=_Functions(name, settings),
        blobs=_Blobs(deployed, blobs, settings, invocation.remaining_s),
        results=table,
    )
