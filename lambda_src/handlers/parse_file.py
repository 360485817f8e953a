"""The entry point: runs the deployed job on one input and returns its summary."""

import os
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeGuard, TypeVar

import msgspec
from msgspec import Struct
from obstore.store import S3Store

from lambda_src import job
from lambda_src.aws import source
from lambda_src.aws.dynamodb import open_table
from lambda_src.aws.functions import invoke, invoke_and_forget, open_functions
from lambda_src.aws.s3 import check_key, open_bucket
from lambda_src.errors import BlobDamaged, CodeChanged, FanfoldError, InvalidRequest, MemoryExceeded
from lambda_src.fields import RunId
from lambda_src.job import Job
from lambda_src.run import metrics
from lambda_src.run.map_block import find_report, how_to_get_smaller_blocks
from lambda_src.run.orchestrator import Services, execute
from lambda_src.settings import (
    GET_ALL_OCCURRENCES_TIMEOUT_S,
    GET_OCCURRENCES_TIMEOUT_S,
    INPUT_PREFIX,
    LOG_RESULTS_TIMEOUT_S,
    PARSE_BLOCK_TIMEOUT_S,
    ParseFileSettings,
    from_environment,
)
from lambda_src.store.blobs import BlobStore, variant
from lambda_src.store.results import ResultsTable
from lambda_src.telemetry import meter
from lambda_src.telemetry.calls import Trace
from lambda_src.telemetry.log import log
from lambda_src.telemetry.meter import metered
from lambda_src.wire.codec import decode_event, decode_request, encode
from lambda_src.wire.record import RunRecord
from lambda_src.wire.reports import AllPartsReport, BlockReport, LogResultsReport, PartReport, Warmed
from lambda_src.wire.requests import (
    HandOverRequest,
    ParseBlockRequest,
    ParseFileRequest,
    Pinned,
    WarmRequest,
    new_run_id,
)

T = TypeVar("T", bound=Struct)

TIMEOUTS_S = {
    "parse_block": PARSE_BLOCK_TIMEOUT_S,
    "get_all_occurrences": GET_ALL_OCCURRENCES_TIMEOUT_S,
    "get_occurrences": GET_OCCURRENCES_TIMEOUT_S,
    "log_results": LOG_RESULTS_TIMEOUT_S,
}
"""Of the functions that it calls."""


@metered
def handler(event: object, context: Any) -> Mapping[str, Any]:
    """Returns the run's summary; raises on any failure, so that Lambda shows the invocation as failed."""
    ends_at = time.monotonic() + context.get_remaining_time_in_millis() / 1000
    settings = from_environment(ParseFileSettings, os.environ)
    run_id = _run_id(event)
    deployed = job.load(settings.job)
    table = ResultsTable(open_table(settings.table, settings.url_suffix), run_id, deployed)
    try:
        request = _request(event, table, settings)
        services = _services(deployed, table, settings, lambda: ends_at - time.monotonic())
        return execute(deployed, run_id, settings.source_bucket, request, services)
    except FanfoldError as error:
        log("failed", run_id=run_id, error=type(error).__name__, message=str(error))
        raise type(error)(f"{error} (run {run_id})") from None


def _run_id(event: object) -> str:
    """The event's own run id if it is a valid one: the record of a refused request goes there too."""
    try:
        return msgspec.convert(event["run_id"], RunId)  # type: ignore[index]
    except (TypeError, KeyError, msgspec.ValidationError):
        return new_run_id()


def _request(event: object, table: ResultsTable, settings: ParseFileSettings) -> ParseFileRequest:
    """The event as a request. One that is refused leaves a failed record, unless its run id has a record; a
    hand-over that is refused, because a deployment came between, ends the run that was handed over."""
    try:
        return _decoded(event, settings)
    except (InvalidRequest, CodeChanged) as error:
        if _is_hand_over(event):
            table.end_released_run(str(event["handed_over_by"]), error)
        else:
            record = RunRecord(run_id=table.run_id, started_at=time.time())
            record.fail(error)
            table.put_new_run(record)
        raise


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


def _trace(blobs: BlobStore) -> Trace | None:
    stored = blobs.get_trace()
    try:
        return msgspec.json.decode(stored, type=Trace) if stored else None
    except (ValueError, RecursionError) as error:  # not UTF-8, no JSON, or none of a trace
        raise BlobDamaged(f"The trace of the run is damaged: {error}.") from error


def _pinned(record: RunRecord, objects: S3Store, settings: ParseFileSettings) -> Pinned:
    if record.key is not None:
        # Where the bucket is versioned, a run that is resumed goes on with the version that it began with.
        return Pinned(*source.pin(objects, record.bucket, record.key, record.version_id or None))
    # With boto3, for which only a prefix is to pay.
    from lambda_src.aws.listing import open_client, pin_prefix  # noqa: PLC0415

    return pin_prefix(
        open_client(),
        record.bucket,
        record.prefix or "",
        include_hidden=record.include_hidden,
        skip_bad=record.on_bad_object == "skip",
        requester_pays=settings.requester_pays == "on",
    )


def _services(
    deployed: Job,
    table: ResultsTable,
    settings: ParseFileSettings,
    remaining_s: Callable[[], float],
) -> Services:
    functions = open_functions(settings.url_suffix)
    blobs = BlobStore(open_bucket(settings.bucket, settings.url_suffix), settings.bucket, table.run_id)
    inputs = open_bucket(
        settings.source_bucket, settings.url_suffix, requester_pays=settings.requester_pays == "on"
    )

    def call(function: str, request: Struct, answer: type[T]) -> T:
        name = getattr(settings, f"{function}_function")
        return invoke(functions, name, request, answer, timeout_s=TIMEOUTS_S[function])

    def parse_block(request: ParseBlockRequest) -> BlockReport:
        try:
            return call("parse_block", request, BlockReport)
        except MemoryExceeded as error:
            raise MemoryExceeded(f"{error} {how_to_get_smaller_blocks(request.portion)}") from error

    return Services(
        table=table,
        remaining_s=remaining_s,
        hand_over=lambda request: invoke_and_forget(
            functions, os.environ["AWS_LAMBDA_FUNCTION_NAME"], request
        ),
        pin_source=lambda record: _pinned(record, inputs, settings),
        measure=lambda pinned, listing: deployed.measure(
            source.input_of(inputs, pinned, listing.addresses, remaining_s)
        ),
        put_listing=blobs.put_listing,
        find_report=lambda request, check_lines: find_report(
            deployed, request, blobs, check_lines=check_lines
        ),
        parse_block=parse_block,
        put_manifest=lambda manifest: blobs.put_manifest(encode(manifest)),
        get_all_occurrences=lambda request: call("get_all_occurrences", request, AllPartsReport),
        get_occurrences=lambda request: call("get_occurrences", request, PartReport),
        log_results=lambda request: call("log_results", request, LogResultsReport),
        warm=lambda function: call(function, WarmRequest(), Warmed),
        usage=meter.usage,
        get_trace=lambda: _trace(blobs),
        put_trace=lambda trace: blobs.put_trace(encode(trace)),
        ended=lambda record: _publish(record, settings),
        delete_blobs=lambda reports: _delete_blobs(blobs, reports, settings, remaining_s),
    )


def _publish(record: RunRecord, settings: ParseFileSettings) -> None:
    if settings.metrics == "on":
        log("run_ended", **metrics.of_run(settings.job, record))


def _delete_blobs(
    blobs: BlobStore,
    reports: Iterable[BlockReport],
    settings: ParseFileSettings,
    remaining_s: Callable[[], float],
) -> None:
    """Also those that were stored before an object was left out."""
    if settings.keep_intermediates_days == 1:
        stored = {(report.block, of) for report in reports for of in ("", variant(report.left_out))}
        blobs.delete(sorted(stored), remaining_s)
